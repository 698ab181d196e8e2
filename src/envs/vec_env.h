// Several environments of one task stepped together on a thread pool. Environment i has its own
// random stream (seed and i), so results and their order do not depend on the number of threads.
#pragma once

#include "base/pool.h"
#include "envs/env.h"

struct vec_env;

// pool (may be NULL) must outlive. NULL + err.
struct vec_env *vec_env_create(const char *name, const struct env_options *options, int count,
                               uint64_t seed, struct pool *pool, struct rl_error *err);
void vec_env_destroy(struct vec_env *vec);
int vec_env_count(const struct vec_env *vec);
struct env *vec_env_at(struct vec_env *vec, int index); // borrowed: spec, saving, reading

// steps: (count), filled in order. A failure is that of the lowest index that failed.
RL_CHECKED enum rl_status vec_env_reset(struct vec_env *vec, struct time_step *steps,
                                        struct rl_error *err);

// actions: (count, action_dim). An environment whose episode ended is reset at once: its step has
// last set, reward and discount of the ending, and obs and frame of the new episode; what the
// episode ended with is in vec_env_final_obs and vec_env_final_frame until the next step.
RL_CHECKED enum rl_status vec_env_step(struct vec_env *vec, const double *actions,
                                       struct time_step *steps, struct rl_error *err);
const double *vec_env_final_obs(const struct vec_env *vec, int index); // (obs_dim)
const uint8_t *vec_env_final_frame(const struct vec_env *vec,
                                   int index); // (H, W, 3), NULL without pixels
