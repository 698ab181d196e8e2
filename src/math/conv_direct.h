// Direct convolution by the register tiles of math/tile.h, for every shape. A row of input pixels
// holds the kernel's kx and channels side by side, so that one output row is a sum over ky of small
// matrix products without any copy; copies (a band of rows at a time, into the workspace) are made
// only for padding, u8 input, and gradients that pass a ReLU.
#pragma once

#include "math/conv_ref.h"

size_t conv_direct_workspace_bytes(const struct conv_shape *shape);

void conv_direct_forward(struct pool *pool, const struct conv_shape *shape,
                         const struct conv_input *input, const real *w, const real *bias, bool relu,
                         real *y, void *workspace);

// As conv_backward, with either kind of input.
void conv_direct_backward(struct pool *pool, const struct conv_shape *shape,
                          const struct conv_input *input, const real *y, const real *gy,
                          const real *w, real *gx, real *gw, real *gb, void *workspace);
