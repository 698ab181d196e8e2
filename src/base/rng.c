#include "base/rng.h"

#include <math.h>

#include "base/err.h"

static uint64_t splitmix(uint64_t *x) {
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct rng rng_seed(uint64_t seed) {
    struct rng rng;
    for (int i = 0; i < 4; i++) rng.state[i] = splitmix(&seed);
    return rng;
}

struct rng rng_fork(uint64_t seed, const char *label) {
    uint64_t hash = 0xcbf29ce484222325u; // FNV-1a of the label
    for (const char *c = label; *c; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    uint64_t mixed = splitmix(&seed) ^ hash;
    return rng_seed(splitmix(&mixed));
}

static uint64_t rotate_left(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

uint64_t rng_next(struct rng *rng) {
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint32_t rng_below(struct rng *rng, uint32_t bound) {
    RL_ASSERT(bound > 0);
    // Lemire 2019: multiply, reject the short tail.
    uint64_t product = (rng_next(rng) >> 32) * bound;
    uint32_t threshold = -bound % bound;
    while ((uint32_t)product < threshold) product = (rng_next(rng) >> 32) * bound;
    return (uint32_t)(product >> 32);
}

double rng_uniform(struct rng *rng) {
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

double rng_range(struct rng *rng, double low, double high) {
    return low + (high - low) * rng_uniform(rng);
}

double rng_normal(struct rng *rng) {
    double radius = sqrt(-2.0 * log(1.0 - rng_uniform(rng)));
    return radius * cos(6.283185307179586 * rng_uniform(rng));
}
