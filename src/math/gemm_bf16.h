// Matrix product with bfloat16 operands: A and B are rounded to 8 bits of mantissa (to nearest,
// ties to even), their products are exact and summed in float; inputs and result stay float in
// memory. An AVX-512 instruction (VDPBF16PS) makes twice the multiply-adds of a float one. Numbers
// below the normal range count as zero.
#pragma once

#include <stdbool.h>

#include "base/pool.h"

// Whether this CPU has the instruction, and the SIMD level in force allows it.
bool gemm_bf16_available(void);

// Same contract as gemm; only where gemm_bf16_available.
void gemm_bf16(struct pool *pool, bool trans_a, bool trans_b, int m, int n, int k, float alpha,
               const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
