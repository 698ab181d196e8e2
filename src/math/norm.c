#include "math/norm.h"

#include <string.h>
#include <tgmath.h>

#include "math/vec.h"

#define MAX_PARTS 16 // parts of the rows; each sums its own weight gradient

static int part_count(int rows, int columns) {
    size_t count = (size_t)rows * (size_t)columns;
    size_t parts = count / 16384;
    if (parts > MAX_PARTS) parts = MAX_PARTS;
    if (parts > (size_t)rows) parts = (size_t)rows;
    return parts < 1 ? 1 : (int)parts;
}

static void mean_rstd(int count, const real *x, double eps, real *mean, real *rstd) {
    double average = vec_sum(NULL, (size_t)count, x) / count;
    real center = (real)average, lane[16] = {0};
    double square = 0;
    int i = 0;
    for (; i + 16 <= count; i += 16) {
        for (int j = 0; j < 16; j++) {
            real off = x[i + j] - center;
            lane[j] += off * off;
        }
    }
    for (; i < count; i++) square += (double)((x[i] - center) * (x[i] - center));
    for (int j = 0; j < 16; j++) square += (double)lane[j];
    *mean = center;
    *rstd = (real)(1 / sqrt(square / count + eps));
}

struct layer_call {
    int rows, columns, n_parts;
    const real *x, *w, *b, *gy;
    double eps;
    real *y, *mean, *rstd; // mean and rstd are read by backward
    bool accumulate;
    real *gx, *gw, *gb;
};

static void layer_forward_part(void *context, int task) {
    const struct layer_call *call = context;
    struct pool_range range = pool_split(call->rows, call->n_parts, task, 1);
    int columns = call->columns;
    for (int i = range.begin; i < range.end; i++) {
        const real *x = call->x + (size_t)i * (size_t)columns;
        real *y = call->y + (size_t)i * (size_t)columns, mean, rstd;
        mean_rstd(columns, x, call->eps, &mean, &rstd);
        for (int j = 0; j < columns; j++) y[j] = (x[j] - mean) * rstd;
        if (call->w) {
            for (int j = 0; j < columns; j++) y[j] *= call->w[j];
        }
        if (call->b) {
            for (int j = 0; j < columns; j++) y[j] += call->b[j];
        }
        if (call->mean) call->mean[i] = mean;
        if (call->rstd) call->rstd[i] = rstd;
    }
}

void norm_layer_forward(struct pool *pool, int rows, int columns, const real *x, const real *w,
                        const real *b, double eps, real *y, real *mean, real *rstd) {
    struct layer_call call = {.rows = rows,
                              .columns = columns,
                              .n_parts = part_count(rows, columns),
                              .x = x,
                              .w = w,
                              .b = b,
                              .eps = eps,
                              .y = y,
                              .mean = mean,
                              .rstd = rstd};
    pool_run(pool, call.n_parts, layer_forward_part, &call);
}

// gx = rstd (g - mean(g) - xhat mean(g xhat)) with g = gy w and xhat the normalised input.
static void layer_input_gradient(const struct layer_call *call, int i) {
    int columns = call->columns;
    size_t at = (size_t)i * (size_t)columns;
    const real *x = call->x + at, *gy = call->gy + at, *w = call->w;
    real *gx = call->gx + at, mean = call->mean[i], rstd = call->rstd[i];
    real sum[16] = {0}, dot[16] = {0};
    double total = 0, product = 0;
    for (int j = 0; j < columns; j += 16) {
        int width = columns - j < 16 ? columns - j : 16;
        for (int k = 0; k < width; k++) {
            real g = w ? gy[j + k] * w[j + k] : gy[j + k];
            sum[k] += g;
            dot[k] += g * (x[j + k] - mean);
        }
    }
    for (int k = 0; k < 16; k++) total += (double)sum[k], product += (double)dot[k];
    real mean_g = (real)(total / columns);
    real slope = (real)(product / columns) * rstd * rstd;
    for (int j = 0; j < columns; j++) {
        real g = w ? gy[j] * w[j] : gy[j];
        real value = rstd * (g - mean_g - (x[j] - mean) * slope);
        gx[j] = call->accumulate ? gx[j] + value : value;
    }
}

static void layer_backward_part(void *context, int task) {
    const struct layer_call *call = context;
    struct pool_range range = pool_split(call->rows, call->n_parts, task, 1);
    int columns = call->columns;
    real *gw = call->gw ? call->gw + (size_t)task * (size_t)columns : NULL;
    real *gb = call->gb ? call->gb + (size_t)task * (size_t)columns : NULL;
    for (int i = range.begin; i < range.end; i++) {
        const real *x = call->x + (size_t)i * (size_t)columns;
        const real *gy = call->gy + (size_t)i * (size_t)columns;
        real mean = call->mean[i], rstd = call->rstd[i];
        if (gw) {
            for (int j = 0; j < columns; j++) gw[j] += gy[j] * ((x[j] - mean) * rstd);
        }
        if (gb) {
            for (int j = 0; j < columns; j++) gb[j] += gy[j];
        }
        if (call->gx) layer_input_gradient(call, i);
    }
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
    struct layer_call call = {.rows = rows,
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
    pool_run(pool, n_parts, layer_backward_part, &call);
    if (gw) vec_sum_rows(NULL, n_parts, columns, scratch, NULL, gw);
    if (gb) vec_sum_rows(NULL, n_parts, columns, scratch + half, NULL, gb);
}

// --- batch norm
// -----------------------------------------------------------------------------------

#define STRIP 64 // columns of a task

struct batch_call {
    int rows, columns;
    const real *x, *w, *b, *gy;
    const real *mean, *rstd;
    real *out, *out_variance;
    bool train, accumulate;
    real *gx, *gw, *gb;
};

static int strip_width(const struct batch_call *call, int task) {
    int left = call->columns - task * STRIP;
    return left < STRIP ? left : STRIP;
}

static void run_strips(struct pool *pool, pool_task_fn part, struct batch_call *call) {
    pool_run(pool, (call->columns + STRIP - 1) / STRIP, part, call);
}

// Two passes; blocks of rows are summed in real and their totals in double.
static void statistics_part(void *context, int task) {
    const struct batch_call *call = context;
    int width = strip_width(call, task), stride = call->columns;
    const real *x = call->x + task * STRIP;
    for (int pass = 0; pass < 2; pass++) {
        double total[STRIP] = {0};
        real center[STRIP] = {0};
        if (pass) memcpy(center, call->out + task * STRIP, (size_t)width * sizeof *center);
        for (int block = 0; block < call->rows; block += 128) {
            int stop = block + 128 < call->rows ? block + 128 : call->rows;
            real sum[STRIP] = {0};
            for (int i = block; i < stop; i++) {
                const real *row = x + (size_t)i * (size_t)stride;
                if (pass) {
                    for (int j = 0; j < width; j++) {
                        sum[j] += (row[j] - center[j]) * (row[j] - center[j]);
                    }
                } else {
                    for (int j = 0; j < width; j++) sum[j] += row[j];
                }
            }
            for (int j = 0; j < width; j++) total[j] += (double)sum[j];
        }
        real *out = (pass ? call->out_variance : call->out) + task * STRIP;
        for (int j = 0; j < width; j++) out[j] = (real)(total[j] / call->rows);
    }
}

void norm_batch_statistics(struct pool *pool, int rows, int columns, const real *x, real *mean,
                           real *variance) {
    struct batch_call call = {
        .rows = rows, .columns = columns, .x = x, .out = mean, .out_variance = variance};
    run_strips(pool, statistics_part, &call);
}

static void apply_part(void *context, int task) {
    const struct batch_call *call = context;
    int width = strip_width(call, task), begin = task * STRIP;
    real scale[STRIP], shift[STRIP];
    for (int j = 0; j < width; j++) {
        scale[j] = call->w ? call->rstd[begin + j] * call->w[begin + j] : call->rstd[begin + j];
        shift[j] = call->b ? call->b[begin + j] : 0;
    }
    for (int i = 0; i < call->rows; i++) {
        const real *x = call->x + (size_t)i * (size_t)call->columns + begin;
        real *y = call->out + (size_t)i * (size_t)call->columns + begin;
        for (int j = 0; j < width; j++) y[j] = (x[j] - call->mean[begin + j]) * scale[j] + shift[j];
    }
}

void norm_batch_apply(struct pool *pool, int rows, int columns, const real *x, const real *mean,
                      const real *rstd, const real *w, const real *b, real *y) {
    struct batch_call call = {.rows = rows,
                              .columns = columns,
                              .x = x,
                              .w = w,
                              .b = b,
                              .mean = mean,
                              .rstd = rstd,
                              .out = y};
    run_strips(pool, apply_part, &call);
}

// Column sums of gy and of gy (x - mean).
static void batch_sums(const struct batch_call *call, int begin, int width, double *sum,
                       double *dot) {
    for (int block = 0; block < call->rows; block += 128) {
        int stop = block + 128 < call->rows ? block + 128 : call->rows;
        real part[STRIP] = {0}, part_dot[STRIP] = {0};
        for (int i = block; i < stop; i++) {
            const real *x = call->x + (size_t)i * (size_t)call->columns + begin;
            const real *gy = call->gy + (size_t)i * (size_t)call->columns + begin;
            for (int j = 0; j < width; j++) {
                part[j] += gy[j];
                part_dot[j] += gy[j] * (x[j] - call->mean[begin + j]);
            }
        }
        for (int j = 0; j < width; j++) sum[j] += (double)part[j], dot[j] += (double)part_dot[j];
    }
}

// As layer norm's, with rows and columns exchanged; without the two means when the statistics are
// fixed.
static void batch_backward_part(void *context, int task) {
    const struct batch_call *call = context;
    int width = strip_width(call, task), begin = task * STRIP;
    double sum[STRIP] = {0}, dot[STRIP] = {0};
    batch_sums(call, begin, width, sum, dot);
    real scale[STRIP], mean_g[STRIP], slope[STRIP];
    for (int j = 0; j < width; j++) {
        real rstd = call->rstd[begin + j];
        if (call->gw) call->gw[begin + j] += (real)dot[j] * rstd;
        if (call->gb) call->gb[begin + j] += (real)sum[j];
        scale[j] = call->w ? rstd * call->w[begin + j] : rstd;
        mean_g[j] = call->train ? (real)(sum[j] / call->rows) : 0;
        slope[j] = call->train ? (real)(dot[j] / call->rows) * rstd * rstd : 0;
    }
    for (int i = 0; call->gx && i < call->rows; i++) {
        size_t at = (size_t)i * (size_t)call->columns + (size_t)begin;
        const real *x = call->x + at, *gy = call->gy + at;
        real *gx = call->gx + at;
        for (int j = 0; j < width; j++) {
            real value = scale[j] * (gy[j] - mean_g[j] - (x[j] - call->mean[begin + j]) * slope[j]);
            gx[j] = call->accumulate ? gx[j] + value : value;
        }
    }
}

void norm_batch_backward(struct pool *pool, int rows, int columns, const real *x, const real *mean,
                         const real *rstd, const real *w, bool train, const real *gy,
                         bool accumulate, real *gx, real *gw, real *gb) {
    struct batch_call call = {.rows = rows,
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
    run_strips(pool, batch_backward_part, &call);
}
