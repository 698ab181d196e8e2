// Winograd convolution F(4x4, 3x3) (Lavin and Gray 2016) for kernel 3, stride 1 and channels in
// whole vectors: 36 multiplies for 16 outputs instead of 144. A picture is cut into tiles of 4x4
// outputs;
//   y = A' [ (G w G') . (B' x B) ] A        summed over in channels, . elementwise over the 36
//   positions
// and the gradients are the transposes: gx is the same with w flipped and transposed, and
//   gw = G' [ sum over tiles (B' x B) . (A gy A') ] G.
// Interpolation points 0, +-1/sqrt(2), +-sqrt(2), infinity: in float the forward error is about
// 1e-6 of the largest output, a quarter of that of the textbook points 0, +-1, +-2.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "math/conv_ref.h"

bool winograd_fits(const struct conv_shape *shape);
size_t winograd_workspace_bytes(const struct conv_shape *shape);

// As conv_forward and conv_backward, on float input.
void winograd_forward(struct pool *pool, const struct conv_shape *shape, const real *x,
                      const real *w, const real *bias, bool relu, real *y, void *workspace);
void winograd_backward(struct pool *pool, const struct conv_shape *shape, const real *x,
                       const real *y, const real *gy, const real *w, real *gx, real *gw, real *gb,
                       void *workspace);

// --- the transforms, one set for each instruction set ---

#define WINOGRAD_OUT       4 // outputs of a tile, a side
#define WINOGRAD_IN        6
#define WINOGRAD_POSITIONS 36
#define WINOGRAD_A         0.70710678118654752440f // the points +-A, +-B
#define WINOGRAD_B         1.41421356237309504880f

// One row of tiles. In the picture, the channels of column x lie at row[i] + x * channels. The
// transforms go down the columns of all tiles and along each of 6 rows; between the two the strip
// lies in scratch, and the 6 positions of one row, which the products work on, in space: [(tile * 6
// + position) * channels + c].
struct winograd_strip {
    int n_tiles, channels;
    int width; // columns of the picture
    int pad;   // columns of zeros before it (and as many as needed after it)
    bool masked;
    const float *row[WINOGRAD_IN]; // input rows; NULL: outside, zero
    const float
        *mask[WINOGRAD_IN];   // if masked: rows of the ReLU's output that the input passes back
    float *sum;               // gradient: channels, the input is added to it; or NULL
    float *scratch, *space;   // scratch: WINOGRAD_SCRATCH(n_tiles) * channels
    float *out[WINOGRAD_OUT]; // output rows of `width` columns; NULL: outside, dropped
    const float *bias;        // channels, or NULL
    bool relu;
};
#define WINOGRAD_SCRATCH(n_tiles) (WINOGRAD_IN * (WINOGRAD_OUT * (n_tiles) + 2))

struct winograd_kernels {
    void (*input_columns)(const struct winograd_strip *strip);     // row -> scratch, by B'
    void (*input_row)(const struct winograd_strip *strip, int i);  // scratch -> space, by B
    void (*output_row)(const struct winograd_strip *strip, int i); // space -> scratch, by A
    void (*output_columns)(const struct winograd_strip *strip); // scratch -> out, by A'; bias, ReLU
    void (*gradient_columns)(const struct winograd_strip *strip);    // row[0..3] -> scratch, by A
    void (*gradient_row)(const struct winograd_strip *strip, int i); // scratch -> space, by A'
};

extern const struct winograd_kernels winograd_kernels_portable, winograd_kernels_avx2,
    winograd_kernels_avx512;
