// Optimizer steps and norms against their specification over odd sizes, every SIMD variant and 1
// and 2 threads with the same bits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/norm.h"
#include "math/optim_ref.h"
#include "math/simd.h"

static struct rng rng;
static struct pool *pool;

static void fill(real *out, size_t count, double low, double high) {
    for (size_t i = 0; i < count; i++) out[i] = (real)rng_range(&rng, low, high);
}

static void near(const char *what, const real *value, const real *expected, size_t count,
                 double relative) {
    double largest = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)expected[i]));
        worst = fmax(worst, fabs((double)value[i] - (double)expected[i]));
        if (!isfinite(value[i])) fail_msg("%s: element %zu is not finite", what, i);
    }
    if (worst > relative * largest) fail_msg("%s: off by %g of %g", what, worst, largest);
}

// --- optimizers ---

enum step_kind { ADAM, ADAMW, SGD, LARS, EMA, N_STEPS };

// All arrays of a block behind one another, so that one comparison sees them all.
static struct optim_block block_at(real *data, size_t count) {
    return (struct optim_block){.count = count,
                                .w = data,
                                .g = data + count,
                                .m = data + 2 * count,
                                .v = data + 3 * count,
                                .scale = (real)0.7};
}

static void step(enum step_kind kind, struct pool *threads, const struct optim_block *block,
                 bool specification) {
    struct adam_hyper adam = {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8};
    adam.l2 = kind == ADAM ? 0.1 : 0;
    adam.decay = kind == ADAMW ? 0.2 : 0;
    switch (kind) {
    case ADAM:
    case ADAMW:
        if (specification) {
            optim_ref_adam(&adam, 7, block);
        } else {
            optim_adam(threads, &adam, 7, block);
        }
        break;
    case SGD:
        if (specification) {
            optim_ref_sgd(0.1, 0.9, 0.01, block);
        } else {
            optim_sgd(threads, 0.1, 0.9, 0.01, block);
        }
        break;
    case LARS:
        if (specification) {
            optim_ref_lars(0.1, 0.9, 0.01, 0.02, block);
        } else {
            optim_lars(threads, 0.1, 0.9, 0.01, 0.02, block);
        }
        break;
    case EMA:
        if (specification) {
            optim_ref_ema(0.99, block->count, block->w, block->v);
        } else {
            optim_ema(threads, 0.99, block->count, block->w, block->v);
        }
        break;
    case N_STEPS: break;
    }
}

static void check_step(enum step_kind kind, size_t count) {
    size_t all = 4 * count;
    real *start = MEM_ARRAY(real, all), *expected = MEM_ARRAY(real, all);
    real *value = MEM_ARRAY(real, all), *first = MEM_ARRAY(real, all);
    fill(start, 3 * count, -1, 1);
    fill(start + 3 * count, count, 0, 1); // v
    memcpy(expected, start, all * sizeof(real));
    struct optim_block block = block_at(expected, count);
    step(kind, NULL, &block, true);
    for (int level = 0; level <= (int)simd_level_cpu(); level++) {
        simd_limit((enum simd_level)level);
        for (int threads = 1; threads <= 2; threads++) {
            memcpy(value, start, all * sizeof(real));
            block = block_at(value, count);
            step(kind, threads == 2 ? pool : NULL, &block, false);
            if (level == 0 && threads == 1) memcpy(first, value, all * sizeof(real));
            assert_memory_equal(value, first, all * sizeof(real));
        }
    }
    simd_limit(SIMD_LEVEL_AVX512);
    near("optimizer step", value, expected, all, 1e-6);
    for (size_t i = 0; kind != EMA && i < count; i++) assert_true(block.g[i] == 0);
    mem_free(start), mem_free(expected), mem_free(value), mem_free(first);
}

static void optimizers_agree(void **state) {
    (void)state;
    const size_t counts[] = {1, 15, 17, 1000, 16384, 70001};
    for (int kind = 0; kind < N_STEPS; kind++) {
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) check_step(kind, counts[i]);
    }
}

static void lars_without_direction(void **state) {
    (void)state;
    real w[3] = {1, 2, 3}, g[3] = {0, 0, 0}, v[3] = {1, 0, 0};
    optim_lars(NULL, 0.5, 1, 0, 0.1, &(struct optim_block){3, w, g, NULL, v, 1});
    assert_true(w[0] == (real)0.5 && w[1] == 2 && w[2] == 3);
}

// --- norms ---

#define MOST 60000

struct norm_case {
    int rows, columns, groups; // group norm: rows are (batch, spots) with 2 samples
};

struct norm_out {
    real y[MOST], gx[MOST], gw[MOST], gb[MOST];
};

static real norm_x[MOST], norm_gy[MOST], norm_w[MOST], norm_b[MOST];

enum norm_kind { LAYER, BATCH, GROUP };

static void run_norm(enum norm_kind kind, const struct norm_case *c, struct pool *threads,
                     struct norm_out *out) {
    static real mean[MOST], rstd[MOST], scratch[MOST * 20];
    const double eps = 1e-5;
    memset(out, 0, sizeof *out);
    if (kind == LAYER) {
        RL_ASSERT(norm_layer_scratch(c->rows, c->columns) <= sizeof scratch / sizeof *scratch);
        norm_layer_forward(threads, c->rows, c->columns, norm_x, norm_w, norm_b, eps, out->y, mean,
                           rstd);
        norm_layer_backward(threads, c->rows, c->columns, norm_x, norm_w, mean, rstd, norm_gy,
                            false, out->gx, out->gw, out->gb, scratch);
    } else if (kind == BATCH) {
        norm_batch_statistics(threads, c->rows, c->columns, norm_x, mean, rstd);
        for (int j = 0; j < c->columns; j++) rstd[j] = (real)(1 / sqrt((double)rstd[j] + eps));
        norm_batch_apply(threads, c->rows, c->columns, norm_x, mean, rstd, norm_w, norm_b, out->y);
        norm_batch_backward(threads, c->rows, c->columns, norm_x, mean, rstd, norm_w, true, norm_gy,
                            false, out->gx, out->gw, out->gb);
    } else {
        struct norm_group_shape shape = {2, c->rows / 2, c->columns, c->groups};
        norm_group_forward(threads, &shape, norm_x, norm_w, norm_b, eps, out->y, mean, rstd);
        norm_group_backward(threads, &shape, norm_x, norm_w, mean, rstd, norm_gy, false, out->gx,
                            out->gw, out->gb);
    }
}

// Which group of statistics element (row, column) belongs to.
static int group_of(enum norm_kind kind, const struct norm_case *c, int row, int column) {
    if (kind == LAYER) return row;
    if (kind == BATCH) return column;
    return row / (c->rows / 2) * c->groups + column / (c->columns / c->groups);
}

// Plainly, in double: y = (x - mean) rstd w + b; gx = rstd (g - mean(g) - xhat mean(g xhat)), g =
// gy w.
static void specify_norm(enum norm_kind kind, const struct norm_case *c, struct norm_out *out) {
    static double count[MOST], mean[MOST], square[MOST], mean_g[MOST], mean_gx[MOST];
    static double gw[MOST], gb[MOST];
    memset(count, 0, sizeof count), memset(mean, 0, sizeof mean);
    memset(square, 0, sizeof square), memset(mean_g, 0, sizeof mean_g);
    memset(mean_gx, 0, sizeof mean_gx), memset(gw, 0, sizeof gw), memset(gb, 0, sizeof gb);
    int n = c->rows * c->columns;
#define EACH(body)                                                                                 \
    for (int i = 0; i < n; i++) {                                                                  \
        int j = i % c->columns, k = group_of(kind, c, i / c->columns, j);                          \
        (void)j;                                                                                   \
        body;                                                                                      \
    }
    EACH(count[k]++);
    EACH(mean[k] += (double)norm_x[i] / count[k]);
    EACH(square[k] += pow((double)norm_x[i] - mean[k], 2) / count[k]);
#define HAT (((double)norm_x[i] - mean[k]) / sqrt(square[k] + 1e-5))
    EACH(mean_g[k] += (double)norm_gy[i] * (double)norm_w[j] / count[k]);
    EACH(mean_gx[k] += (double)norm_gy[i] * (double)norm_w[j] * HAT / count[k]);
    EACH(out->y[i] = (real)(HAT * (double)norm_w[j] + (double)norm_b[j]));
    EACH(out->gx[i] =
             (real)(((double)norm_gy[i] * (double)norm_w[j] - mean_g[k] - HAT * mean_gx[k]) /
                    sqrt(square[k] + 1e-5)));
    EACH((gw[j] += (double)norm_gy[i] * HAT, gb[j] += (double)norm_gy[i]));
    for (int j = 0; j < c->columns; j++) out->gw[j] = (real)gw[j], out->gb[j] = (real)gb[j];
#undef HAT
#undef EACH
}

static void check_norm(enum norm_kind kind, const struct norm_case *c) {
    static struct norm_out expected, value, first;
    size_t n = (size_t)c->rows * (size_t)c->columns;
    RL_ASSERT(n <= MOST);
    fill(norm_x, n, -1, 3);
    fill(norm_gy, n, -1, 1);
    fill(norm_w, (size_t)c->columns, 0.5, 2);
    fill(norm_b, (size_t)c->columns, -1, 1);
    memset(&expected, 0, sizeof expected);
    specify_norm(kind, c, &expected);
    for (int level = 0; level <= (int)simd_level_cpu(); level++) {
        simd_limit((enum simd_level)level);
        for (int threads = 1; threads <= 2; threads++) {
            run_norm(kind, c, threads == 2 ? pool : NULL, &value);
            if (level == 0 && threads == 1) first = value;
            assert_memory_equal(&value, &first, sizeof first);
        }
    }
    simd_limit(SIMD_LEVEL_AVX512);
    near("y of a norm", value.y, expected.y, n, 2e-6);
    near("gx of a norm", value.gx, expected.gx, n, 1e-5);
    near("gw of a norm", value.gw, expected.gw, (size_t)c->columns, 1e-5);
    near("gb of a norm", value.gb, expected.gb, (size_t)c->columns, 1e-5);
}

static void norms_agree(void **state) {
    (void)state;
    const struct norm_case cases[] = {{4, 18, 3},    {6, 50, 1},     {256, 50, 10},
                                      {34, 1025, 5}, {1000, 48, 16}, {2, 30000, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_norm(LAYER, &cases[i]);
        if (cases[i].rows > 2) check_norm(BATCH, &cases[i]);
        check_norm(GROUP, &cases[i]);
    }
}

int main(void) {
    rng = rng_seed(1);
    struct rl_error err;
    pool = pool_create(2, &err);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizers_agree),
        cmocka_unit_test(lars_without_direction),
        cmocka_unit_test(norms_agree),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pool_destroy(pool);
    return failed;
}
