// Elementwise loops: the same bits for every instruction set and number of threads, at odd sizes
// and in place; accuracy of the functions against the C library in double.
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/simd.h"
#include "math/vec.h"

#define MAX_COUNT 70003

static real x[MAX_COUNT], y[MAX_COUNT], z[MAX_COUNT], start[MAX_COUNT], expected[MAX_COUNT],
    got[MAX_COUNT];

static void fill(real *values, uint64_t seed) {
    struct rng rng = rng_seed(seed);
    for (int i = 0; i < MAX_COUNT; i++) values[i] = (real)(3 * rng_normal(&rng));
}

static void run_op(enum vec_op op, bool accumulate, size_t count, real *out, struct pool *pool) {
    memcpy(out, start, count * sizeof(real));
    vec_run(pool, op, &(struct vec_args){x, y, z, out, (real)-0.7, (real)1.3, accumulate}, count);
}

static void all_variants_agree(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 7, 16, 33, 129, MAX_COUNT};
    static const char *names[] = {
#define NAME(name, value) #name,
        VEC_LIST(NAME)
#undef NAME
    };
    fill(x, 1), fill(y, 2), fill(z, 3), fill(start, 4);
    struct rl_error err = {0};
    struct pool *pool = pool_create(2, &err);
    for (int level = SIMD_LEVEL_PORTABLE; level <= (int)simd_level_cpu(); level++) {
        for (int op = 0; op < VEC_N_OPS; op++) {
            for (size_t k = 0; k < 2 * sizeof counts / sizeof *counts; k++) {
                size_t count = counts[k / 2], bytes = count * sizeof(real);
                simd_limit(SIMD_LEVEL_PORTABLE);
                run_op((enum vec_op)op, k % 2, count, expected, NULL);
                simd_limit((enum simd_level)level);
                run_op((enum vec_op)op, k % 2, count, got, pool);
                if (memcmp(got, expected, bytes)) {
                    fail_msg("%s of %zu differs at level %d", names[op], count, level);
                }
            }
        }
    }
    simd_limit(SIMD_LEVEL_AVX512);
    pool_destroy(pool);
}

enum row_op { ROW_SUM, ROW_ADD, ROW_MUL, ROW_MASK, N_ROW_OPS };

static void run_row_op(enum row_op op, struct pool *pool, int rows, int columns, real *out) {
    memcpy(out, op == ROW_MASK ? z : start, (size_t)rows * (size_t)columns * sizeof(real));
    switch (op) {
    case ROW_SUM: vec_sum_rows(pool, rows, columns, x, y, out); break;
    case ROW_ADD: vec_add_row(pool, rows, columns, x, y, true, out); break;
    case ROW_MUL: vec_mul_row(pool, rows, columns, x, y, true, out); break;
    case ROW_MASK: vec_relu_sum_rows(pool, rows, columns, x, out, NULL); break;
    case N_ROW_OPS: break;
    }
}

// Against plain formulas, in double where there is a sum.
static void check_row_op(enum row_op op, int rows, int columns, const real *out) {
    int count = rows * columns;
    for (int i = 0; op == ROW_SUM && i < columns; i++) {
        double sum = (double)start[i], size = 1;
        for (int j = i; j < count; j += columns) {
            sum += (double)x[j] * (double)y[j];
            size += fabs((double)x[j] * (double)y[j]);
        }
        assert_true(fabs(sum - (double)out[i]) <= 1e-6 * size);
    }
    for (int i = op == ROW_SUM ? columns : 0; i < count; i++) {
        real other = y[i % columns], sum = x[i] + other;
        real want[] = {start[i], sum < 0 ? 0 : sum, start[i] + x[i] * other, x[i] > 0 ? z[i] : 0};
        assert_true(out[i] == want[op]);
    }
}

static void rows_and_sums_agree(void **state) {
    (void)state;
    static const int shapes[][2] = {{1, 1}, {5, 17}, {300, 200}, {129, 128}, {700, 100}};
    struct rl_error err = {0};
    struct pool *pool = pool_create(2, &err);
    fill(x, 1), fill(y, 2), fill(z, 3), fill(start, 4);
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        int rows = shapes[k][0], columns = shapes[k][1];
        size_t count = (size_t)rows * (size_t)columns;
        for (int level = SIMD_LEVEL_PORTABLE; level <= (int)simd_level_cpu(); level++) {
            for (int op = 0; op < N_ROW_OPS; op++) {
                simd_limit(SIMD_LEVEL_PORTABLE);
                run_row_op((enum row_op)op, NULL, rows, columns, expected);
                simd_limit((enum simd_level)level);
                run_row_op((enum row_op)op, pool, rows, columns, got);
                assert_memory_equal(got, expected, count * sizeof(real));
                check_row_op((enum row_op)op, rows, columns, got);
            }
            double dot = 0, total = 0, size = 0;
            for (size_t i = 0; i < count; i++) {
                dot += (double)x[i] * (double)y[i], total += (double)x[i];
                size += fabs((double)x[i]) + fabs((double)x[i] * (double)y[i]);
            }
            double sum = vec_dot(pool, count, x, y);
            assert_true(fabs(sum - dot) <= 1e-6 * size);
            assert_true(fabs(vec_sum(pool, count, x) - total) <= 1e-6 * size);
            simd_limit(SIMD_LEVEL_PORTABLE);
            assert_true(sum == vec_dot(NULL, count, x, y));
        }
    }
    simd_limit(SIMD_LEVEL_AVX512);
    pool_destroy(pool);
}

static double sigmoid(double v) {
    return 1 / (1 + exp(-v));
}

static double gelu(double v) {
    return v * 0.5 * erfc(-v / sqrt(2));
}

static double silu(double v) {
    return v * sigmoid(v);
}

static double elu(double v) {
    return v > 0 ? v : expm1(v);
}

static double softplus(double v) {
    return v > 0 ? v + log1p(exp(-v)) : log1p(exp(v));
}

// Worst relative error over a dense grid of [low, high], results below tiny counted against tiny.
static void check_accuracy(const char *name, enum vec_op op, double (*truth)(double), double low,
                           double high, double tiny, double allowed) {
    double worst = 0, at = 0;
    for (int block = 0; block < 20; block++) {
        for (int i = 0; i < MAX_COUNT; i++) {
            x[i] = (real)(low + (high - low) * (block * MAX_COUNT + i) / (20.0 * MAX_COUNT));
        }
        vec_run(NULL, op, &(struct vec_args){.x = x, .out = got}, MAX_COUNT);
        for (int i = 0; i < MAX_COUNT; i++) {
            double want = truth((double)x[i]);
            double off = fabs((double)got[i] - want) / fmax(fabs(want), tiny);
            if (!(off <= worst)) worst = off, at = (double)x[i];
        }
    }
    print_message("%-10s worst relative error %.2e at %g\n", name, worst, at);
    if (!(worst <= allowed)) fail_msg("%s: above %.2e", name, allowed);
}

static void functions_are_accurate(void **state) {
    (void)state;
    check_accuracy("exp", VEC_EXP, exp, -87, 88.7, 0, 1.3e-7);
    check_accuracy("tanh", VEC_TANH, tanh, -12, 12, 0, 1.8e-7);
    check_accuracy("sigmoid", VEC_SIGMOID, sigmoid, -80, 30, 0, 2e-7);
    check_accuracy("log", VEC_LOG, log, 1e-3, 5, 1e-3, 1.3e-7);
    check_accuracy("log", VEC_LOG, log, 1e-38, 1e-36, 0, 1.3e-7);
    check_accuracy("log", VEC_LOG, log, 2, 3e38, 0, 1.3e-7);
    check_accuracy("softplus", VEC_SOFTPLUS, softplus, -80, 30, 0, 2.5e-7);
    check_accuracy("elu", VEC_ELU, elu, -20, 2, 0, 2.5e-7);
    check_accuracy("silu", VEC_SILU, silu, -80, 30, 0, 3e-7);
    check_accuracy("gelu", VEC_GELU, gelu, -2, 10, 0, 5e-7);
    // Further out the tail is only as exact as exp(-x^2 / 2), which magnifies the rounding of x^2.
    check_accuracy("gelu", VEC_GELU, gelu, -20, 10, 0.1, 5e-7);
}

static void special_values(void **state) {
    (void)state;
    const real in[6] = {NAN, INFINITY, -INFINITY, 0, -1000, 1000};
    const struct {
        enum vec_op op;
        real want[6];
    } cases[] = {
        {VEC_EXP, {NAN, INFINITY, 0, 1, 0, INFINITY}},
        {VEC_TANH, {NAN, 1, -1, 0, -1, 1}},
        {VEC_SIGMOID, {NAN, 1, 0, 0.5, 0, 1}},
        {VEC_LOG, {NAN, INFINITY, NAN, -INFINITY, NAN, (real)6.90775528}},
        {VEC_RELU, {NAN, INFINITY, 0, 0, 0, 1000}},
        {VEC_ELU, {NAN, INFINITY, -1, 0, -1, 1000}},
        {VEC_SOFTPLUS, {NAN, INFINITY, 0, (real)0.693147181, 0, 1000}},
        {VEC_CLAMP, {NAN, 2, -2, 0, -2, 2}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        vec_run(NULL, cases[k].op, &(struct vec_args){.x = in, .out = got, .a = -2, .b = 2}, 6);
        for (int i = 0; i < 6; i++) {
            bool same = got[i] == cases[k].want[i] ||
                        (got[i] != got[i] && cases[k].want[i] != cases[k].want[i]);
            if (!same) fail_msg("case %zu of %g: %g", k, (double)in[i], (double)got[i]);
        }
    }
    assert_false(vec_is_finite(1, in));
    assert_false(vec_is_finite(2, in + 1));
    assert_true(vec_is_finite(3, in + 3));
    const real a[3] = {NAN, 1, 2}, b[3] = {1, NAN, 1};
    vec_run(NULL, VEC_MIN, &(struct vec_args){.x = a, .y = b, .out = got}, 3);
    assert_true(got[0] != got[0] && got[1] != got[1] && got[2] == 1);
    const real small = (real)1e-41; // denormal
    vec_run(NULL, VEC_LOG, &(struct vec_args){.x = &small, .out = got}, 1);
    assert_true(fabs((double)got[0] - log((double)small)) < 1e-5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_variants_agree),
        cmocka_unit_test(rows_and_sums_agree),
        cmocka_unit_test(functions_are_accurate),
        cmocka_unit_test(special_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
