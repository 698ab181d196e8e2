// Matrix product by the register tiles of math/tile.h, same contract as gemm: for shapes of agents
// (batches of a few hundred rows) it keeps A where it is and packs a few columns of B at a time.
#pragma once

#include <stdbool.h>

#include "base/pool.h"
#include "base/real.h"
#include "math/simd.h"

void gemm_tiles(struct pool *pool, bool trans_a, bool trans_b, int m, int n, int k, real alpha,
                const real *a, int lda, const real *b, int ldb, real beta, real *c, int ldc);
