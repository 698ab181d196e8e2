// Hopper: a planar one-legged robot that stands, or hops forward (after Lillicrap et al. 2015).
#include <math.h>

#include "envs/domain.h"
#include "envs/rewards.h"

#define STAND_HEIGHT 0.6 // of the torso's centre of mass over the foot's, metres
#define MAX_HEIGHT   2.0
#define HOP_SPEED    2.0 // m/s

enum { STAND, HOP }; // task.mode

enum { SPEED, TOUCH_TOE, TOUCH_HEEL, TORSO, FOOT };
static const struct domain_name names[] = {
    [SPEED] = {mjOBJ_SENSOR, "torso_subtreelinvel"},
    [TOUCH_TOE] = {mjOBJ_SENSOR, "touch_toe"},
    [TOUCH_HEEL] = {mjOBJ_SENSOR, "touch_heel"},
    [TORSO] = {mjOBJ_BODY, "torso"},
    [FOOT] = {mjOBJ_BODY, "foot"},
    {0},
};

static const struct task tasks[] = {
    {"stand", .time_limit_s = 20, .control_timestep_s = 0.02, .action_repeat = 2, .mode = STAND},
    {"hop", .time_limit_s = 20, .control_timestep_s = 0.02, .action_repeat = 2, .mode = HOP},
    {0},
};

static void observe(const struct physics *physics, struct obs *obs) {
    obs_add(obs, physics->data->qpos + 1,
            physics->model->nq - 1); // not where it is along the track
    obs_add(obs, physics->data->qvel, physics->model->nv);
    obs_add_one(obs, log1p(*physics_sensor(physics, TOUCH_TOE)));
    obs_add_one(obs, log1p(*physics_sensor(physics, TOUCH_HEEL)));
}

static double reward(struct physics *physics) {
    const double *xipos = physics->data->xipos;
    double height = xipos[3 * physics->id[TORSO] + 2] - xipos[3 * physics->id[FOOT] + 2];
    double standing = tolerance_indicator(height, STAND_HEIGHT, MAX_HEIGHT);
    if (physics->task->mode == HOP) {
        double speed = physics_sensor(physics, SPEED)[0];
        return standing * tolerance_at_least(speed, HOP_SPEED, HOP_SPEED / 2, 0.5);
    }
    return standing * (small_control(physics->data->ctrl, physics->model->nu) + 4) / 5;
}

const struct domain domain_hopper = {
    .name = "hopper",
    .model_file = "hopper.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .reset = physics_randomize_joints,
    .observe = observe,
    .reward = reward,
};
