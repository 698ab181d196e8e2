// Quadruped: walk, run, escape from a bowl of bumpy ground, or fetch a ball to the middle of an
// arena.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "envs/domain.h"
#include "envs/rewards.h"
#include "envs/terrain.h"

#define EPISODE_S      20.0
#define BUMP_SCALE_M   2.0
#define SMOOTHNESS     0.15
#define LIFT_ATTEMPTS  10000
#define N_HINGES       16
#define N_RANGEFINDERS 20

enum { MOVE, ESCAPE, FETCH }; // task.mode; task.value = speed in m/s of MOVE

enum {
    TORSO,
    ACCELEROMETER,
    GYRO,
    VELOCIMETER,
    FORCES,
    WORKSPACE,
    FLOOR,
    ROOT,
    RANGEFINDERS,
    BALL,
    BALL_ROOT,
    BALL_GEOM,
    TARGET,
};
static const struct domain_name names[] = {
    [TORSO] = {mjOBJ_BODY, "torso"},
    [ACCELEROMETER] = {mjOBJ_SENSOR, "imu_accel"},
    [GYRO] = {mjOBJ_SENSOR, "imu_gyro"},
    [VELOCIMETER] = {mjOBJ_SENSOR, "velocimeter"},
    [FORCES] = {mjOBJ_SENSOR, "force_toe_front_left"}, // four forces, then four torques
    [WORKSPACE] = {mjOBJ_SITE, "workspace"},
    [FLOOR] = {mjOBJ_GEOM, "floor"},
    [ROOT] = {mjOBJ_JOINT, "root"},
    [RANGEFINDERS] = {mjOBJ_SENSOR, "rf_00", true}, // and 19 more
    [BALL] = {mjOBJ_BODY, "ball", true},
    [BALL_ROOT] = {mjOBJ_JOINT, "ball_root", true},
    [BALL_GEOM] = {mjOBJ_GEOM, "ball", true},
    [TARGET] = {mjOBJ_SITE, "target", true},
    {0},
};

static const struct task tasks[] = {
    {"walk", .time_limit_s = EPISODE_S, .control_timestep_s = 0.02, .action_repeat = 2,
     .value = 0.5},
    {"run", .time_limit_s = EPISODE_S, .control_timestep_s = 0.02, .action_repeat = 2, .value = 5},
    {"escape", .time_limit_s = EPISODE_S, .control_timestep_s = 0.02, .action_repeat = 2,
     .mode = ESCAPE},
    {"fetch", .time_limit_s = EPISODE_S, .control_timestep_s = 0.02, .action_repeat = 2,
     .mode = FETCH},
    {0},
};

static bool drop(mjSpec *spec, mjtObj type, const char *name) {
    mjsElement *element = mjs_findElement(spec, type, name);
    return element && mjs_delete(spec, element) == 0;
}

static bool drop_arena(mjSpec *spec) {
    return drop(spec, mjOBJ_GEOM, "wall_px") && drop(spec, mjOBJ_GEOM, "wall_py") &&
           drop(spec, mjOBJ_GEOM, "wall_nx") && drop(spec, mjOBJ_GEOM, "wall_ny") &&
           drop(spec, mjOBJ_BODY, "ball") && drop(spec, mjOBJ_SITE, "target");
}

static bool drop_rangefinders(mjSpec *spec) {
    bool done = true;
    for (int i = 0; i < N_RANGEFINDERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "rf_%d%d", i / 5, i % 5);
        done = done && drop(spec, mjOBJ_SENSOR, name);
    }
    return done;
}

// Keeps the parts that the task needs, on a floor as large as the way that can be made in an
// episode.
static bool edit(mjSpec *spec, const void *context) {
    const struct task *task = context;
    mjsGeom *floor = mjs_asGeom(mjs_findElement(spec, mjOBJ_GEOM, "floor"));
    if (!floor) return false;
    if (task->mode != FETCH) {
        double size = task->mode == ESCAPE ? 40 : EPISODE_S * task->value;
        floor->size[0] = floor->size[1] = size;
        if (!drop_arena(spec)) return false;
    }
    if (task->mode == ESCAPE) return true;
    return drop(spec, mjOBJ_GEOM, "terrain") && drop_rangefinders(spec);
}

// Lifts the body, centimetre by centimetre, until nothing touches.
static void lift_free(struct physics *physics, const double *quat, double x, double y) {
    double *root = physics_joint_pos(physics, ROOT);
    double z =
        0; // summed, not multiplied: at the height where toes just touch the last bit decides
    for (int i = 0; i < LIFT_ATTEMPTS; i++, z += 0.01) {
        physics_reset(physics);
        root[0] = x;
        root[1] = y;
        root[2] = z;
        memcpy(root + 3, quat, 4 * sizeof *quat);
        physics_settle(physics);
        mj_clear_warnings(physics->data); // deep in the floor MuJoCo may run out of contacts
        if (physics->data->ncon == 0) return;
    }
}

static void reset_fetch(struct physics *physics) {
    struct rng *rng = &physics->rng;
    double azimuth = rng_range(rng, 0, 2 * M_PI);
    double quat[4] = {cos(azimuth / 2), 0, 0, sin(azimuth / 2)};
    double radius = 0.9 * physics->model->geom_size[3 * physics->id[FLOOR]];
    double x = rng_range(rng, -radius, radius), y = rng_range(rng, -radius, radius);
    lift_free(physics, quat, x, y);
    double *ball = physics_joint_pos(physics, BALL_ROOT),
           *speed = physics_joint_vel(physics, BALL_ROOT);
    for (int i = 0; i < 2; i++) ball[i] = rng_range(rng, -radius, radius);
    ball[2] = 2;
    for (int i = 0; i < 2; i++) speed[i] = 5 * rng_normal(rng);
}

static void reset(struct physics *physics) {
    mjModel *model = physics->model;
    if (physics->task->mode == FETCH) {
        reset_fetch(physics);
        return;
    }
    if (physics->task->mode == ESCAPE) {
        int n_bumps = (int)(2 * model->hfield_size[0] / BUMP_SCALE_M);
        terrain_make(&physics->rng, model->hfield_nrow[0], n_bumps, SMOOTHNESS,
                     model->hfield_data + model->hfield_adr[0]);
    }
    double quat[4];
    physics_random_quaternion(physics, quat);
    lift_free(physics, quat, 0, 0);
}

static void observe_common(const struct physics *physics, struct obs *obs) {
    const mjData *data = physics->data;
    obs_add(obs, data->qpos + 7, N_HINGES);
    obs_add(obs, data->qvel + 6, N_HINGES);
    obs_add(obs, data->act, physics->model->na);
    obs_add(obs, physics_sensor(physics, VELOCIMETER), 3);
    obs_add_one(obs, physics_body_mat(physics, TORSO)[8]);
    obs_add(obs, physics_sensor(physics, ACCELEROMETER), 3);
    obs_add(obs, physics_sensor(physics, GYRO), 3);
    const double *force = physics_sensor(physics, FORCES);
    for (int i = 0; i < 2 * 4 * 3; i++) obs_add_one(obs, asinh(force[i]));
}

static void observe_local(const struct physics *physics, const double *a, const double *b,
                          struct obs *obs) {
    double local[3];
    physics_local(physics_body_mat(physics, TORSO), a, b, local);
    obs_add(obs, local, 3);
}

static void observe(const struct physics *physics, struct obs *obs) {
    static const double zero[3];
    const double *torso = physics_body_pos(physics, TORSO);
    observe_common(physics, obs);
    if (physics->task->mode == ESCAPE) {
        const double *range = physics_sensor(physics, RANGEFINDERS);
        observe_local(physics, zero, torso, obs); // the origin
        for (int i = 0; i < N_RANGEFINDERS; i++)
            obs_add_one(obs, range[i] == -1 ? 1 : tanh(range[i]));
    } else if (physics->task->mode == FETCH) {
        const double *ball = physics_joint_vel(physics, BALL_ROOT);
        observe_local(physics, physics_body_pos(physics, BALL), torso, obs);
        observe_local(physics, ball, physics_joint_vel(physics, ROOT), obs);
        observe_local(physics, ball + 3, zero, obs);
        observe_local(physics, physics_site_pos(physics, TARGET), torso, obs);
    }
}

static double upright(const struct physics *physics, double deviation_degrees) {
    double deviation = cos(deviation_degrees * M_PI / 180);
    return tolerance_at_least(physics_body_mat(physics, TORSO)[8], deviation, 1 + deviation, 0);
}

static double fetch_reward(const struct physics *physics) {
    const mjModel *model = physics->model;
    double arena = model->geom_size[3 * physics->id[FLOOR]] * sqrt(2);
    double reach =
        model->site_size[3 * physics->id[WORKSPACE]] + model->geom_size[3 * physics->id[BALL_GEOM]];
    double goal = model->site_size[3 * physics->id[TARGET]];
    const double *ball = physics_body_pos(physics, BALL);
    double to_ball = physics_distance(physics_site_pos(physics, WORKSPACE), ball, 2);
    double to_target = physics_distance(physics_site_pos(physics, TARGET), ball, 2);
    double reached = tolerance(to_ball, 0, reach, arena, SIGMOID_LINEAR, 0);
    double fetched = tolerance(to_target, 0, goal, arena, SIGMOID_LINEAR, 0);
    return upright(physics, 0) * reached * (0.5 + 0.5 * fetched);
}

static double reward(struct physics *physics) {
    if (physics->task->mode == FETCH) return fetch_reward(physics);
    if (physics->task->mode == ESCAPE) {
        double size = physics->model->hfield_size[0];
        double distance = physics_norm(physics_site_pos(physics, WORKSPACE), 3);
        return upright(physics, 20) * tolerance_at_least(distance, size, size, 0);
    }
    double speed = physics->task->value;
    double move = tolerance_at_least(physics_sensor(physics, VELOCIMETER)[0], speed, speed, 0.5);
    return upright(physics, 0) * move;
}

const struct domain domain_quadruped = {
    .name = "quadruped",
    .model_file = "quadruped.xml",
    .tasks = tasks,
    .names = names,
    .camera = 2, // from the side; camera 0 looks at the whole arena
    .reward_max = 1,
    .edit = edit,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
