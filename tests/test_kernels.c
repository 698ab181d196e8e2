// Kernels against their *_ref over odd shapes, every SIMD variant, 1 and 2 threads with the same
// bits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "math/gemm.h"
#include "math/image.h"
#include "math/simd.h"

static struct rng rng;

static float *random_floats(size_t count) {
    float *out = MEM_ARRAY(float, count);
    for (size_t i = 0; i < count; i++) out[i] = (float)rng_range(&rng, -1, 1);
    return out;
}

static void near(const char *what, const float *value, const double *expected, size_t count,
                 double relative) {
    double largest = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(expected[i]));
        worst = fmax(worst, fabs(value[i] - expected[i]));
        if (!isfinite(value[i])) fail_msg("%s: element %zu is not finite", what, i);
    }
    if (worst > relative * largest) fail_msg("%s: off by %g of %g", what, worst, largest);
}

static void check_gemm(int m, int n, int k, bool trans_a, bool trans_b) {
    int lda = (trans_a ? m : k) + 3, ldb = (trans_b ? k : n) + 1, ldc = n + 2;
    float *a = random_floats((size_t)(trans_a ? k : m) * lda);
    float *b = random_floats((size_t)(trans_b ? n : k) * ldb);
    float *c = random_floats((size_t)m * ldc), *again = MEM_ARRAY(float, m *ldc);
    double *expected = MEM_ARRAY(double, m *ldc);
    memcpy(again, c, sizeof(float) * m * ldc);
    for (int i = 0; i < m * ldc; i++) expected[i] = c[i];
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int l = 0; l < k; l++) {
                sum += (double)(trans_a ? a[l * lda + i] : a[i * lda + l]) *
                       (trans_b ? b[j * ldb + l] : b[l * ldb + j]);
            }
            expected[i * ldc + j] = 0.5 * expected[i * ldc + j] + 2 * sum;
        }
    }
    struct rl_error err;
    struct pool *pool = pool_create(2, &err);
    gemm(NULL, trans_a, trans_b, m, n, k, 2, a, lda, b, ldb, 0.5f, c, ldc);
    gemm(pool, trans_a, trans_b, m, n, k, 2, a, lda, b, ldb, 0.5f, again, ldc);
    char name[64];
    snprintf(name, sizeof name, "gemm %d x %d x %d, %d %d", m, n, k, trans_a, trans_b);
    near(name, c, expected, (size_t)m * ldc, 2e-6);
    assert_memory_equal(c, again, sizeof(float) * m * ldc);
    pool_destroy(pool);
    mem_free(a), mem_free(b), mem_free(c), mem_free(again), mem_free(expected);
}

static void gemm_agrees(void **state) {
    (void)state;
    static const int shapes[][3] = {{1, 1, 1},     {1, 256, 17},   {7, 5, 3},      {256, 256, 23},
                                    {13, 1000, 9}, {257, 65, 129}, {256, 50, 999}, {2, 3, 4000}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int trans = 0; trans < 4; trans++) {
            check_gemm(shapes[i][0], shapes[i][1], shapes[i][2], trans & 1, trans & 2);
        }
    }
}

static void shift_replicates_edges(void **state) {
    (void)state;
    enum { H = 6, W = 5, C = 3 };
    uint8_t in[H * W * C], out[H * W * C];
    for (int i = 0; i < H * W * C; i++) in[i] = (uint8_t)(i * 7 + i / 11);
    for (int dy = -7; dy <= 7; dy++) {
        for (int dx = -7; dx <= 7; dx++) {
            image_shift(in, H, W, C, dy, dx, out);
            for (int i = 0; i < H * W * C; i++) {
                int y = i / (W * C) + dy, x = i / C % W + dx;
                y = y < 0 ? 0 : y >= H ? H - 1 : y;
                x = x < 0 ? 0 : x >= W ? W - 1 : x;
                assert_int_equal(out[i], in[(y * W + x) * C + i % C]);
            }
        }
    }
}

int main(void) {
    rng = rng_seed(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_agrees),
        cmocka_unit_test(shift_replicates_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
