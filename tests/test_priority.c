// The sum tree against a plain cumulative sum.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "replay/priority.h"

enum { MAX_CAPACITY = 67 };

static void same_as_cumulative_sum(void **state) {
    (void)state;
    struct rng rng = rng_seed(4);
    for (int capacity = 1; capacity <= MAX_CAPACITY; capacity += 6) {
        struct rl_error err = {0};
        struct priority *priority = priority_create(capacity, &err);
        double values[MAX_CAPACITY] = {0}; // by entry % capacity
        int64_t end = 0;
        for (int round = 0; round < 300; round++) {
            bool append = end == 0 || rng_below(&rng, 2);
            int64_t oldest = end > capacity ? end - capacity : 0;
            int64_t entry = append ? end++ : oldest + rng_below(&rng, (uint32_t)(end - oldest));
            double value = rng_below(&rng, 4) ? rng_below(&rng, 1000) / 8.0 : 0; // exact sums
            priority_set(priority, entry, value);
            values[entry % capacity] = value;
            double total = 0, largest = 0;
            for (int i = 0; i < capacity; i++) {
                total += values[i];
                largest = fmax(largest, values[i]);
            }
            assert_true(priority_get(priority, entry) == value);
            assert_true(priority_total(priority) == total);
            assert_true(priority_max(priority) == largest);
            if (total == 0) continue;
            double u = round % 10 == 0 ? nextafter(1, 0) : rng_uniform(&rng), sum = 0;
            int leaf = 0;
            while (sum + values[leaf] <= u * total && leaf < capacity - 1) sum += values[leaf++];
            while (values[leaf] == 0) leaf--; // u * total rounded up to the total
            int64_t drawn = priority_draw(priority, end, u);
            assert_int_equal(drawn % capacity, leaf);
            assert_true(drawn < end && drawn >= end - capacity && drawn >= 0);
        }
        priority_destroy(priority);
    }
}

static void draws_are_proportional(void **state) {
    (void)state;
    enum { COUNT = 20, DRAWS = 50000 };
    struct rl_error err = {0};
    struct priority *priority = priority_create(1000, &err);
    struct rng rng = rng_seed(8);
    int counts[COUNT] = {0};
    double total = 0, chi2 = 0;
    for (int i = 0; i < COUNT; i++) {
        priority_set(priority, i, i * i);
        total += i * i;
    }
    for (int i = 0; i < DRAWS; i++) counts[priority_draw(priority, COUNT, rng_uniform(&rng))]++;
    assert_int_equal(counts[0], 0);
    for (int i = 1; i < COUNT; i++) {
        double expected = DRAWS * i * i / total;
        chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    struct priority *copy = priority_create(1000, &err); // as a checkpoint restores it
    int64_t leaves;
    memcpy(priority_leaves(copy, &leaves), priority_leaves(priority, &leaves),
           1000 * sizeof(double));
    assert_int_equal(leaves, 1000);
    priority_rebuild(copy);
    assert_true(priority_total(copy) == total && priority_max(copy) == (COUNT - 1) * (COUNT - 1));
    assert_int_equal(priority_draw(copy, COUNT, 0.37), priority_draw(priority, COUNT, 0.37));
    priority_destroy(copy);
    assert_true(chi2 < COUNT + 5 * sqrt(2.0 * COUNT));
    priority_destroy(priority);
}

static void memory_runs_out(void **state) {
    (void)state;
    struct rl_error err = {0};
    for (uint64_t n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_null(priority_create(10, &err));
        assert_int_equal(err.code, RL_ENOMEM);
    }
    mem_fail_at(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_cumulative_sum),
        cmocka_unit_test(draws_are_proportional),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
