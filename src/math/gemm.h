// Matrix product, row-major: our own register tiles (gemm_tiles.h) where the CPU has AVX2, OpenBLAS
// elsewhere, in double precision and for a matrix with a vector. OpenBLAS itself runs one thread a
// caller; the partition over the pool is ours and depends on the shape only.
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/real.h"

// C (m, n) = alpha * op(A) (m, k) * op(B) (k, n) + beta * C; op transposes when trans is set;
// ld* is the row length in memory of each matrix as stored.
void gemm(struct pool *pool, bool trans_a, bool trans_b, int m, int n, int k, real alpha,
          const real *a, int lda, const real *b, int ldb, real beta, real *c, int ldc);

// In which precision gemm_net multiplies, in the whole process: 32-bit floats, or bfloat16 with
// sums in float (math/gemm_bf16.h), which a CPU without it refuses (RL_EUNAVAILABLE). Set while none
// runs.
enum gemm_precision { GEMM_FLOAT32, GEMM_BFLOAT16 };
enum rl_status gemm_set_precision(enum gemm_precision precision, struct rl_error *err);

// The products of networks and of their gradients: gemm in the precision in force.
void gemm_net(struct pool *pool, bool trans_a, bool trans_b, int m, int n, int k, real alpha,
              const real *a, int lda, const real *b, int ldb, real beta, real *c, int ldc);

// For other callers of OpenBLAS, before their first call: it shall start no threads of its own.
void gemm_library_prepare(void);

// Name of the kernels that OpenBLAS chose for this CPU (for the run's machine facts).
const char *gemm_library(void);
