// Walker: a planar biped that stands, walks or runs.
#include <math.h>

#include "envs/domain.h"
#include "envs/rewards.h"

#define STAND_HEIGHT 1.2 // of the torso, metres

enum { TORSO, SPEED };
static const struct domain_name names[] = {
    [TORSO] = {mjOBJ_BODY, "torso"},
    [SPEED] = {mjOBJ_SENSOR, "torso_subtreelinvel"},
    {0},
};

static const struct task tasks[] = {
    // value = speed in m/s, 0 = stand
    {"stand", .time_limit_s = 25, .control_timestep_s = 0.025, .action_repeat = 2},
    {"walk", .time_limit_s = 25, .control_timestep_s = 0.025, .action_repeat = 2, .value = 1},
    {"run", .time_limit_s = 25, .control_timestep_s = 0.025, .action_repeat = 2, .value = 8},
    {0},
};

static void observe(const struct physics *physics, struct obs *obs) {
    for (int body = 1; body < physics->model->nbody; body++) {
        const double *mat = physics->data->xmat + 9 * body;
        obs_add(obs, (double[]){mat[0], mat[2]}, 2); // cosine, sine in the plane
    }
    obs_add_one(obs, physics_body_pos(physics, TORSO)[2]);
    obs_add(obs, physics->data->qvel, physics->model->nv);
}

static double reward(struct physics *physics) {
    double height = physics_body_pos(physics, TORSO)[2];
    double standing = tolerance_gaussian(height, STAND_HEIGHT, INFINITY, STAND_HEIGHT / 2);
    double upright = (1 + physics_body_mat(physics, TORSO)[8]) / 2;
    double stand = (3 * standing + upright) / 4;
    double speed = physics->task->value;
    if (speed == 0) return stand;
    double move = tolerance_at_least(physics_sensor(physics, SPEED)[0], speed, speed / 2, 0.5);
    return stand * (5 * move + 1) / 6;
}

const struct domain domain_walker = {
    .name = "walker",
    .model_file = "walker.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .reset = physics_randomize_joints,
    .observe = observe,
    .reward = reward,
};
