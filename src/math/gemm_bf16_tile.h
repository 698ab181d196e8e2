// Inner kernels of gemm_bf16, compiled for AVX-512 with BF16 alone: call only where
// gemm_bf16_available. A pair is two bfloat16 of neighbouring depths in one number, the first in
// the low half; an odd depth is filled up with zero.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BF16_ROWS  14 // of a tile: 28 sums + 2 of B + 1 broadcast of 32 registers
#define BF16_WIDTH 32 // columns of a panel: two vectors

// Packs scale * x of `count` lines (rows of A, columns of B) to packed[pair * line_count + line].
// across: x[k * stride + line], along: x[line * stride + k]. Lines up to the next multiple of a
// vector, within line_count, are set to zero.
void bf16_pack_across(const float *x, ptrdiff_t stride, int depth, int count, float scale,
                      int line_count, uint32_t *packed);
void bf16_pack_along(const float *x, ptrdiff_t stride, int depth, int count, float scale,
                     int line_count, uint32_t *packed);

// C (rows, cols) += A B with a packed as [pair][a_lines], b as [pair][BF16_WIDTH].
void bf16_add_product(const uint32_t *a, int a_lines, const uint32_t *b, int pairs, int rows,
                      int cols, float *c, ptrdiff_t c_row);
