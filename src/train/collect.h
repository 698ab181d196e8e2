// Rollouts of a random policy, for pre-training and probing encoders without an agent.
#pragma once

#include "envs/env.h"
#include "replay/replay.h"

// An environment with pixels and a replay of `steps` entries of it under uniformly random actions;
// the entries' state observation is qpos then qvel. Destroy both; NULL in both after a failure.
struct rollouts {
    struct env *env;
    struct replay *replay;
    int n_qpos, n_qvel;
};
RL_CHECKED enum rl_status rollouts_collect(struct rollouts *rollouts, const char *env,
                                           const struct env_options *options, int steps,
                                           int frame_stack, uint64_t seed, struct rl_error *err);
void rollouts_release(struct rollouts *rollouts);
