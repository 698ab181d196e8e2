// Pendulum: swing a pole upright with a motor too weak to lift it in one go, and hold it within 8
// degrees.
#include <math.h>

#include "envs/domain.h"
#include "envs/rewards.h"

#define ANGLE_BOUND (8 * M_PI / 180)

enum { POLE };
static const struct domain_name names[] = {
    [POLE] = {mjOBJ_BODY, "pole"},
    {0},
};

static const struct task tasks[] = {
    {"swingup", .time_limit_s = 20, .action_repeat = 2},
    {0},
};

static void reset(struct physics *physics) {
    physics->data->qpos[0] = rng_range(&physics->rng, -M_PI, M_PI);
}

static void observe(const struct physics *physics, struct obs *obs) {
    const double *mat = physics_body_mat(physics, POLE);
    obs_add(obs, (double[]){mat[8], mat[2]}, 2); // cosine, sine
    obs_add(obs, physics->data->qvel, 1);
}

static double reward(struct physics *physics) {
    return tolerance_indicator(physics_body_mat(physics, POLE)[8], cos(ANGLE_BOUND), 1);
}

const struct domain domain_pendulum = {
    .name = "pendulum",
    .model_file = "pendulum.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
