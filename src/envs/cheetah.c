// Cheetah: a planar two-legged runner (Wawrzynski 2009; Tassa et al. 2018). Reward grows linearly
// with the forward speed up to 10 m/s.
#include "envs/domain.h"
#include "envs/rewards.h"

#define RUN_SPEED    10.0 // m/s
#define SETTLE_STEPS 200

enum { SPEED };
static const struct domain_name names[] = {
    [SPEED] = {mjOBJ_SENSOR, "torso_subtreelinvel"},
    {0},
};

static const struct task tasks[] = {
    {"run", .time_limit_s = 10, .action_repeat = 2},
    {0},
};

// Random joint angles within their limits, then the body falls to the ground before the episode
// starts.
static void reset(struct physics *physics) {
    const mjModel *model = physics->model;
    for (int joint = 0; joint < model->njnt; joint++) {
        const double *range = model->jnt_range + 2 * joint;
        if (model->jnt_limited[joint]) {
            physics->data->qpos[joint] = rng_range(&physics->rng, range[0], range[1]);
        }
    }
    physics_step(physics, SETTLE_STEPS);
    physics->data->time = 0;
}

static void observe(const struct physics *physics, struct obs *obs) {
    obs_add(obs, physics->data->qpos + 1,
            physics->model->nq - 1); // not where it is along the track
    obs_add(obs, physics->data->qvel, physics->model->nv);
}

static double reward(struct physics *physics) {
    return tolerance_at_least(physics_sensor(physics, SPEED)[0], RUN_SPEED, RUN_SPEED, 0);
}

const struct domain domain_cheetah = {
    .name = "cheetah",
    .model_file = "cheetah.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
