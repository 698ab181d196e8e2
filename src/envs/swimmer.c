// Swimmer: a chain of 6 or 15 links in a viscous plane; bring the nose to a target (Coulom 2002).
#include <stdio.h>
#include <string.h>

#include "envs/domain.h"
#include "envs/rewards.h"

enum { TARGET, NOSE, HEAD, TARGET_LIGHT, HEAD_VELOCITY };
static const struct domain_name names[] = {
    [TARGET] = {mjOBJ_GEOM, "target"},
    [NOSE] = {mjOBJ_GEOM, "nose"},
    [HEAD] = {mjOBJ_BODY, "head"},
    [TARGET_LIGHT] = {mjOBJ_LIGHT, "target_light"},
    [HEAD_VELOCITY] = {mjOBJ_SENSOR, "head_vel"},
    {0},
};

static const struct task tasks[] = {
    // value = links
    {"swimmer6", .time_limit_s = 30, .control_timestep_s = 0.03, .action_repeat = 2, .value = 6},
    {"swimmer15", .time_limit_s = 30, .control_timestep_s = 0.03, .action_repeat = 2, .value = 15},
    {0},
};

#define ROOT_JOINTS 3

static void set_name(mjsElement *element, const char *format, int index) {
    char name[48];
    snprintf(name, sizeof name, format, index);
    mjs_setName(element, name);
}

static void add_sensor(mjSpec *spec, mjtSensor type, const char *name_format, int index) {
    char site[48];
    snprintf(site, sizeof site, "site_%d", index);
    mjsSensor *sensor = mjs_addSensor(spec);
    sensor->type = type;
    sensor->objtype = mjOBJ_SITE;
    mjs_setString(sensor->objname, site);
    set_name(sensor->element, name_format, index);
}

// One link behind parent, with its joint, motor, velocimeter and gyro.
static mjsBody *add_segment(mjSpec *spec, mjsBody *parent, int index, double range_degrees) {
    const mjsDefault *swimmer = mjs_findDefault(spec, "swimmer");
    mjsBody *body = mjs_addBody(parent, swimmer);
    body->pos[1] = 0.1;
    set_name(body->element, "segment_%d", index);
    set_name(mjs_addGeom(body, mjs_findDefault(spec, "visual"))->element, "visual_%d", index);
    set_name(mjs_addGeom(body, mjs_findDefault(spec, "inertial"))->element, "inertial_%d", index);
    set_name(mjs_addSite(body, swimmer)->element, "site_%d", index);
    mjsJoint *joint = mjs_addJoint(body, swimmer);
    joint->range[0] = -range_degrees;
    joint->range[1] = range_degrees;
    set_name(joint->element, "joint_%d", index);
    mjsActuator *motor = mjs_addActuator(spec, mjs_getSpecDefault(spec));
    motor->trntype = mjTRN_JOINT;
    mjs_setString(motor->target, mjs_getString(mjs_getName(joint->element)));
    set_name(motor->element, "motor_%d", index);
    add_sensor(spec, mjSENS_VELOCIMETER, "velocimeter_%d", index);
    add_sensor(spec, mjSENS_GYRO, "gyro_%d", index);
    return body;
}

static bool edit(mjSpec *spec, const void *context) {
    int n_links = (int)((const struct task *)context)->value;
    mjsBody *body = mjs_findBody(spec, "head");
    if (!body || !mjs_findDefault(spec, "swimmer") || !mjs_findDefault(spec, "visual") ||
        !mjs_findDefault(spec, "inertial")) {
        return false;
    }
    for (int i = 0; i < n_links - 1; i++) body = add_segment(spec, body, i, 360.0 / n_links);
    for (mjsElement *at = mjs_firstElement(spec, mjOBJ_CAMERA); at;
         at = mjs_nextElement(spec, at)) {
        mjsCamera *camera = mjs_asCamera(at);
        if (camera->mode != mjCAMLIGHT_TRACKCOM) continue;
        for (int i = 0; i < 3; i++) camera->pos[i] *= n_links / 6.0; // all of it in the picture
    }
    return true;
}

static void reset(struct physics *physics) {
    physics_randomize_joints(physics);
    double box = rng_uniform(&physics->rng) < 0.2 ? 0.3 : 2; // one target in five is close
    double *target = physics->model->geom_pos + 3 * physics->id[TARGET];
    for (int i = 0; i < 2; i++) target[i] = rng_range(&physics->rng, -box, box);
    memcpy(physics->model->light_pos + 3 * physics->id[TARGET_LIGHT], target, 2 * sizeof *target);
}

static void nose_to_target(const struct physics *physics, double *out) {
    physics_local(physics_body_mat(physics, HEAD), physics_geom_pos(physics, TARGET),
                  physics_geom_pos(physics, NOSE), out);
}

static void observe(const struct physics *physics, struct obs *obs) {
    const mjModel *model = physics->model;
    double target[3];
    nose_to_target(physics, target);
    obs_add(obs, physics->data->qpos + ROOT_JOINTS, model->nq - ROOT_JOINTS);
    obs_add(obs, target, 2);
    // From the head on, six numbers a link: velocity, then angular velocity. Those in the plane:
    const double *end = physics->data->sensordata + model->nsensordata;
    for (const double *link = physics_sensor(physics, HEAD_VELOCITY); link < end; link += 6) {
        obs_add(obs, (double[]){link[0], link[1], link[5]}, 3);
    }
}

static double reward(struct physics *physics) {
    double radius = physics->model->geom_size[3 * physics->id[TARGET]], target[3];
    nose_to_target(physics, target);
    return tolerance(physics_norm(target, 2), 0, radius, 5 * radius, SIGMOID_LONG_TAIL, 0.1);
}

const struct domain domain_swimmer = {
    .name = "swimmer",
    .model_file = "swimmer.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .edit = edit,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
