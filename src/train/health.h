// A run that goes wrong while its numbers stay finite: said once, with the figure, and again only
// after it had recovered. What is not finite stops the run elsewhere: rewards, observations and
// actions in the environment, losses and gradients at their update, weights before a checkpoint.
// A collapsing encoder is watched where it learns (ssl.h).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/metrics.h"

struct health {
    bool saturated, diverged; // as last said
    int64_t unstable;         // episodes that unstable physics has ended, as last said
};

struct health_facts {
    int64_t step;
    double gamma;
    double reward_peak; // the largest size of one step's reward that is known or was seen
    int64_t unstable;
};

// A row of the training log: "saturation" (share of actions at the edge of their range), "q_mean".
void health_look(struct health *health, const struct metrics *row,
                 const struct health_facts *facts);
