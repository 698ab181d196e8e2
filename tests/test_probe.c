// Bounds on mutual information against values that are known, and the probes on data that is known.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ssl/mi.h"
#include "ssl/probe.h"

#define N           512
#define CORRELATION 0.8

// log p(x, y) / (p(x) p(y)) of unit normals.
static double log_ratio(double x, double y) {
    double r = CORRELATION, rest = 1 - r * r;
    return -0.5 * log(rest) - (r * r * (x * x + y * y) - 2 * r * x * y) / (2 * rest);
}

static double estimate(enum mi_bound kind, double shift, double scale, uint64_t seed) {
    struct rl_error err = {0};
    struct tape *tape = tape_create((size_t)64 << 20, NULL, &err);
    struct rng rng = rng_seed(seed);
    double x[N], y[N], mean = 0;
    real *scores = MEM_ARRAY(real, N * N);
    const int repeats = 8;
    for (int repeat = 0; repeat < repeats; repeat++) {
        for (int i = 0; i < N; i++) {
            x[i] = rng_normal(&rng);
            y[i] = CORRELATION * x[i] + sqrt(1 - CORRELATION * CORRELATION) * rng_normal(&rng);
        }
        for (int i = 0; i < N * N; i++)
            scores[i] = (real)(scale * log_ratio(x[i / N], y[i % N]) + shift);
        tape_reset(tape);
        mean += (double)mi_bound(tape, tape_input_2d(tape, scores, N, N), kind)->data[0] / repeats;
    }
    mem_free(scores);
    tape_destroy(tape);
    return mean;
}

// Twice the Jensen-Shannon divergence by the trapezoid rule on a grid.
static double twice_jsd(void) {
    const double step = 0.02, limit = 6;
    double sum = 0;
    for (double x = -limit; x <= limit; x += step) {
        for (double y = -limit; y <= limit; y += step) {
            double apart = exp(-(x * x + y * y) / 2) / (2 * M_PI), t = log_ratio(x, y);
            sum -= step * step * apart * (exp(t) * log1p(exp(-t)) + log1p(exp(t)));
        }
    }
    return 2 * M_LN2 + sum;
}

static void bounds_are_tight_at_the_best_critic(void **state) {
    (void)state;
    double truth = mi_gaussian(CORRELATION);
    double dv = estimate(MI_DV, 0, 1, 1), nwj = estimate(MI_NWJ, 1, 1, 1),
           nce = estimate(MI_INFONCE, 0, 1, 1), jsd = estimate(MI_JSD, 0, 1, 1);
    print_message("truth %.4f dv %.4f nwj %.4f infonce %.4f; 2 JSD %.4f jsd %.4f\n", truth, dv, nwj,
                  nce, twice_jsd(), jsd);
    assert_true(fabs(dv - truth) < 0.05);
    assert_true(fabs(nwj - truth) < 0.05);
    assert_true(fabs(nce - truth) < 0.05);
    assert_true(fabs(jsd - twice_jsd()) < 0.03);
    // Donsker-Varadhan and InfoNCE do not see a constant, the other does.
    assert_true(fabs(estimate(MI_DV, 3, 1, 1) - dv) < 1e-4);
    assert_true(fabs(estimate(MI_INFONCE, 3, 1, 1) - nce) < 1e-4);
    assert_true(estimate(MI_NWJ, 3, 1, 1) < nwj - 1);
}

static void bounds_are_below_for_worse_critics(void **state) {
    (void)state;
    for (double scale = 0; scale <= 0.6; scale += 0.3) {
        assert_true(estimate(MI_DV, 0, scale, 2) < mi_gaussian(CORRELATION));
        assert_true(estimate(MI_NWJ, 1, scale, 2) < mi_gaussian(CORRELATION));
        assert_true(estimate(MI_INFONCE, 0, scale, 2) < mi_gaussian(CORRELATION));
    }
    assert_true(estimate(MI_INFONCE, 0, 1000, 2) <= log(N));
}

// Three classes at corners; features beyond the first two are noise of every scale.
static struct probe_set make_classes(int n, uint64_t seed) {
    struct rng rng = rng_seed(seed);
    struct probe_set set = {.n = n, .d = 6, .n_classes = 3};
    real *x = MEM_ARRAY(real, n * 6);
    int *label = MEM_ARRAY(int, n);
    for (int i = 0; i < n; i++) {
        label[i] = (int)rng_below(&rng, 3);
        double angle = 2 * M_PI * label[i] / 3;
        for (int j = 0; j < 6; j++) x[i * 6 + j] = (real)(0.3 * rng_normal(&rng));
        x[i * 6] += (real)cos(angle);
        x[i * 6 + 1] += (real)sin(angle);
    }
    set.x = x;
    set.label = label;
    return set;
}

static void free_set(struct probe_set *set) {
    mem_free((void *)set->x);
    mem_free((void *)set->y);
    mem_free((void *)set->label);
}

static void classifiers_find_classes(void **state) {
    (void)state;
    struct probe_set train = make_classes(600, 1), test = make_classes(300, 2);
    double knn = probe_knn(&train, &test, 20, 0.07, NULL), linear = 0;
    struct rl_error err = {0};
    assert_int_equal(probe_linear(&train, &test, 500, 1, &linear, &err), RL_OK);
    print_message("knn %.3f linear %.3f\n", knn, linear);
    assert_true(knn > 0.95 && linear > 0.95);
    // One neighbour of itself is always right; labels without a pattern are not found.
    assert_true(probe_knn(&train, &train, 1, 0.07, NULL) == 1);
    struct rng rng = rng_seed(3);
    for (int i = 0; i < train.n; i++) ((int *)train.label)[i] = (int)rng_below(&rng, 3);
    assert_true(probe_knn(&train, &test, 20, 0.07, NULL) < 0.5);
    free_set(&train);
    free_set(&test);
}

static struct probe_set make_regression(int n, uint64_t seed) {
    struct rng rng = rng_seed(seed);
    struct probe_set set = {.n = n, .d = 4, .m = 3};
    real *x = MEM_ARRAY(real, n * 4), *y = MEM_ARRAY(real, n * 3);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < 4; j++) x[i * 4 + j] = (real)(rng_normal(&rng) * (j + 1) + 5);
        y[i * 3] = 2 * x[i * 4] - x[i * 4 + 3] + 7;
        y[i * 3 + 1] = (real)((double)x[i * 4 + 1] + 2 * rng_normal(&rng)); // half of it noise
        y[i * 3 + 2] = 4;
    }
    set.x = x;
    set.y = y;
    return set;
}

static void regression_explains_what_is_linear(void **state) {
    (void)state;
    struct probe_set train = make_regression(4000, 1), test = make_regression(2000, 2);
    double r2[3];
    probe_regression(&train, &test, 1e-6, r2);
    print_message("R2 %.4f %.4f\n", r2[0], r2[1]);
    assert_true(r2[0] > 0.9999);
    assert_true(fabs(r2[1] - 0.5) < 0.05);
    assert_true(isnan(r2[2]));
    free_set(&train);
    free_set(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_tight_at_the_best_critic),
        cmocka_unit_test(bounds_are_below_for_worse_critics),
        cmocka_unit_test(classifiers_find_classes),
        cmocka_unit_test(regression_explains_what_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
