#include "math/norm.h"

#include <string.h>

#include "math/norm_table.h"
#include "math/simd.h"
#include "math/vec.h"

#define MAX_PARTS 16 // parts of the rows; each sums its own weight gradient

const struct norm_table *norm_table(void) {
#if defined(__x86_64__) && !defined(RL_DOUBLE)
    switch (simd_level()) {
    case SIMD_LEVEL_AVX512: return &norm_table_avx512;
    case SIMD_LEVEL_AVX2: return &norm_table_avx2;
    case SIMD_LEVEL_PORTABLE: break;
    }
#endif
    return &norm_table_portable;
}

static int part_count(int rows, int columns) {
    size_t count = (size_t)rows * (size_t)columns;
    size_t parts = count / 16384;
    if (parts > MAX_PARTS) parts = MAX_PARTS;
    if (parts > (size_t)rows) parts = (size_t)rows;
    return parts < 1 ? 1 : (int)parts;
}

void norm_layer_forward(struct pool *pool, int rows, int columns, const real *x, const real *w,
                        const real *b, double eps, real *y, real *mean, real *rstd) {
    struct norm_layer_call call = {.rows = rows,
                                   .columns = columns,
                                   .n_parts = part_count(rows, columns),
                                   .x = x,
                                   .w = w,
                                   .b = b,
                                   .eps = eps,
                                   .y = y,
                                   .mean = mean,
                                   .rstd = rstd};
    pool_run(pool, call.n_parts, norm_table()->layer_forward, &call);
}

size_t norm_layer_scratch(int rows, int columns) {
    return 2 * (size_t)part_count(rows, columns) * (size_t)columns;
}

void norm_layer_backward(struct pool *pool, int rows, int columns, const real *x, const real *w,
                         const real *mean, const real *rstd, const real *gy, bool accumulate,
                         real *gx, real *gw, real *gb, real *scratch) {
    int n_parts = part_count(rows, columns);
    size_t half = (size_t)n_parts * (size_t)columns;
    memset(scratch, 0, 2 * half * sizeof *scratch);
    struct norm_layer_call call = {.rows = rows,
                                   .columns = columns,
                                   .n_parts = n_parts,
                                   .x = x,
                                   .w = w,
                                   .gy = gy,
                                   .mean = (real *)mean,
                                   .rstd = (real *)rstd,
                                   .accumulate = accumulate,
                                   .gx = gx,
                                   .gw = gw ? scratch : NULL,
                                   .gb = gb ? scratch + half : NULL};
    pool_run(pool, n_parts, norm_table()->layer_backward, &call);
    if (gw) vec_sum_rows(NULL, n_parts, columns, scratch, NULL, gw);
    if (gb) vec_sum_rows(NULL, n_parts, columns, scratch + half, NULL, gb);
}

// --- batch norm ---

static void run_strips(struct pool *pool, pool_task_fn strip, struct norm_batch_call *call) {
    pool_run(pool, (call->columns + NORM_STRIP - 1) / NORM_STRIP, strip, call);
}

void norm_batch_statistics(struct pool *pool, int rows, int columns, const real *x, real *mean,
                           real *variance) {
    struct norm_batch_call call = {
        .rows = rows, .columns = columns, .x = x, .out = mean, .out_variance = variance};
    run_strips(pool, norm_table()->batch_statistics, &call);
}

void norm_batch_apply(struct pool *pool, int rows, int columns, const real *x, const real *mean,
                      const real *rstd, const real *w, const real *b, real *y) {
    struct norm_batch_call call = {.rows = rows,
                                   .columns = columns,
                                   .x = x,
                                   .w = w,
                                   .b = b,
                                   .mean = mean,
                                   .rstd = rstd,
                                   .out = y};
    run_strips(pool, norm_table()->batch_apply, &call);
}

void norm_batch_backward(struct pool *pool, int rows, int columns, const real *x, const real *mean,
                         const real *rstd, const real *w, bool train, const real *gy,
                         bool accumulate, real *gx, real *gw, real *gb) {
    struct norm_batch_call call = {.rows = rows,
                                   .columns = columns,
                                   .x = x,
                                   .w = w,
                                   .gy = gy,
                                   .mean = mean,
                                   .rstd = rstd,
                                   .train = train,
                                   .accumulate = accumulate,
                                   .gx = gx,
                                   .gw = gw,
                                   .gb = gb};
    run_strips(pool, norm_table()->batch_backward, &call);
}
