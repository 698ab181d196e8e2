// Optimizer steps, each one pass over one block of weights. Formulas as PyTorch's (golden:
// nets/optim).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/real.h"

struct adam_hyper {
    double lr, beta1, beta2, eps;
    double l2;    // added to the gradient (torch.optim.Adam's weight_decay)
    double decay; // decoupled (AdamW)
};

// step counts from 1. m, v start at 0.
void optim_adam(struct pool *pool, const struct adam_hyper *hyper, int64_t step, size_t count,
                real *w, const real *g, real *m, real *v);

// v = momentum * v + (g + l2 w); w -= lr v (torch.optim.SGD, first step v = g).
void optim_sgd(struct pool *pool, double lr, double momentum, double l2, size_t count, real *w,
               const real *g, real *v);

// target += (1 - decay) * (w - target), written as decay * target + (1 - decay) * w.
void optim_ema(struct pool *pool, double decay, size_t count, const real *w, real *target);

double optim_square_sum(size_t count,
                        const real *g); // in double; for clipping and for the NaN check
void optim_scale(struct pool *pool, double factor, size_t count, real *g);
