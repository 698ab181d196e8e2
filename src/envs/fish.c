// Fish: hold the belly down, or swim the mouth to a target, in a dense fluid.
#include "envs/domain.h"
#include "envs/rewards.h"

enum { UPRIGHT, SWIM }; // task.mode

#define N_JOINTS 7
enum { JOINTS, TORSO = N_JOINTS, TARGET, MOUTH };
static const struct domain_name names[] = {
    [JOINTS] = {mjOBJ_JOINT, "tail1"},
    {mjOBJ_JOINT, "tail_twist"},
    {mjOBJ_JOINT, "tail2"},
    {mjOBJ_JOINT, "finright_roll"},
    {mjOBJ_JOINT, "finright_pitch"},
    {mjOBJ_JOINT, "finleft_roll"},
    {mjOBJ_JOINT, "finleft_pitch"},
    [TORSO] = {mjOBJ_BODY, "torso"},
    [TARGET] = {mjOBJ_GEOM, "target"},
    [MOUTH] = {mjOBJ_GEOM, "mouth"},
    {0},
};

static const struct task tasks[] = {
    {"upright", .time_limit_s = 40, .control_timestep_s = 0.04, .action_repeat = 2,
     .mode = UPRIGHT},
    {"swim", .time_limit_s = 40, .control_timestep_s = 0.04, .action_repeat = 2, .mode = SWIM},
    {0},
};

static void reset(struct physics *physics) {
    mjModel *model = physics->model;
    physics_random_quaternion(physics, physics->data->qpos + 3);
    for (int i = 0; i < N_JOINTS; i++) {
        *physics_joint_pos(physics, JOINTS + i) = rng_range(&physics->rng, -0.2, 0.2);
    }
    if (physics->task->mode == UPRIGHT) {
        model->geom_rgba[4 * physics->id[TARGET] + 3] = 0; // hidden
        return;
    }
    double *target = model->geom_pos + 3 * physics->id[TARGET];
    target[0] = rng_range(&physics->rng, -0.4, 0.4);
    target[1] = rng_range(&physics->rng, -0.4, 0.4);
    target[2] = rng_range(&physics->rng, 0.1, 0.3);
}

static double upright(const struct physics *physics) {
    return physics_body_mat(physics, TORSO)[8];
}

static void mouth_to_target(const struct physics *physics, double *out) {
    physics_local(physics->data->geom_xmat + 9 * physics->id[MOUTH],
                  physics_geom_pos(physics, TARGET), physics_geom_pos(physics, MOUTH), out);
}

static void observe(const struct physics *physics, struct obs *obs) {
    for (int i = 0; i < N_JOINTS; i++) obs_add(obs, physics_joint_pos(physics, JOINTS + i), 1);
    obs_add_one(obs, upright(physics));
    if (physics->task->mode == SWIM) {
        double target[3];
        mouth_to_target(physics, target);
        obs_add(obs, target, 3);
    }
    obs_add(obs, physics->data->qvel, physics->model->nv);
}

static double reward(struct physics *physics) {
    if (physics->task->mode == UPRIGHT) return tolerance_gaussian(upright(physics), 1, 1, 1);
    const double *size = physics->model->geom_size;
    double radii = size[3 * physics->id[MOUTH]] + size[3 * physics->id[TARGET]];
    double target[3];
    mouth_to_target(physics, target);
    double in_target = tolerance_gaussian(physics_norm(target, 3), 0, radii, 2 * radii);
    return (7 * in_target + 0.5 * (upright(physics) + 1)) / 8;
}

const struct domain domain_fish = {
    .name = "fish",
    .model_file = "fish.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
