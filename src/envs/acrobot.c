// Acrobot: swing the tip of a two-link pendulum to the target straight above, with a motor at the
// elbow.
#include <math.h>

#include "envs/domain.h"
#include "envs/rewards.h"

enum { DENSE, SPARSE }; // task.mode

enum { UPPER_ARM, LOWER_ARM, TARGET, TIP };
static const struct domain_name names[] = {
    [UPPER_ARM] = {mjOBJ_BODY, "upper_arm"},
    [LOWER_ARM] = {mjOBJ_BODY, "lower_arm"},
    [TARGET] = {mjOBJ_SITE, "target"},
    [TIP] = {mjOBJ_SITE, "tip"},
    {0},
};

static const struct task tasks[] = {
    {"swingup", .time_limit_s = 10, .action_repeat = 2, .mode = DENSE},
    {"swingup_sparse", .time_limit_s = 10, .action_repeat = 2, .mode = SPARSE},
    {0},
};

static void reset(struct physics *physics) {
    for (int i = 0; i < 2; i++) physics->data->qpos[i] = rng_range(&physics->rng, -M_PI, M_PI);
}

static void observe(const struct physics *physics, struct obs *obs) {
    const double *upper = physics_body_mat(physics, UPPER_ARM);
    const double *lower = physics_body_mat(physics, LOWER_ARM);
    obs_add(obs, (double[]){upper[2], lower[2], upper[8], lower[8]}, 4); // sines, cosines
    obs_add(obs, physics->data->qvel, physics->model->nv);
}

static double reward(struct physics *physics) {
    double distance =
        physics_distance(physics_site_pos(physics, TARGET), physics_site_pos(physics, TIP), 3);
    double radius = physics->model->site_size[3 * physics->id[TARGET]];
    return tolerance_gaussian(distance, 0, radius, physics->task->mode == SPARSE ? 0 : 1);
}

const struct domain domain_acrobot = {
    .name = "acrobot",
    .model_file = "acrobot.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
