// A policy that acts: what evaluation, `rlrun eval`, `record` and `view` share. It keeps the stack
// of frames and turns what the environment shows into the agent's input.
#pragma once

#include "envs/env.h"
#include "train/parts.h"

struct policy {
    struct parts *parts; // borrowed, or own
    bool owned;
    struct tape *tape; // of one row; NULL when nothing of the policy's own needs one
    uint8_t *stack;    // (H, W, C * frame_stack), the newest frame last in the channels
    real *row;         // features
};

RL_CHECKED enum rl_status policy_init(struct policy *policy, struct parts *parts,
                                      struct rl_error *err);
void policy_release(struct policy *policy);

// Loads run_dir's configuration and its newest checkpoint (not the replay), and makes the
// environment that it was trained in, with this seed. The caller destroys the environment and
// releases the policy.
RL_CHECKED enum rl_status policy_load(struct policy *policy, const char *run_dir, uint64_t env_seed,
                                      struct env **env, struct rl_error *err);
// The same with the weights of a file RUN/final.safetensors, whose folder has the configuration.
RL_CHECKED enum rl_status policy_load_final(struct policy *policy, const char *path,
                                            uint64_t env_seed, struct env **env,
                                            struct rl_error *err);
// Reads the run's newest checkpoint again (viewer's hot reload).
RL_CHECKED enum rl_status policy_reload(struct policy *policy, const char *run_dir,
                                        struct rl_error *err);

// Tells the policy what the environment shows now (a first step fills the stack).
void policy_observe(struct policy *policy, const struct time_step *step);
// The mean action for what was last observed, (action_dim) in [-1, 1].
void policy_act(struct policy *policy, double *action);
// What the agent expects of an action (action_dim) after what was last observed: the discounted sum
// of its rewards from then on, by its critics' smallest Q.
double policy_value(struct policy *policy, const double *action);
