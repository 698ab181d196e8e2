// Normalisation forward and backward. Statistics of each group: mean and rstd = 1 / sqrt(variance +
// eps), the biased variance (Ba 2016, Ioffe and Szegedy 2015, Wu and He 2018; torch's arithmetic).
// Backward: gx is written or added (accumulate), gw and gb always added; any of the three may be
// NULL.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"
#include "base/real.h"

// Over each row of x (rows, columns); w, b (columns) or NULL; mean, rstd (rows), may be NULL.
void norm_layer_forward(struct pool *pool, int rows, int columns, const real *x, const real *w,
                        const real *b, double eps, real *y, real *mean, real *rstd);
// scratch: norm_layer_scratch(rows, columns) numbers.
size_t norm_layer_scratch(int rows, int columns);
void norm_layer_backward(struct pool *pool, int rows, int columns, const real *x, const real *w,
                         const real *mean, const real *rstd, const real *gy, bool accumulate,
                         real *gx, real *gw, real *gb, real *scratch);

// x (batch, spots, channels); statistics over the spots and the channels / groups channels of a
// group; mean, rstd (batch, groups).
struct norm_group_shape {
    int batch, spots, channels, groups;
};
void norm_group_forward(struct pool *pool, const struct norm_group_shape *shape, const real *x,
                        const real *w, const real *b, double eps, real *y, real *mean, real *rstd);
void norm_group_backward(struct pool *pool, const struct norm_group_shape *shape, const real *x,
                         const real *w, const real *mean, const real *rstd, const real *gy,
                         bool accumulate, real *gx, real *gw, real *gb);

// Over the rows of x (rows, columns): mean and biased variance (columns).
void norm_batch_statistics(struct pool *pool, int rows, int columns, const real *x, real *mean,
                           real *variance);
// y = (x - mean) * rstd * w + b, all per column.
void norm_batch_apply(struct pool *pool, int rows, int columns, const real *x, const real *mean,
                      const real *rstd, const real *w, const real *b, real *y);
// train: mean and rstd are the batch's own and the gradient flows through them.
void norm_batch_backward(struct pool *pool, int rows, int columns, const real *x, const real *mean,
                         const real *rstd, const real *w, bool train, const real *gy,
                         bool accumulate, real *gx, real *gw, real *gb);

// y = x / max(|x|, eps) for each row (torch.nn.functional.normalize); length (rows) keeps max(|x|,
// eps).
void norm_l2_forward(struct pool *pool, int rows, int columns, const real *x, double eps, real *y,
                     real *length);
void norm_l2_backward(struct pool *pool, int rows, int columns, const real *y, const real *length,
                      double eps, const real *gy, bool accumulate, real *gx);
