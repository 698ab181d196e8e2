// An environment plug-in: raise a bar and hold it there. Build and run (with MuJoCo's headers at
// hand):
//
//     cc -shared -fPIC -I../../include -I$MUJOCO_DIR/include -o lift.so lift.c
//     rlrun sac --env ./lift.so --encoder state --steps 5000
#include <math.h>

#include <mujoco/mujoco.h>
#include <rlrun.h>

static void reset(const struct rlrun_sim *sim) {
    sim->data->qpos[0] = sim->uniform(sim->rng, -0.5, 0.5);
}

static void observe(const struct rlrun_sim *sim, double *obs) {
    obs[0] = cos(sim->data->qpos[0]);
    obs[1] = sin(sim->data->qpos[0]);
    obs[2] = sim->data->qvel[0];
}

// Height of the bar's end, from 0 (down) to 1 (up). A positive angle turns it down.
static double reward(const struct rlrun_sim *sim) {
    return (1 - sin(sim->data->qpos[0])) / 2;
}

static int terminated(const struct rlrun_sim *sim) {
    return fabs(sim->data->qvel[0]) > 50;
}

static const struct rlrun_env env = {
    .abi = RLRUN_ENV_ABI,
    .name = "lift",
    .model = "lift.xml",
    .time_limit_s = 5,
    .control_timestep_s = 0.02,
    .action_repeat = 2,
    .reward_max = 1,
    .obs_dim = 3,
    .reset = reset,
    .observe = observe,
    .reward = reward,
    .terminated = terminated,
};

const struct rlrun_env *rlrun_env_plugin(void) {
    return &env;
}
