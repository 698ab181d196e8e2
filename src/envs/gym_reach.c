// Gymnasium's MuJoCo arms and pendulums, version 5 (Towers et al. 2024; documented at
// gymnasium.farama.org/environments/mujoco).
#include <math.h>

#include "envs/domain.h"

enum { REACHER, PUSHER, PENDULUM, DOUBLE_PENDULUM }; // task.mode

enum { FINGERTIP, TARGET, TIPS, OBJECT, GOAL, TIP };
static const struct domain_name names[] = {
    [FINGERTIP] = {mjOBJ_BODY, "fingertip", true}, // reacher
    [TARGET] = {mjOBJ_BODY, "target", true},
    [TIPS] = {mjOBJ_BODY, "tips_arm", true}, // pusher
    [OBJECT] = {mjOBJ_BODY, "object", true},
    [GOAL] = {mjOBJ_BODY, "goal", true},
    [TIP] = {mjOBJ_SITE, "tip", true}, // double pendulum
    {0},
};

static const struct task tasks[] = {
    {"reacher", .episode_frames = 50, .n_substeps = 2, .action_repeat = 1, .mode = REACHER,
     .model_file = "gym/reacher.xml"},
    {"pusher", .episode_frames = 100, .n_substeps = 5, .action_repeat = 1, .mode = PUSHER,
     .model_file = "gym/pusher.xml"},
    {"inverted-pendulum", .episode_frames = 1000, .n_substeps = 2, .action_repeat = 1,
     .mode = PENDULUM, .model_file = "gym/inverted_pendulum.xml"},
    {"inverted-double-pendulum", .episode_frames = 1000, .n_substeps = 5, .action_repeat = 1,
     .mode = DOUBLE_PENDULUM, .model_file = "gym/inverted_double_pendulum.xml"},
    {0},
};

#define PUSHER_JOINTS 7

static void add_noise(struct rng *rng, double *values, int count, double bound) {
    for (int i = 0; i < count; i++) values[i] += rng_range(rng, -bound, bound);
}

static void reset_reacher(struct physics *physics) {
    double *qpos = physics->data->qpos, *qvel = physics->data->qvel;
    add_noise(&physics->rng, qpos, 2, 0.1);
    do {
        for (int i = 2; i < 4; i++) qpos[i] = rng_range(&physics->rng, -0.2, 0.2);
    } while (physics_norm(qpos + 2, 2) >= 0.2);
    add_noise(&physics->rng, qvel, 2, 0.005);
}

// The cylinder to the left of the goal and not on it.
static void reset_pusher(struct physics *physics) {
    double *object = physics->data->qpos + PUSHER_JOINTS;
    do {
        object[0] = rng_range(&physics->rng, -0.3, 0);
        object[1] = rng_range(&physics->rng, -0.2, 0.2);
    } while (physics_norm(object, 2) <= 0.17);
    add_noise(&physics->rng, physics->data->qvel, PUSHER_JOINTS, 0.005);
}

static void reset(struct physics *physics) {
    mjData *data = physics->data;
    int nq = (int)physics->model->nq, nv = (int)physics->model->nv;
    switch (physics->task->mode) {
    case REACHER: reset_reacher(physics); break;
    case PUSHER: reset_pusher(physics); break;
    case PENDULUM:
        add_noise(&physics->rng, data->qpos, nq, 0.01);
        add_noise(&physics->rng, data->qvel, nv, 0.01);
        break;
    case DOUBLE_PENDULUM:
        add_noise(&physics->rng, data->qpos, nq, 0.1);
        for (int i = 0; i < nv; i++) data->qvel[i] = 0.1 * rng_normal(&physics->rng);
        break;
    }
}

static double clip10(double value) {
    return fmin(fmax(value, -10), 10);
}

static void observe_reacher(const struct physics *physics, struct obs *obs) {
    const double *qpos = physics->data->qpos;
    const double *finger = physics_body_pos(physics, FINGERTIP),
                 *target = physics_body_pos(physics, TARGET);
    obs_add(obs, (double[]){cos(qpos[0]), cos(qpos[1]), sin(qpos[0]), sin(qpos[1])}, 4);
    obs_add(obs, qpos + 2, 2);
    obs_add(obs, physics->data->qvel, 2);
    obs_add(obs, (double[]){finger[0] - target[0], finger[1] - target[1]}, 2);
}

static void observe_double(const struct physics *physics, struct obs *obs) {
    const double *qpos = physics->data->qpos, *qvel = physics->data->qvel;
    obs_add(obs, (double[]){qpos[0], sin(qpos[1]), sin(qpos[2]), cos(qpos[1]), cos(qpos[2])}, 5);
    for (int i = 0; i < 3; i++) obs_add_one(obs, clip10(qvel[i]));
    obs_add_one(obs, clip10(physics->data->qfrc_constraint[0]));
}

static void observe(const struct physics *physics, struct obs *obs) {
    const mjData *data = physics->data;
    switch (physics->task->mode) {
    case REACHER: observe_reacher(physics, obs); break;
    case PUSHER:
        obs_add(obs, data->qpos, PUSHER_JOINTS);
        obs_add(obs, data->qvel, PUSHER_JOINTS);
        for (int i = TIPS; i <= GOAL; i++) obs_add(obs, physics_body_pos(physics, i), 3);
        break;
    case PENDULUM:
        obs_add(obs, data->qpos, 2);
        obs_add(obs, data->qvel, 2);
        break;
    case DOUBLE_PENDULUM: observe_double(physics, obs); break;
    }
}

static bool terminated(const struct physics *physics) {
    switch (physics->task->mode) {
    case PENDULUM: return fabs(physics->data->qpos[1]) > 0.2;
    case DOUBLE_PENDULUM: return physics_site_pos(physics, TIP)[2] <= 1;
    default: return false;
    }
}

static double body_distance(const struct physics *physics, int a, int b) {
    return physics_distance(physics_body_pos(physics, a), physics_body_pos(physics, b), 3);
}

static double reward(struct physics *physics) {
    const double *ctrl = physics->data->ctrl, *qvel = physics->data->qvel;
    double effort = 0;
    for (int i = 0; i < physics->model->nu; i++) effort += ctrl[i] * ctrl[i];
    switch (physics->task->mode) {
    case REACHER: return -body_distance(physics, FINGERTIP, TARGET) - effort;
    case PUSHER:
        return -body_distance(physics, OBJECT, GOAL) - 0.1 * effort -
               0.5 * body_distance(physics, OBJECT, TIPS);
    case PENDULUM: return terminated(physics) ? 0 : 1;
    }
    const double *tip = physics_site_pos(physics, TIP);
    double off = 0.01 * tip[0] * tip[0] + (tip[2] - 2) * (tip[2] - 2);
    double fast = 1e-3 * qvel[1] * qvel[1] + 5e-3 * qvel[2] * qvel[2];
    return (terminated(physics) ? 0 : 10) - off - fast;
}

const struct domain domain_gym_reach = {
    .name = "gym",
    .tasks = tasks,
    .names = names,
    .stepping = STEPPING_PLAIN,
    .reset = reset,
    .observe = observe,
    .reward = reward,
    .terminated = terminated,
};
