// The specification of convolution in plain loops, and the types that conv.c shares with its
// variants.
#pragma once

#include "math/conv.h"

struct conv_input { // one of the two
    const real *x;
    const uint8_t *u8; // read as u8 * scale + shift
    real scale, shift;
};

// One image of the batch. y, if not NULL, masks gy as in conv_backward.
void conv_ref_forward(const struct conv_shape *shape, const struct conv_input *input, const real *w,
                      const real *bias, bool relu, int image, real *y);
void conv_ref_backward_input(const struct conv_shape *shape, const real *y, const real *gy,
                             const real *w, int image, real *gx);

// The whole batch; gw or gb may be NULL.
void conv_ref_backward_weight(const struct conv_shape *shape, const struct conv_input *input,
                              const real *y, const real *gy, real *gw, real *gb);
