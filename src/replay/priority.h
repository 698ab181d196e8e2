// Sampling in proportion to priorities (Schaul et al. 2016, arXiv 1511.05952) over a replay's
// entries: a sum tree, O(log capacity) to set and to draw. Sums are of float64 in a fixed order, so
// that the same sets and draws give the same bits.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"

struct priority; // opaque

// One leaf for each of the newest `capacity` entries (a replay's capacity and reserve), all zero;
// an entry takes the leaf of entry - capacity.
struct priority *priority_create(int64_t capacity, struct rl_error *err);
void priority_destroy(struct priority *priority);

void priority_set(struct priority *priority, int64_t entry, double value); // >= 0; 0: never drawn
double priority_get(const struct priority *priority, int64_t entry);
double priority_total(const struct priority *priority);
double priority_max(const struct priority *priority); // of all now in the tree

// Draws at u * total, u in [0, 1), among the entries [end - capacity, end). Call only while the
// total is > 0.
int64_t priority_draw(const struct priority *priority, int64_t end, double u);

// For checkpoints: the leaves as one array; after writing into it, rebuild the sums.
double *priority_leaves(struct priority *priority, int64_t *count);
void priority_rebuild(struct priority *priority);
