// The inner kernels on which convolution stands: small products held in registers, in float. Each
// instruction set has a table of them; math/tile_body.h is their source.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/simd.h"

// C (rows, cols) = init + sum over outer o and depth k of A[o][row][k] B[o][k][col]
//   A[o][row][k] at a[o * a_outer + row * a_row + k * a_step]
//   B packed: consecutive rows of `width` floats, o * depth + k of them, columns past cols are zero
//   C[row][col] at c[row * c_row + col]
struct tile_product {
    int rows, cols, n_outer, depth;
    const float *a, *b;
    ptrdiff_t a_outer, a_row, a_step;
    float *c;
    ptrdiff_t c_row;
    const float *init; // width floats, or NULL for 0
    bool accumulate;   // start from C instead
    bool relu;         // C = max(C, 0) in the end
};

// C[row][col] += sum over o, k of A[o][k][row] B[o][k][col]; cols counts whole vectors.
//   A at a[o * a_outer + k * a_step + row], B at b[o * b_outer + k * b_step + col]
struct tile_outer {
    int rows, cols, n_outer, depth;
    const float *a, *b;
    ptrdiff_t a_outer, a_step, b_outer, b_step;
    float *c;
    ptrdiff_t c_row;
};

struct tile_kernels {
    int lanes; // floats of a vector
    int width; // columns of a packed block: 2 vectors
    void (*product)(const struct tile_product *tile);
    // Packs columns [0, cols) of B (depth, .) times alpha for product: B[k][col] at b[k * row +
    // col], or, if transposed, at b[col * row + k].
    void (*pack)(const float *b, ptrdiff_t row, bool transposed, int depth, int cols, float alpha,
                 float *packed);
    void (*outer)(const struct tile_outer *tile);
    void (*from_u8)(const uint8_t *in, size_t count, float scale, float shift, float *out);
    // out = x where y > 0, else 0
    void (*where_positive)(const float *x, const float *y, size_t count, float *out);
};

extern const struct tile_kernels tile_kernels_portable, tile_kernels_avx2, tile_kernels_avx512;

const struct tile_kernels *tile_kernels(void); // those of simd_level()
