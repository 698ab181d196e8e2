#include "math/gemm.h"

#include <cblas.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "math/gemm_bf16.h"
#include "math/gemm_tiles.h"

#ifdef RL_DOUBLE
#define CBLAS_GEMM cblas_dgemm
#define CBLAS_GEMV cblas_dgemv
#else
#define CBLAS_GEMM cblas_sgemm
#define CBLAS_GEMV cblas_sgemv
#endif

#define MULTIPLIES_PER_PART (1 << 23) // each part packs the shared matrix again: few, large parts
#define MAX_PARTS           8
#define GRAIN               16 // rows or columns of a part: whole vectors

static void one_thread_a_caller(void) {
    openblas_set_num_threads(1);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

struct product {
    bool trans_a, trans_b, by_rows;
    int m, n, k, lda, ldb, ldc, n_parts;
    real alpha, beta;
    const real *a, *b;
    real *c;
};

static void run_part(void *context, int part) {
    const struct product *p = context;
    struct pool_range range = pool_split(p->by_rows ? p->m : p->n, p->n_parts, part, GRAIN);
    int count = range.end - range.begin;
    if (count == 0) return;
    size_t begin = (size_t)range.begin;
    const real *a = p->a, *b = p->b;
    real *c = p->c;
    if (p->by_rows) {
        a += p->trans_a ? begin : begin * p->lda;
        c += begin * p->ldc;
    } else {
        b += p->trans_b ? begin * p->ldb : begin;
        c += begin;
    }
    CBLAS_GEMM(CblasRowMajor, p->trans_a ? CblasTrans : CblasNoTrans,
               p->trans_b ? CblasTrans : CblasNoTrans, p->by_rows ? count : p->m,
               p->by_rows ? p->n : count, p->k, p->alpha, a, p->lda, b, p->ldb, p->beta, c, p->ldc);
}

void gemm_library_prepare(void) {
    pthread_once(&once, one_thread_a_caller);
}

void gemm(struct pool *pool, bool trans_a, bool trans_b, int m, int n, int k, real alpha,
          const real *a, int lda, const real *b, int ldb, real beta, real *c, int ldc) {
    gemm_library_prepare();
    // A matrix and a vector: packing would cost more than the product.
    if (n == 1) {
        CBLAS_GEMV(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans, trans_a ? k : m,
                   trans_a ? m : k, alpha, a, lda, b, trans_b ? 1 : ldb, beta, c, ldc);
        return;
    }
    if (m == 1) {
        CBLAS_GEMV(CblasRowMajor, trans_b ? CblasNoTrans : CblasTrans, trans_b ? n : k,
                   trans_b ? k : n, alpha, b, ldb, a, trans_a ? lda : 1, beta, c, 1);
        return;
    }
#ifndef RL_DOUBLE
    if (simd_level() > SIMD_LEVEL_PORTABLE) { // measured: ahead of OpenBLAS on all of these shapes
        gemm_tiles(pool, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    }
#endif
    double parts = (double)m * n * k / MULTIPLIES_PER_PART;
    struct product product = {trans_a, trans_b, m >= n, m,    n, k, lda, ldb,
                              ldc,     1,       alpha,  beta, a, b, c};
    if (parts > 1) product.n_parts = parts < MAX_PARTS ? (int)parts : MAX_PARTS;
    pool_run(pool, product.n_parts, run_part, &product);
}

#if defined(__x86_64__) && !defined(RL_DOUBLE)
#define BF16_AVAILABLE gemm_bf16_available()
#else
#define BF16_AVAILABLE false
#define gemm_bf16      gemm
#endif

static atomic_int precision_in_force = GEMM_FLOAT32; // set and read by any thread

enum rl_status gemm_set_precision(enum gemm_precision precision, struct rl_error *err) {
    if (precision == GEMM_BFLOAT16 && !BF16_AVAILABLE) {
        return rl_fail(err, RL_EUNAVAILABLE,
                       "precision = bf16: this CPU has no AVX512_BF16 (or RLRUN_SIMD is below "
                       "avx512); use float");
    }
    atomic_store_explicit(&precision_in_force, precision, memory_order_relaxed);
    return RL_OK;
}

void gemm_net(struct pool *pool, bool trans_a, bool trans_b, int m, int n, int k, real alpha,
              const real *a, int lda, const real *b, int ldb, real beta, real *c, int ldc) {
    int precision = atomic_load_explicit(&precision_in_force, memory_order_relaxed);
    bool vector = m == 1 || n == 1;
    (precision == GEMM_BFLOAT16 && !vector ? gemm_bf16 : gemm)(pool, trans_a, trans_b, m, n, k,
                                                               alpha, a, lda, b, ldb, beta, c, ldc);
}

const char *gemm_library(void) {
    return openblas_get_corename();
}
