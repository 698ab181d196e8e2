// Optimizer steps, each one pass over one block of weights, the same bits for every instruction set
// and thread count. Formulas as PyTorch's (golden: nets/optim); optim_ref.h has them as plain
// loops.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/real.h"

// What a step works on. The gradient is read times scale (of clipping) and left zero.
struct optim_block {
    size_t count;
    real *w, *g;
    real *m, *v; // the optimizer's memory, zero at first; SGD and LARS use v only
    real scale;
};

struct adam_hyper {
    double lr, beta1, beta2, eps;
    double l2;    // added to the gradient (torch.optim.Adam's weight_decay)
    double decay; // decoupled (AdamW)
};

// step counts from 1.
void optim_adam(struct pool *pool, const struct adam_hyper *hyper, int64_t step,
                const struct optim_block *block);

// v = momentum * v + (g + l2 w); w -= lr v (torch.optim.SGD, first step v = g).
void optim_sgd(struct pool *pool, double lr, double momentum, double l2,
               const struct optim_block *block);

// LARS (You 2017) as MoCo v3 applies it to one weight matrix: SGD on
//   ratio * (g + l2 w), ratio = trust |w| / |g + l2 w| (1 where one of the two is 0).
void optim_lars(struct pool *pool, double lr, double momentum, double l2, double trust,
                const struct optim_block *block);

// target += (1 - decay) * (w - target), written as decay * target + (1 - decay) * w.
void optim_ema(struct pool *pool, double decay, size_t count, const real *w, real *target);
