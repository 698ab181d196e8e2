// Pooling of images (batch, height, width, channels).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/real.h"

struct pool2d_shape {
    int batch, in_h, in_w, channels;
    int kernel, stride, pad; // padding never wins (as torch: minus infinity)
};

int pool2d_out_h(const struct pool2d_shape *shape);
int pool2d_out_w(const struct pool2d_shape *shape);

// winner (one for each output, may be NULL): which pixel of the window, row * kernel + column.
void pool2d_max_forward(struct pool *pool, const struct pool2d_shape *shape, const real *x, real *y,
                        uint8_t *winner);
void pool2d_max_backward(struct pool *pool, const struct pool2d_shape *shape, const uint8_t *winner,
                         const real *gy, bool accumulate, real *gx);

// (batch, spots, channels) -> (batch, channels).
void pool2d_mean_forward(struct pool *pool, int batch, int spots, int channels, const real *x,
                         real *y);
void pool2d_mean_backward(struct pool *pool, int batch, int spots, int channels, const real *gy,
                          bool accumulate, real *gx);
