// What norm.c and norm_group.c choose between: one table of loops for each instruction set, and the
// calls that they work on. Each loop is a task of the pool (base/pool.h).
#pragma once

#include "math/norm.h"

#define NORM_STRIP 64 // columns of a task of batch norm

struct norm_layer_call {
    int rows, columns, n_parts;
    const real *x, *w, *b, *gy;
    double eps;
    real *y, *mean, *rstd; // mean and rstd are read by backward
    bool accumulate;
    real *gx, *gw, *gb; // gw, gb: (n_parts, columns)
};

struct norm_batch_call {
    int rows, columns;
    const real *x, *w, *b, *gy;
    const real *mean, *rstd;
    real *out, *out_variance;
    bool train, accumulate;
    real *gx, *gw, *gb;
};

struct norm_group_call {
    struct norm_group_shape shape;
    const real *x, *w, *b, *gy;
    double eps;
    real *y, *mean, *rstd;
    bool accumulate;
    real *gx;
};

struct norm_table {
    pool_task_fn layer_forward, layer_backward;                 // task: part of the rows
    pool_task_fn batch_statistics, batch_apply, batch_backward; // task: strip of columns
    pool_task_fn group_forward, group_backward;                 // task: sample and group
};

const struct norm_table *norm_table(void); // the one in force (math/simd.h)

extern const struct norm_table norm_table_portable, norm_table_avx2, norm_table_avx512;
