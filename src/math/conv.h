// Two-dimensional convolution (cross-correlation, as in every framework), square kernel.
// Layouts: activations (B, H, W, C), weights (kernel, kernel, in_c, out_c), bias (out_c).
// The work is cut into parts that depend on the shape only, so results are the same for every pool.
// conv_ref.c is the specification; faster variants stand beside it and are chosen at run time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/real.h"

struct conv_shape {
    int batch, in_h, in_w, in_c, out_c;
    int kernel, stride, pad; // zero padding on every side
};

int conv_out_h(const struct conv_shape *shape); // (in_h + 2 pad - kernel) / stride + 1
int conv_out_w(const struct conv_shape *shape);
double conv_flops(const struct conv_shape *shape); // of one forward pass: 2 * multiplies

// Scratch that each of the calls below needs for this shape, 64-byte aligned, in bytes (may be 0).
size_t conv_workspace_bytes(const struct conv_shape *shape);

// Plain sums instead of Winograd's form where that would be taken (float only): slower, errors a
// few times smaller. For tests; call while no kernel runs.
void conv_set_plain(bool plain);

// y = [relu](conv(x, w) + bias); bias may be NULL.
void conv_forward(struct pool *pool, const struct conv_shape *shape, const real *x, const real *w,
                  const real *bias, bool relu, real *y, void *workspace);

// The same on u8 input read as x * scale + shift (padding is 0 after scaling).
void conv_forward_u8(struct pool *pool, const struct conv_shape *shape, const uint8_t *x,
                     real scale, real shift, const real *w, const real *bias, bool relu, real *y,
                     void *workspace);

// Gradients of one layer in one pass, each image while it is in cache. gx (may be NULL) is
// overwritten; gw (may be NULL) and gb (may be NULL) are added to. y, if not NULL, is the output of
// a forward pass with relu: gy counts only where y > 0.
void conv_backward(struct pool *pool, const struct conv_shape *shape, const real *x, const real *y,
                   const real *gy, const real *w, real *gx, real *gw, real *gb, void *workspace);
void conv_backward_u8(struct pool *pool, const struct conv_shape *shape, const uint8_t *x,
                      real scale, real shift, const real *y, const real *gy, real *gw, real *gb,
                      void *workspace);

// Parts of it.
void conv_backward_input(struct pool *pool, const struct conv_shape *shape, const real *gy,
                         const real *w, real *gx, void *workspace);
void conv_backward_weight(struct pool *pool, const struct conv_shape *shape, const real *x,
                          const real *gy, real *gw, real *gb, void *workspace);
void conv_backward_weight_u8(struct pool *pool, const struct conv_shape *shape, const uint8_t *x,
                             real scale, real shift, const real *gy, real *gw, real *gb,
                             void *workspace);
