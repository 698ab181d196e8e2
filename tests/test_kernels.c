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
#include "math/conv.h"
#include "math/conv_ref.h"
#include "math/gemm.h"
#include "math/gemm_bf16.h"
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

// To 8 bits of mantissa, to nearest, ties to even.
static double to_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void check_gemm(int m, int n, int k, bool trans_a, bool trans_b, bool bf16) {
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
                float x = trans_a ? a[l * lda + i] : a[i * lda + l];
                float y = trans_b ? b[j * ldb + l] : b[l * ldb + j];
                sum += bf16 ? to_bf16(x) * to_bf16(2 * y) : 2.0 * x * y;
            }
            expected[i * ldc + j] = 0.5 * expected[i * ldc + j] + sum;
        }
    }
    struct rl_error err;
    struct pool *pool = pool_create(2, &err);
    assert_int_equal(gemm_set_precision(bf16 ? GEMM_BFLOAT16 : GEMM_FLOAT32, &err), RL_OK);
    gemm_net(NULL, trans_a, trans_b, m, n, k, 2, a, lda, b, ldb, 0.5f, c, ldc);
    gemm_net(pool, trans_a, trans_b, m, n, k, 2, a, lda, b, ldb, 0.5f, again, ldc);
    assert_int_equal(gemm_set_precision(GEMM_FLOAT32, &err), RL_OK);
    char name[64];
    snprintf(name, sizeof name, "gemm %d x %d x %d, %d %d %d", m, n, k, trans_a, trans_b, bf16);
    near(name, c, expected, (size_t)m * ldc, 2e-6);
    assert_memory_equal(c, again, sizeof(float) * m * ldc);
    pool_destroy(pool);
    mem_free(a), mem_free(b), mem_free(c), mem_free(again), mem_free(expected);
}

static const int gemm_shapes[][3] = {
    {1, 1, 1},      {1, 256, 17},   {7, 5, 3},      {256, 256, 23}, {13, 1000, 9},
    {257, 65, 129}, {256, 50, 999}, {2, 3, 4000},   {60, 50, 4500}, // cut by depth
    {100, 40, 512}, {400, 90, 300}, {600, 500, 40}, // rows of A copied, far apart, large results
};

static void gemm_agrees(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof gemm_shapes / sizeof *gemm_shapes; i++) {
        const int *shape = gemm_shapes[i];
        for (int t = 0; t < 4; t++) {
            check_gemm(shape[0], shape[1], shape[2], t & 1, t & 2, false);
        }
    }
}

// Products of bfloat16 are exact in float, so the sums agree as closely as those of floats.
static void gemm_bf16_agrees(void **state) {
    (void)state;
    struct rl_error err;
    if (!gemm_bf16_available()) {
        assert_int_equal(gemm_set_precision(GEMM_BFLOAT16, &err), RL_EUNAVAILABLE);
        skip();
    }
    for (size_t i = 0; i < sizeof gemm_shapes / sizeof *gemm_shapes; i++) {
        const int *shape = gemm_shapes[i];
        if (shape[0] == 1) continue; // a vector times a matrix stays float
        for (int t = 0; t < 4; t++) {
            check_gemm(shape[0], shape[1], shape[2], t & 1, t & 2, true);
        }
    }
    simd_limit(SIMD_LEVEL_AVX2);
    assert_int_equal(gemm_set_precision(GEMM_BFLOAT16, &err), RL_EUNAVAILABLE);
    simd_limit(SIMD_LEVEL_AVX512);
}

// Everything that one convolution computes, by the kernels in force or by the specification.
struct conv_run {
    float *y, *y_u8, *gx, *gw, *gb, *gw_u8;
    size_t n_out, n_in, n_weights, n_bias;
};

struct conv_data {
    struct conv_shape s;
    float *x, *w, *bias, *gy;
    uint8_t *pixels;
    struct conv_run spec;
};

static struct conv_run run_alloc(const struct conv_shape *s) {
    struct conv_run run = {
        .n_out = (size_t)s->batch * conv_out_h(s) * conv_out_w(s) * s->out_c,
        .n_in = (size_t)s->batch * s->in_h * s->in_w * s->in_c,
        .n_weights = (size_t)s->kernel * s->kernel * s->in_c * s->out_c,
        .n_bias = (size_t)s->out_c,
    };
    run.y = MEM_ARRAY(float, run.n_out), run.y_u8 = MEM_ARRAY(float, run.n_out);
    run.gx = MEM_ARRAY(float, run.n_in), run.gw = MEM_ARRAY(float, run.n_weights);
    run.gw_u8 = MEM_ARRAY(float, run.n_weights), run.gb = MEM_ARRAY(float, run.n_bias);
    for (size_t i = 0; i < run.n_weights; i++) run.gw[i] = run.gw_u8[i] = (float)(i % 5);
    return run;
}

static void run_free(struct conv_run *run) {
    mem_free(run->y), mem_free(run->y_u8), mem_free(run->gx);
    mem_free(run->gw), mem_free(run->gw_u8), mem_free(run->gb);
}

static struct conv_data conv_data(struct conv_shape s) {
    struct conv_data data = {.s = s, .spec = run_alloc(&s)};
    struct conv_run *spec = &data.spec;
    data.x = random_floats(spec->n_in), data.w = random_floats(spec->n_weights);
    data.bias = random_floats(spec->n_bias), data.gy = random_floats(spec->n_out);
    data.pixels = MEM_ARRAY(uint8_t, spec->n_in);
    for (size_t i = 0; i < spec->n_in; i++) data.pixels[i] = (uint8_t)rng_below(&rng, 256);
    struct conv_input input = {.x = data.x};
    struct conv_input u8 = {.u8 = data.pixels, .scale = 1 / 255.0f, .shift = -0.5f};
    for (int image = 0; image < s.batch; image++) {
        conv_ref_forward(&s, &input, data.w, data.bias, true, image, spec->y);
        conv_ref_forward(&s, &u8, data.w, NULL, false, image, spec->y_u8);
        conv_ref_backward_input(&s, spec->y, data.gy, data.w, image, spec->gx);
    }
    conv_ref_backward_weight(&s, &input, spec->y, data.gy, spec->gw, spec->gb);
    conv_ref_backward_weight(&s, &u8, NULL, data.gy, spec->gw_u8, NULL);
    return data;
}

static struct conv_run run_conv(const struct conv_data *d, struct pool *pool) {
    struct conv_run run = run_alloc(&d->s);
    void *workspace = mem_alloc(conv_workspace_bytes(&d->s) + 1);
    conv_forward(pool, &d->s, d->x, d->w, d->bias, true, run.y, workspace);
    conv_forward_u8(pool, &d->s, d->pixels, 1 / 255.0f, -0.5f, d->w, NULL, false, run.y_u8,
                    workspace);
    // The mask from the specification: a rounding error at 0 must not flip it.
    conv_backward(pool, &d->s, d->x, d->spec.y, d->gy, d->w, run.gx, run.gw, run.gb, workspace);
    conv_backward_u8(pool, &d->s, d->pixels, 1 / 255.0f, -0.5f, NULL, d->gy, run.gw_u8, NULL,
                     workspace);
    mem_free(workspace);
    return run;
}

static void near_floats(const char *what, const float *value, const float *expected, size_t count) {
    double *doubles = MEM_ARRAY(double, count);
    for (size_t i = 0; i < count; i++) doubles[i] = expected[i];
    near(what, value, doubles, count, 5e-6);
    mem_free(doubles);
}

static void check_conv(const struct conv_data *d, struct pool *pool) {
    struct conv_run one = run_conv(d, NULL), two = run_conv(d, pool);
    const struct conv_run *spec = &d->spec;
    char what[160];
    const struct conv_shape *s = &d->s;
#define NEAR(field, count)                                                                         \
    snprintf(what, sizeof what, #field " of conv %dx%dx%dx%d -> %d, k %d s %d p %d, %s", s->batch, \
             s->in_h, s->in_w, s->in_c, s->out_c, s->kernel, s->stride, s->pad,                    \
             simd_level_name(simd_level()));                                                       \
    near_floats(what, one.field, spec->field, count);                                              \
    assert_memory_equal(one.field, two.field, sizeof(float) * (count))
    NEAR(y, one.n_out);
    NEAR(y_u8, one.n_out);
    NEAR(gx, one.n_in);
    NEAR(gw, one.n_weights);
    NEAR(gw_u8, one.n_weights);
    NEAR(gb, one.n_bias);
#undef NEAR
    run_free(&one), run_free(&two);
}

static void conv_agrees(void **state) {
    (void)state;
    static const struct conv_shape shapes[] = {
        {2, 84, 84, 9, 32, 3, 2, 0},  {3, 39, 39, 32, 32, 3, 1, 0}, {1, 21, 17, 32, 32, 3, 1, 0},
        {5, 12, 13, 3, 16, 3, 1, 1},  {2, 20, 20, 16, 33, 3, 2, 1}, {2, 9, 9, 5, 7, 1, 1, 0},
        {1, 36, 36, 3, 64, 8, 4, 0},  {2, 14, 14, 32, 64, 4, 2, 1}, {3, 24, 24, 3, 50, 12, 12, 0},
        {1, 7, 7, 1, 1, 2, 3, 0},     {2, 8, 8, 48, 20, 5, 1, 2},   {1, 16, 16, 3, 24, 7, 2, 3},
        {17, 10, 11, 8, 40, 3, 1, 2}, {1, 3, 3, 2, 4, 3, 1, 0},     {2, 6, 5, 4, 8, 2, 1, 1},
        {2, 22, 23, 32, 32, 3, 1, 1}, {2, 15, 26, 16, 48, 3, 1, 0}, {1, 8, 9, 4, 8, 1, 1, 2},
    };
    struct rl_error err;
    struct pool *pool = pool_create(2, &err);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct conv_data data = conv_data(shapes[i]);
        for (int level = SIMD_LEVEL_PORTABLE; level <= (int)simd_level_cpu(); level++) {
            simd_limit((enum simd_level)level);
            check_conv(&data, pool);
        }
        run_free(&data.spec);
        mem_free(data.x), mem_free(data.w), mem_free(data.bias), mem_free(data.gy);
        mem_free(data.pixels);
    }
    simd_limit(SIMD_LEVEL_AVX512);
    pool_destroy(pool);
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
        cmocka_unit_test(gemm_bf16_agrees),
        cmocka_unit_test(conv_agrees),
        cmocka_unit_test(shift_replicates_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
