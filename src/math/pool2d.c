#include "math/pool2d.h"

#include <string.h>

#include "base/err.h"
#include "math/vec_table.h"

int pool2d_out_h(const struct pool2d_shape *shape) {
    return (shape->in_h + 2 * shape->pad - shape->kernel) / shape->stride + 1;
}

int pool2d_out_w(const struct pool2d_shape *shape) {
    return (shape->in_w + 2 * shape->pad - shape->kernel) / shape->stride + 1;
}

struct pool2d_call {
    struct pool2d_shape shape;
    const real *x, *gy;
    real *y, *gx;
    uint8_t *winner;
    const struct vec_table *table;
    bool accumulate;
    int spots;
};

static int at_most(int value, int limit) {
    return value < limit ? value : limit;
}

static struct vec_window window_at(const struct pool2d_shape *shape, const real *image, int row,
                                   int column) {
    int top = row * shape->stride - shape->pad, left = column * shape->stride - shape->pad;
    int skip_rows = top < 0 ? -top : 0, skip_columns = left < 0 ? -left : 0;
    size_t row_stride = (size_t)shape->in_w * (size_t)shape->channels;
    return (struct vec_window){
        .corner = image + (size_t)(top + skip_rows) * row_stride +
                  (size_t)(left + skip_columns) * (size_t)shape->channels,
        .rows = at_most(top + shape->kernel, shape->in_h) - (top + skip_rows),
        .columns = at_most(left + shape->kernel, shape->in_w) - (left + skip_columns),
        .row_stride = row_stride,
        .first = skip_rows * shape->kernel + skip_columns,
        .kernel = shape->kernel,
    };
}

static void max_forward_image(void *context, int task) {
    const struct pool2d_call *call = context;
    const struct pool2d_shape *shape = &call->shape;
    int out_h = pool2d_out_h(shape), out_w = pool2d_out_w(shape);
    size_t in_count = (size_t)shape->in_h * (size_t)shape->in_w * (size_t)shape->channels;
    size_t out = (size_t)task * (size_t)out_h * (size_t)out_w * (size_t)shape->channels;
    for (int i = 0; i < out_h; i++) {
        for (int j = 0; j < out_w; j++, out += (size_t)shape->channels) {
            struct vec_window window = window_at(shape, call->x + (size_t)task * in_count, i, j);
            call->table->max_window(&window, shape->channels, call->y + out,
                                    call->winner ? call->winner + out : NULL);
        }
    }
}

void pool2d_max_forward(struct pool *pool, const struct pool2d_shape *shape, const real *x, real *y,
                        uint8_t *winner) {
    RL_ASSERT(shape->kernel <= 15 && shape->pad < shape->kernel);
    struct pool2d_call call = {
        .shape = *shape, .x = x, .y = y, .winner = winner, .table = vec_table()};
    pool_run(pool, shape->batch, max_forward_image, &call);
}

static void max_backward_image(void *context, int task) {
    const struct pool2d_call *call = context;
    const struct pool2d_shape *shape = &call->shape;
    int out_h = pool2d_out_h(shape), out_w = pool2d_out_w(shape);
    size_t in_count = (size_t)shape->in_h * (size_t)shape->in_w * (size_t)shape->channels;
    size_t out = (size_t)task * (size_t)out_h * (size_t)out_w * (size_t)shape->channels;
    real *gx = call->gx + (size_t)task * in_count;
    if (!call->accumulate) memset(gx, 0, in_count * sizeof *gx);
    for (int i = 0; i < out_h; i++) {
        for (int j = 0; j < out_w; j++) {
            for (int c = 0; c < shape->channels; c++, out++) {
                int k = call->winner[out];
                int row = i * shape->stride - shape->pad + k / shape->kernel;
                int column = j * shape->stride - shape->pad + k % shape->kernel;
                gx[((size_t)row * (size_t)shape->in_w + (size_t)column) * (size_t)shape->channels +
                   (size_t)c] += call->gy[out];
            }
        }
    }
}

void pool2d_max_backward(struct pool *pool, const struct pool2d_shape *shape, const uint8_t *winner,
                         const real *gy, bool accumulate, real *gx) {
    struct pool2d_call call = {
        .shape = *shape, .gy = gy, .gx = gx, .winner = (uint8_t *)winner, .accumulate = accumulate};
    pool_run(pool, shape->batch, max_backward_image, &call);
}

static void mean_forward_image(void *context, int task) {
    const struct pool2d_call *call = context;
    int channels = call->shape.channels;
    const real *x = call->x + (size_t)task * (size_t)call->spots * (size_t)channels;
    real *y = call->y + (size_t)task * (size_t)channels;
    memset(y, 0, (size_t)channels * sizeof *y);
    for (int i = 0; i < call->spots; i++) {
        for (int c = 0; c < channels; c++) y[c] += x[(size_t)i * (size_t)channels + (size_t)c];
    }
    for (int c = 0; c < channels; c++) y[c] /= (real)call->spots;
}

void pool2d_mean_forward(struct pool *pool, int batch, int spots, int channels, const real *x,
                         real *y) {
    struct pool2d_call call = {.shape.channels = channels, .x = x, .y = y, .spots = spots};
    pool_run(pool, batch, mean_forward_image, &call);
}

static void mean_backward_image(void *context, int task) {
    const struct pool2d_call *call = context;
    int channels = call->shape.channels;
    real *gx = call->gx + (size_t)task * (size_t)call->spots * (size_t)channels;
    const real *gy = call->gy + (size_t)task * (size_t)channels;
    for (int i = 0; i < call->spots; i++, gx += channels) {
        for (int c = 0; c < channels; c++) {
            real value = gy[c] / (real)call->spots;
            gx[c] = call->accumulate ? gx[c] + value : value;
        }
    }
}

void pool2d_mean_backward(struct pool *pool, int batch, int spots, int channels, const real *gy,
                          bool accumulate, real *gx) {
    struct pool2d_call call = {
        .shape.channels = channels, .gy = gy, .gx = gx, .spots = spots, .accumulate = accumulate};
    pool_run(pool, batch, mean_backward_image, &call);
}
