// Group norm and the L2 normalisation of rows.
#include <tgmath.h>

#include "base/err.h"
#include "math/norm_table.h"
#include "math/vec.h"

void norm_group_forward(struct pool *pool, const struct norm_group_shape *shape, const real *x,
                        const real *w, const real *b, double eps, real *y, real *mean, real *rstd) {
    RL_ASSERT(shape->groups > 0 && shape->channels % shape->groups == 0);
    struct norm_group_call call = {
        .shape = *shape, .x = x, .w = w, .b = b, .eps = eps, .y = y, .mean = mean, .rstd = rstd};
    pool_run(pool, shape->batch * shape->groups, norm_table()->group_forward, &call);
}

// Sample after sample, so that the order of the sums is fixed.
static void weight_gradient(const struct norm_group_call *call, real *gw, real *gb) {
    const struct norm_group_shape *shape = &call->shape;
    int width = shape->channels / shape->groups;
    for (int row = 0; row < shape->batch * shape->spots; row++) {
        const real *mean = call->mean + row / shape->spots * shape->groups;
        const real *rstd = call->rstd + row / shape->spots * shape->groups;
        size_t at = (size_t)row * (size_t)shape->channels;
        for (int c = 0; c < shape->channels; c++) {
            real gy = call->gy[at + (size_t)c];
            real off = call->x[at + (size_t)c] - mean[c / width];
            if (gw) gw[c] += gy * (off * rstd[c / width]);
            if (gb) gb[c] += gy;
        }
    }
}

void norm_group_backward(struct pool *pool, const struct norm_group_shape *shape, const real *x,
                         const real *w, const real *mean, const real *rstd, const real *gy,
                         bool accumulate, real *gx, real *gw, real *gb) {
    struct norm_group_call call = {.shape = *shape,
                                   .x = x,
                                   .w = w,
                                   .gy = gy,
                                   .mean = (real *)mean,
                                   .rstd = (real *)rstd,
                                   .accumulate = accumulate,
                                   .gx = gx};
    if (gw || gb) weight_gradient(&call, gw, gb);
    if (gx) pool_run(pool, shape->batch * shape->groups, norm_table()->group_backward, &call);
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
