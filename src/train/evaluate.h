// Evaluation: episodes of a separate environment with the mean action.
#pragma once

#include "train/policy.h"

struct evaluation {
    double return_mean, return_std, return_min, return_max;
    int64_t episodes, steps, frames;
};

// Runs whole episodes in env. on_episode (may be NULL) hears of each. stop (may be NULL) ends early
// with RL_EINTERRUPT once *stop is not 0.
RL_CHECKED enum rl_status evaluate(struct policy *policy, struct env *env, int64_t episodes,
                                   void (*on_episode)(void *context, int64_t episode, double value),
                                   void *context, const volatile int *stop,
                                   struct evaluation *result, struct rl_error *err);
