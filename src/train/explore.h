// Novelty bonuses for tasks whose reward is rare: the reward that the replay stores is
//   r + weight(step) * bonus(what the environment shows now),
// evaluation and the log's returns never see the bonus.
//   density  pseudo-counts (Bellemare et al. 2016): a density model of binarised observations
//            learns each one as it comes; with PG = log p after - log p before,
//            N = 1 / (exp(0.1 n^-1/2 max(PG, 0)) - 1) (Ostrovski et al. 2017, eq. 3), bonus
//            (N + 0.01)^-1/2
//   rnd      random network distillation (Burda et al. 2018): the error of a network that learns to
//            say what a fixed random one says of the observation
// Either is divided by its root mean square so far, so that weight is the size of a usual bonus.
//
// Observations: the task's own in runs on states, each number as a thermometer of 4 bits about its
// running mean; else the newest frame, gray and shrunk, 1 where it is brighter than that pixel's
// running mean. (rnd takes the same numbers standardised instead of binarised.)
#pragma once

#include "base/metrics.h"
#include "base/opt.h"
#include "nn/state.h"

enum explore_bonus { EXPLORE_NONE, EXPLORE_DENSITY, EXPLORE_RND };

struct explore_options {
    int bonus; // enum explore_bonus
    double weight;
    int64_t decay; // agent steps until the weight has fallen to 0; 0 = it stays
    char model[OPT_STRING_BYTES];
    int64_t hidden, size;
    double lr;
};
extern const struct opt_table explore_opts;

struct explore; // NULL stands for no bonus

// obs_dim numbers of state, or (obs_dim 0) frames (H, W, C). *out NULL without a bonus.
RL_CHECKED enum rl_status explore_create(struct explore **out,
                                         const struct explore_options *options, int obs_dim,
                                         const int *frame_dim, uint64_t seed, struct rl_error *err);
void explore_destroy(struct explore *explore);

// What to add to the reward that came with this observation at this agent step; learns from it.
// Metrics: explore_bonus (as added), explore_nll or explore_error (before dividing).
RL_CHECKED enum rl_status explore_step(struct explore *explore, const double *obs,
                                       const uint8_t *frame, int64_t step, double *bonus,
                                       struct metrics *metrics, struct rl_error *err);
void explore_visit(struct explore *explore, const char *prefix, struct state_visitor *visitor);
