// Group norm and the L2 normalisation of rows.
#include <tgmath.h>

#include "base/err.h"
#include "math/norm.h"
#include "math/vec.h"

struct group_call {
    struct norm_group_shape shape;
    const real *x, *w, *b, *gy;
    double eps;
    real *y, *mean, *rstd;
    bool accumulate;
    real *gx;
};

// Sums over the elements of one group; sums[1] of squares off center when gy is NULL, else sum of g
// and of g (x - center), g = gy w.
static void group_sums(const struct group_call *call, size_t at, int channel, real center,
                       double sums[2]) {
    const struct norm_group_shape *shape = &call->shape;
    int width = shape->channels / shape->groups;
    sums[0] = sums[1] = 0;
    for (int s = 0; s < shape->spots; s++) {
        size_t spot = at + (size_t)s * (size_t)shape->channels;
        for (int c = 0; c < width; c++) {
            real off = call->x[spot + (size_t)c] - center;
            real g = off;
            if (call->gy) {
                g = call->gy[spot + (size_t)c];
                if (call->w) g *= call->w[channel + c];
            }
            sums[0] += (double)g;
            sums[1] += (double)(g * off);
        }
    }
}

static size_t group_begin(const struct norm_group_shape *shape, int task, int *channel) {
    int sample = task / shape->groups;
    *channel = task % shape->groups * (shape->channels / shape->groups);
    return (size_t)sample * (size_t)shape->spots * (size_t)shape->channels + (size_t)*channel;
}

static void group_forward_part(void *context, int task) {
    const struct group_call *call = context;
    const struct norm_group_shape *shape = &call->shape;
    int width = shape->channels / shape->groups, channel;
    size_t at = group_begin(shape, task, &channel);
    double count = (double)width * shape->spots, sums[2];
    group_sums(call, at, channel, 0, sums);
    real mean = (real)(sums[0] / count);
    group_sums(call, at, channel, mean, sums);
    real rstd = (real)(1 / sqrt(sums[1] / count + call->eps));
    for (int s = 0; s < shape->spots; s++) {
        for (int c = 0; c < width; c++) {
            size_t i = at + (size_t)s * (size_t)shape->channels + (size_t)c;
            real value = (call->x[i] - mean) * rstd;
            if (call->w) value *= call->w[channel + c];
            call->y[i] = call->b ? value + call->b[channel + c] : value;
        }
    }
    call->mean[task] = mean;
    call->rstd[task] = rstd;
}

void norm_group_forward(struct pool *pool, const struct norm_group_shape *shape, const real *x,
                        const real *w, const real *b, double eps, real *y, real *mean, real *rstd) {
    RL_ASSERT(shape->groups > 0 && shape->channels % shape->groups == 0);
    struct group_call call = {
        .shape = *shape, .x = x, .w = w, .b = b, .eps = eps, .y = y, .mean = mean, .rstd = rstd};
    pool_run(pool, shape->batch * shape->groups, group_forward_part, &call);
}

static void group_backward_part(void *context, int task) {
    const struct group_call *call = context;
    const struct norm_group_shape *shape = &call->shape;
    int width = shape->channels / shape->groups, channel;
    size_t at = group_begin(shape, task, &channel);
    double count = (double)width * shape->spots, sums[2];
    real mean = call->mean[task], rstd = call->rstd[task];
    group_sums(call, at, channel, mean, sums);
    real mean_g = (real)(sums[0] / count), slope = (real)(sums[1] / count) * rstd * rstd;
    for (int s = 0; s < shape->spots; s++) {
        for (int c = 0; c < width; c++) {
            size_t i = at + (size_t)s * (size_t)shape->channels + (size_t)c;
            real g = call->w ? call->gy[i] * call->w[channel + c] : call->gy[i];
            real value = rstd * (g - mean_g - (call->x[i] - mean) * slope);
            call->gx[i] = call->accumulate ? call->gx[i] + value : value;
        }
    }
}

static void group_weight_gradient(const struct group_call *call, real *gw, real *gb) {
    const struct norm_group_shape *shape = &call->shape;
    int width = shape->channels / shape->groups;
    for (int task = 0; task < shape->batch * shape->groups; task++) {
        int channel;
        size_t at = group_begin(shape, task, &channel);
        for (int s = 0; s < shape->spots; s++) {
            for (int c = 0; c < width; c++) {
                size_t i = at + (size_t)s * (size_t)shape->channels + (size_t)c;
                real normal = (call->x[i] - call->mean[task]) * call->rstd[task];
                if (gw) gw[channel + c] += call->gy[i] * normal;
                if (gb) gb[channel + c] += call->gy[i];
            }
        }
    }
}

void norm_group_backward(struct pool *pool, const struct norm_group_shape *shape, const real *x,
                         const real *w, const real *mean, const real *rstd, const real *gy,
                         bool accumulate, real *gx, real *gw, real *gb) {
    struct group_call call = {.shape = *shape,
                              .x = x,
                              .w = w,
                              .gy = gy,
                              .mean = (real *)mean,
                              .rstd = (real *)rstd,
                              .accumulate = accumulate,
                              .gx = gx};
    if (gw || gb) group_weight_gradient(&call, gw, gb);
    if (gx) pool_run(pool, shape->batch * shape->groups, group_backward_part, &call);
}

struct l2_call {
    int rows, columns;
    const real *x, *gy; // x: the input, or the output in backward
    double eps;
    real *out, *length;
    bool accumulate;
};

static void l2_forward_row(const struct l2_call *call, int i) {
    size_t at = (size_t)i * (size_t)call->columns;
    const real *x = call->x + at;
    double square = vec_dot(NULL, (size_t)call->columns, x, x);
    real length = (real)fmax(sqrt(square), call->eps);
    if (square != square) length = (real)square; // fmax would hide a NaN
    for (int j = 0; j < call->columns; j++) call->out[at + (size_t)j] = x[j] / length;
    call->length[i] = length;
}

// gx = (gy - y (gy . y)) / |x|; where the length was cut at eps it is a constant.
static void l2_backward_row(const struct l2_call *call, int i) {
    size_t at = (size_t)i * (size_t)call->columns;
    const real *y = call->x + at, *gy = call->gy + at;
    real length = call->length[i];
    real along = (real)vec_dot(NULL, (size_t)call->columns, y, gy);
    if (length <= (real)call->eps) along = 0;
    for (int j = 0; j < call->columns; j++) {
        real value = (gy[j] - y[j] * along) / length;
        real *gx = &call->out[at + (size_t)j];
        *gx = call->accumulate ? *gx + value : value;
    }
}

void norm_l2_forward(struct pool *pool, int rows, int columns, const real *x, double eps, real *y,
                     real *length) {
    (void)pool; // rows are few and short
    struct l2_call call = {
        .rows = rows, .columns = columns, .x = x, .eps = eps, .out = y, .length = length};
    for (int i = 0; i < rows; i++) l2_forward_row(&call, i);
}

void norm_l2_backward(struct pool *pool, int rows, int columns, const real *y, const real *length,
                      double eps, const real *gy, bool accumulate, real *gx) {
    (void)pool;
    struct l2_call call = {.rows = rows,
                           .columns = columns,
                           .x = y,
                           .gy = gy,
                           .eps = eps,
                           .out = gx,
                           .length = (real *)length,
                           .accumulate = accumulate};
    for (int i = 0; i < rows; i++) l2_backward_row(&call, i);
}
