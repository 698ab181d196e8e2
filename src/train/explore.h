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
// running mean; or the policy's latent of the newest frames, in bits as states are. (rnd takes the
// same numbers standardised instead of binarised.) Encoder versions follow one another aligned
// (snapshot.h), so a publish leaves what was learned of the old latents in place.
#pragma once

#include "base/metrics.h"
#include "base/opt.h"
#include "nn/state.h"

enum explore_bonus { EXPLORE_NONE, EXPLORE_DENSITY, EXPLORE_RND };
enum explore_input { EXPLORE_OBSERVATION, EXPLORE_LATENTS };

struct explore_options {
    int bonus, input; // enum explore_bonus, explore_input
    double weight;
    int64_t decay; // agent steps until the weight has fallen to 0; 0 = it stays
    char model[OPT_STRING_BYTES];
    int64_t hidden, size;
    double lr;
};
extern const struct opt_table explore_opts;

struct explore; // NULL stands for no bonus

// What a run shows. Of what the bonus does not look at, dimensions may be 0 and pointers NULL.
struct explore_dims {
    int obs;      // numbers of state; 0 in a run on pixels
    int latent;   // 0 in a run without latents
    int frame[3]; // (H, W, C)
};
struct explore_seen {
    const double *obs;
    const uint8_t *frame;
    const float *latent; // NULL before the first encoder is published
};

// *out NULL without a bonus.
RL_CHECKED enum rl_status explore_create(struct explore **out,
                                         const struct explore_options *options,
                                         const struct explore_dims *dims, uint64_t seed,
                                         struct rl_error *err);
void explore_destroy(struct explore *explore);

// What to add to the reward that came with this observation at this agent step; learns from it.
// Metrics: explore_bonus (as added), explore_nll or explore_error (before dividing). 0 and no
// metrics while there is nothing to see.
RL_CHECKED enum rl_status explore_step(struct explore *explore, const struct explore_seen *seen,
                                       int64_t step, double *bonus, struct metrics *metrics,
                                       struct rl_error *err);
void explore_visit(struct explore *explore, const char *prefix, struct state_visitor *visitor);
