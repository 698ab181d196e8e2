#include "envs/physics.h"

#include <math.h>
#include <string.h>

void obs_add(struct obs *obs, const double *values, int count) {
    if (obs->out) memcpy(obs->out + obs->count, values, (size_t)count * sizeof *values);
    obs->count += count;
}

void obs_add_one(struct obs *obs, double value) {
    obs_add(obs, &value, 1);
}

void physics_reset(struct physics *physics) {
    mj_resetData(physics->model, physics->data);
    physics_settle(physics);
}

void physics_settle(struct physics *physics) {
    int flags = physics->model->opt.disableflags;
    physics->model->opt.disableflags = flags | mjDSBL_ACTUATION;
    mj_forward(physics->model, physics->data);
    physics->model->opt.disableflags = flags;
}

void physics_step(struct physics *physics, int n_substeps) {
    const mjModel *model = physics->model;
    mjData *data = physics->data;
    int done = 0;
    // mj_step1 of this state ran at the end of the frame before; Runge-Kutta steps cannot be split.
    if (model->opt.integrator != mjINT_RK4) {
        mj_step2(model, data);
        done = 1;
    }
    for (; done < n_substeps; done++) mj_step(model, data);
    mj_step1(model, data);
}

const double *physics_sensor(const struct physics *physics, int name) {
    return physics->data->sensordata + physics->model->sensor_adr[physics->id[name]];
}

const double *physics_body_pos(const struct physics *physics, int name) {
    return physics->data->xpos + 3 * physics->id[name];
}

const double *physics_body_mat(const struct physics *physics, int name) {
    return physics->data->xmat + 9 * physics->id[name];
}

const double *physics_geom_pos(const struct physics *physics, int name) {
    return physics->data->geom_xpos + 3 * physics->id[name];
}

const double *physics_site_pos(const struct physics *physics, int name) {
    return physics->data->site_xpos + 3 * physics->id[name];
}

double *physics_joint_pos(const struct physics *physics, int name) {
    return physics->data->qpos + physics->model->jnt_qposadr[physics->id[name]];
}

double *physics_joint_vel(const struct physics *physics, int name) {
    return physics->data->qvel + physics->model->jnt_dofadr[physics->id[name]];
}

void physics_local(const double *mat, const double *a, const double *b, double *out) {
    double v[3] = {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
    for (int i = 0; i < 3; i++) out[i] = v[0] * mat[i] + v[1] * mat[3 + i] + v[2] * mat[6 + i];
}

double physics_norm(const double *vector, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += vector[i] * vector[i];
    return sqrt(sum);
}

double physics_distance(const double *a, const double *b, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum);
}

static void normalize(double *vector, int count) {
    double norm = physics_norm(vector, count);
    for (int i = 0; i < count; i++) vector[i] /= norm;
}

void physics_random_quaternion(struct physics *physics, double *quat) {
    for (int i = 0; i < 4; i++) quat[i] = rng_normal(&physics->rng);
    normalize(quat, 4);
}

static void randomize_ball(struct physics *physics, int joint, double *quat) {
    if (!physics->model->jnt_limited[joint]) {
        physics_random_quaternion(physics, quat);
        return;
    }
    double axis[3];
    for (int i = 0; i < 3; i++) axis[i] = rng_normal(&physics->rng);
    normalize(axis, 3);
    mju_axisAngle2Quat(quat, axis,
                       rng_uniform(&physics->rng) * physics->model->jnt_range[2 * joint + 1]);
}

void physics_randomize_joints(struct physics *physics) {
    const mjModel *model = physics->model;
    for (int joint = 0; joint < model->njnt; joint++) {
        double *qpos = physics->data->qpos + model->jnt_qposadr[joint];
        const double *range = model->jnt_range + 2 * joint;
        bool limited = model->jnt_limited[joint];
        switch (model->jnt_type[joint]) {
        case mjJNT_HINGE:
            *qpos = limited ? rng_range(&physics->rng, range[0], range[1])
                            : rng_range(&physics->rng, -M_PI, M_PI);
            break;
        case mjJNT_SLIDE:
            if (limited) *qpos = rng_range(&physics->rng, range[0], range[1]);
            break;
        case mjJNT_BALL: randomize_ball(physics, joint, qpos); break;
        case mjJNT_FREE:
            for (int i = 3; i < 7; i++) qpos[i] = rng_uniform(&physics->rng);
            normalize(qpos + 3, 4);
            break;
        }
    }
}
