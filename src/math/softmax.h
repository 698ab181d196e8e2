// Softmax, its logarithm and the logarithm of the sum, over each row of x (rows, columns).
// Backward: gx is written or added (accumulate).
#pragma once

#include <stdbool.h>

#include "base/pool.h"
#include "base/real.h"

void softmax_forward(struct pool *pool, int rows, int columns, const real *x, real *y);
void softmax_backward(struct pool *pool, int rows, int columns, const real *y, const real *gy,
                      bool accumulate, real *gx);
void softmax_log_forward(struct pool *pool, int rows, int columns, const real *x, real *y);
void softmax_log_backward(struct pool *pool, int rows, int columns, const real *y, const real *gy,
                          bool accumulate, real *gx);
// y (rows) = log sum exp; gx = gy exp(x - y).
void softmax_logsumexp_forward(struct pool *pool, int rows, int columns, const real *x, real *y);
void softmax_logsumexp_backward(struct pool *pool, int rows, int columns, const real *x,
                                const real *y, const real *gy, bool accumulate, real *gx);
