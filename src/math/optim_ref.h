// The specification of optim.h: one weight after the other, in double.
#pragma once

#include "math/optim.h"

void optim_ref_adam(const struct adam_hyper *hyper, int64_t step, const struct optim_block *block);
void optim_ref_sgd(double lr, double momentum, double l2, const struct optim_block *block);
void optim_ref_lars(double lr, double momentum, double l2, double trust,
                    const struct optim_block *block);
void optim_ref_ema(double decay, size_t count, const real *w, real *target);
