// Random streams: xoshiro256++ (Blackman and Vigna 2019), seeded by splitmix64. Every loop owns its
// own stream, forked from the run's seed by a label, so that no loop's draws depend on another's
// timing.
#pragma once

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

struct rng rng_seed(uint64_t seed);
struct rng rng_fork(uint64_t seed, const char *label); // independent stream for (seed, label)

uint64_t rng_next(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t bound); // uniform in [0, bound), bound > 0, unbiased
double rng_uniform(struct rng *rng);                 // [0, 1), 53 bits
double rng_range(struct rng *rng, double low, double high);
double rng_normal(struct rng *rng); // standard normal; one log and cosine a draw
