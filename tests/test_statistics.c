// The statistics of the paper by hand-worked values, and what an interval must satisfy.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/statistics.h"

#define SCORES(runs_, tasks_, ...)                                                                 \
    (struct scores) {                                                                              \
        .value = (const double[]){__VA_ARGS__}, .runs = runs_, .tasks = tasks_                     \
    }

static void near(double value, double expected) {
    if (!(fabs(value - expected) < 1e-12)) fail_msg("%.17g, expected %.17g", value, expected);
}

static void values_by_hand(void **state) {
    (void)state;
    // 4 runs of 2 tasks; sorted: 0.1 0.2 0.3 0.4 | 0.5 0.9 1.5 2.0, the middle half 0.3 .. 0.9
    struct scores scores = SCORES(4, 2, 0.1, 2.0, 0.4, 0.9, 0.2, 1.5, 0.3, 0.5);
    near(statistics_value(STATISTIC_IQM, &scores, 1), (0.3 + 0.4 + 0.5 + 0.9) / 4);
    near(statistics_value(STATISTIC_MEAN, &scores, 1), (0.25 + 1.225) / 2);
    near(statistics_value(STATISTIC_MEDIAN, &scores, 1), (0.25 + 1.225) / 2);
    near(statistics_value(STATISTIC_OPTIMALITY_GAP, &scores, 1), 1 - (1.0 + 3.4) / 8);
    near(statistics_value(STATISTIC_OPTIMALITY_GAP, &scores, 2), 2 - (1.0 + 4.9) / 8);
    // 5 scores: one falls at each end; 3 scores: none does
    struct scores five = SCORES(5, 1, 9, 1, 5, 3, 100), three = SCORES(3, 1, 1, 2, 6);
    near(statistics_value(STATISTIC_IQM, &five, 1), (3 + 5 + 9) / 3.0);
    near(statistics_value(STATISTIC_IQM, &three, 1), 3);
    struct scores odd = SCORES(1, 3, 7, 1, 2);
    near(statistics_value(STATISTIC_MEDIAN, &odd, 1), 2);
}

static void improvement_by_hand(void **state) {
    (void)state;
    // Task 0: 1 and 3 against 2 and 3: 3 beats 2, ties 3: 1.5 of 4. Task 1: all won.
    struct scores x = SCORES(2, 2, 1, 5, 3, 6), y = SCORES(2, 2, 2, 0, 3, 1);
    near(statistics_improvement(&x, &y, &bootstrap_default).value, (1.5 / 4 + 1) / 2);
    near(statistics_improvement(&y, &x, &bootstrap_default).value, (2.5 / 4 + 0) / 2);
    near(statistics_improvement(&x, &x, &bootstrap_default).value, 0.5);
}

static void profile_by_hand(void **state) {
    (void)state;
    struct scores scores = SCORES(2, 2, 0.1, 0.5, 0.3, 0.9);
    const double tau[] = {0, 0.1, 0.4, 0.9};
    struct estimate profile[4];
    statistics_profile(&scores, tau, 4, &bootstrap_default, profile);
    near(profile[0].value, 1);
    near(profile[1].value, 0.75); // above, not at
    near(profile[2].value, 0.5);
    near(profile[3].value, 0);
    near(profile[2].low, 0.5); // task 0 always below 0.4, task 1 above
    near(profile[2].high, 0.5);
    // above 0.1: task 1 always; task 0 0, 1/2 or 1 of its runs, with 1/4, 1/2, 1/4
    near(profile[1].low, 0.5);
    near(profile[1].high, 1);
}

// Two runs 0 and 1: a resample's mean is 0, 1/2 or 1 with 1/4, 1/2, 1/4: the 95% interval is [0, 1]
// and the 40% interval [1/2, 1/2]. Strata: a task is never drawn from another task's runs.
static void intervals(void **state) {
    (void)state;
    struct scores two = SCORES(2, 1, 0, 1);
    struct estimate wide = statistics_estimate(STATISTIC_MEAN, &two, &bootstrap_default);
    near(wide.low, 0);
    near(wide.high, 1);
    struct bootstrap narrow = bootstrap_default;
    narrow.confidence = 0.4;
    struct estimate middle = statistics_estimate(STATISTIC_MEAN, &two, &narrow);
    near(middle.low, 0.5);
    near(middle.high, 0.5);
    struct scores strata = SCORES(3, 2, 0, 10, 0, 10, 0, 10);
    struct estimate exact = statistics_estimate(STATISTIC_MEAN, &strata, &bootstrap_default);
    near(exact.low, 5);
    near(exact.high, 5);
}

// The 95% interval of the mean of normal draws is near mean +- 1.96 sigma / sqrt(n) (the
// bootstrap's sigma has the divisor n).
static void interval_of_many(void **state) {
    (void)state;
    double value[40];
    double sum = 0, square = 0;
    for (int i = 0; i < 40; i++) {
        value[i] = sin(12.9898 * i) * cos(4.1414 * i);
        sum += value[i];
        square += value[i] * value[i];
    }
    double mean = sum / 40, half = 1.96 * sqrt((square / 40 - mean * mean) / 40);
    struct scores scores = {.value = value, .runs = 40, .tasks = 1};
    struct estimate estimate = statistics_estimate(STATISTIC_MEAN, &scores, &bootstrap_default);
    assert_true(fabs(estimate.low - (mean - half)) < 0.03 * half);
    assert_true(fabs(estimate.high - (mean + half)) < 0.03 * half);
}

static void missing_runs(void **state) {
    (void)state;
    struct scores holes = SCORES(3, 2, 1, NAN, 2, 20, NAN, 30), full = SCORES(2, 2, 1, 20, 2, 30);
    assert_int_equal(scores_count(&holes), 4);
    for (int s = 0; s < STATISTIC_COUNT; s++) {
        struct estimate a = statistics_estimate(s, &holes, &bootstrap_default);
        struct estimate b = statistics_estimate(s, &full, &bootstrap_default);
        near(a.value, b.value);
        near(a.low, b.low);
        near(a.high, b.high);
    }
    // One run a task: a value, and no interval; a task without any: no value either.
    struct scores one = SCORES(2, 2, 1, 5, NAN, NAN), none = SCORES(2, 2, 1, NAN, 2, NAN);
    struct estimate alone = statistics_estimate(STATISTIC_MEAN, &one, &bootstrap_default);
    near(alone.value, 3);
    assert_true(isnan(alone.low) && isnan(alone.high));
    assert_true(isnan(statistics_value(STATISTIC_MEAN, &none, 1)));
    assert_true(isnan(statistics_value(STATISTIC_MEDIAN, &none, 1)));
    assert_true(isnan(statistics_improvement(&none, &one, &bootstrap_default).value));
}

static void same_seed_same_bits(void **state) {
    (void)state;
    struct scores scores = SCORES(5, 1, 1.5, 2.5, 0.25, 8, 4);
    struct estimate a = statistics_estimate(STATISTIC_IQM, &scores, &bootstrap_default);
    struct estimate b = statistics_estimate(STATISTIC_IQM, &scores, &bootstrap_default);
    assert_memory_equal(&a, &b, sizeof a);
    struct bootstrap few = bootstrap_default;
    few.resamples = 100;
    struct estimate c = statistics_estimate(STATISTIC_IQM, &scores, &few);
    few.seed = 1;
    struct estimate d = statistics_estimate(STATISTIC_IQM, &scores, &few);
    assert_true(c.low != d.low || c.high != d.high); // the seed does something
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_by_hand),      cmocka_unit_test(improvement_by_hand),
        cmocka_unit_test(profile_by_hand),     cmocka_unit_test(intervals),
        cmocka_unit_test(interval_of_many),    cmocka_unit_test(missing_runs),
        cmocka_unit_test(same_seed_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
