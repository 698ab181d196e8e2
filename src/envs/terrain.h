// The bowl-shaped bumpy ground of quadruped-escape.
#pragma once

#include "base/rng.h"

// Fills height (size, size) with values in about [0, 1]: a bowl times smooth random bumps, which
// are n_bumps x n_bumps uniform numbers in [smoothness, 1] enlarged by cubic splines.
#define TERRAIN_MAX_BUMPS 64
void terrain_make(struct rng *rng, int size, int n_bumps, double smoothness, float *height);
