// The logits of NADE as one operation of the tape.
#pragma once

#include "nn/ops.h"

// b_i + V_i sigmoid(c + W[:, <i] x_<i) for every place i and row: (B, D), in O(D H) a row.
// x (B, D), w (H, D), c (H) or one a row (B, H), v (D, H), b (D). No gradient to x.
// Units run in blocks of NADE_UNITS over the tape's pool.
struct tensor *density_nade_logits(struct tape *tape, struct tensor *x, struct tensor *w,
                                   struct tensor *c, struct tensor *v, struct tensor *b);

// Of the tape, backward pass included.
size_t density_nade_logits_bytes(int rows, int d, int units);
