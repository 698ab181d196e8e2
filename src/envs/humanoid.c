// Humanoid: stand, walk or run with 21 motors (after Tassa, Erez and Todorov 2012).
#include <math.h>

#include "envs/domain.h"
#include "envs/rewards.h"

#define STAND_HEIGHT 1.4 // of the head, metres

enum { FEATURES, PURE_STATE }; // task.mode: what is observed; task.value = speed in m/s, 0 = stand

enum { COM_VELOCITY, TORSO, HEAD, LIMBS };
#define N_LIMBS 4
static const struct domain_name names[] = {
    [COM_VELOCITY] = {mjOBJ_SENSOR, "torso_subtreelinvel"},
    [TORSO] = {mjOBJ_BODY, "torso"},
    [HEAD] = {mjOBJ_BODY, "head"},
    [LIMBS] = {mjOBJ_BODY, "left_hand"},
    {mjOBJ_BODY, "left_foot"},
    {mjOBJ_BODY, "right_hand"},
    {mjOBJ_BODY, "right_foot"},
    {0},
};

static const struct task tasks[] = {
    {"stand", .time_limit_s = 25, .control_timestep_s = 0.025, .action_repeat = 2},
    {"walk", .time_limit_s = 25, .control_timestep_s = 0.025, .action_repeat = 2, .value = 1},
    {"run", .time_limit_s = 25, .control_timestep_s = 0.025, .action_repeat = 2, .value = 10},
    {"run_pure_state", .time_limit_s = 25, .control_timestep_s = 0.025, .action_repeat = 2,
     .value = 10, .mode = PURE_STATE},
    {0},
};

static void reset(struct physics *physics) {
    do {
        physics_randomize_joints(physics);
        physics_settle(physics);
    } while (physics->data->ncon > 0);
}

static void observe(const struct physics *physics, struct obs *obs) {
    const mjModel *model = physics->model;
    const mjData *data = physics->data;
    if (physics->task->mode == PURE_STATE) {
        obs_add(obs, data->qpos, model->nq);
        obs_add(obs, data->qvel, model->nv);
        return;
    }
    const double *torso = physics_body_mat(physics, TORSO);
    obs_add(obs, data->qpos + 7, model->nq - 7);
    obs_add_one(obs, physics_body_pos(physics, HEAD)[2]);
    for (int i = 0; i < N_LIMBS; i++) {
        double local[3];
        physics_local(torso, physics_body_pos(physics, LIMBS + i), physics_body_pos(physics, TORSO),
                      local);
        obs_add(obs, local, 3);
    }
    obs_add(obs, torso + 6, 3); // the vertical in the torso's frame
    obs_add(obs, physics_sensor(physics, COM_VELOCITY), 3);
    obs_add(obs, data->qvel, model->nv);
}

static double reward(struct physics *physics) {
    double standing = tolerance_gaussian(physics_body_pos(physics, HEAD)[2], STAND_HEIGHT, INFINITY,
                                         STAND_HEIGHT / 4);
    double upright = tolerance_at_least(physics_body_mat(physics, TORSO)[8], 0.9, 1.9, 0);
    double effort = (4 + small_control(physics->data->ctrl, physics->model->nu)) / 5;
    const double *velocity = physics_sensor(physics, COM_VELOCITY);
    double speed = physics->task->value;
    if (speed == 0) {
        double still =
            (tolerance_gaussian(velocity[0], 0, 0, 2) + tolerance_gaussian(velocity[1], 0, 0, 2)) /
            2;
        return effort * standing * upright * still;
    }
    double move = tolerance_at_least(physics_norm(velocity, 2), speed, speed, 0);
    return effort * standing * upright * (5 * move + 1) / 6;
}

const struct domain domain_humanoid = {
    .name = "humanoid",
    .model_file = "humanoid.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
