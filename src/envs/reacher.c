// Reacher: move the finger of a two-link arm into a randomly placed target. Reward 1 inside.
#include <math.h>

#include "envs/domain.h"
#include "envs/rewards.h"

enum { TARGET, FINGER };
static const struct domain_name names[] = {
    [TARGET] = {mjOBJ_GEOM, "target"},
    [FINGER] = {mjOBJ_GEOM, "finger"},
    {0},
};

static const struct task tasks[] = {
    // value = radius of the target, metres
    {"easy", .time_limit_s = 20, .action_repeat = 2, .value = 0.05},
    {"hard", .time_limit_s = 20, .action_repeat = 2, .value = 0.015},
    {0},
};

static void reset(struct physics *physics) {
    mjModel *model = physics->model;
    model->geom_size[3 * physics->id[TARGET]] = physics->task->value;
    physics_randomize_joints(physics);
    double angle = rng_range(&physics->rng, 0, 2 * M_PI);
    double radius = rng_range(&physics->rng, 0.05, 0.20);
    double *target = model->geom_pos + 3 * physics->id[TARGET];
    target[0] = radius * sin(angle);
    target[1] = radius * cos(angle);
}

static void observe(const struct physics *physics, struct obs *obs) {
    const double *target = physics_geom_pos(physics, TARGET);
    const double *finger = physics_geom_pos(physics, FINGER);
    obs_add(obs, physics->data->qpos, physics->model->nq);
    obs_add(obs, (double[]){target[0] - finger[0], target[1] - finger[1]}, 2);
    obs_add(obs, physics->data->qvel, physics->model->nv);
}

static double reward(struct physics *physics) {
    const double *size = physics->model->geom_size;
    double radii = size[3 * physics->id[TARGET]] + size[3 * physics->id[FINGER]];
    double distance =
        physics_distance(physics_geom_pos(physics, TARGET), physics_geom_pos(physics, FINGER), 2);
    return tolerance_indicator(distance, 0, radii);
}

const struct domain domain_reacher = {
    .name = "reacher",
    .model_file = "reacher.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
