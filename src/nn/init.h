// Initial values of one weight (nn/params.h lists the kinds).
#pragma once

#include "nn/params.h"

// value: item->count numbers. Weights of four dimensions are (k, k, in, out), of two (out, in).
void init_fill(const struct param_item *item, real *value, struct rng *rng);
