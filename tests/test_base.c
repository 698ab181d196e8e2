// The base layer: options and configuration, atomic files under faults, pool, random streams, text.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"

struct sample {
    int64_t batch;
    double rate;
    bool on;
    int kind;
    char name[OPT_STRING_BYTES];
};
static const char *const kinds[] = {"mean", "sum", NULL};
static const struct opt_spec sample_specs[] = {
    OPT_ROW_INT(struct sample, batch, "256", 1, 65536, "rows"),
    OPT_ROW_REAL(struct sample, rate, "1e-4", 0, 1, "rate"),
    OPT_ROW_BOOL(struct sample, on, "true", "switch"),
    OPT_ROW_CHOICE(struct sample, kind, "mean", kinds, "kind"),
    OPT_ROW_STRING(struct sample, name, "", "name"),
    OPT_END,
};
static const struct opt_table sample_table = {"sample", sample_specs};

static enum rl_status apply(const char *yaml, struct sample *values, struct rl_error *err) {
    struct config config = {0};
    enum rl_status status = config_add_yaml_text(&config, yaml, strlen(yaml), "t.yaml", err);
    const struct opt_table *tables[] = {&sample_table};
    if (status == RL_OK) status = config_apply(&config, &sample_table, values, err);
    if (status == RL_OK) status = config_check_used(&config, tables, 1, err);
    config_release(&config);
    return status;
}

static void options_round_trip(void **state) {
    (void)state;
    struct sample a, b;
    struct rl_error err = {0};
    const char *yaml =
        "sample:\n  batch: 1e3\n  rate: 0.1\n  on: no\n  kind: sum\n  name: 'a \"b\" \\ c'\n";
    assert_int_equal(apply(yaml, &a, &err), RL_OK);
    assert_int_equal(a.batch, 1000);
    assert_true(a.rate == 0.1 && !a.on && a.kind == 1);
    struct text dump = {0};
    opt_dump_yaml(&sample_table, &a, &dump);
    assert_int_equal(apply(dump.data, &b, &err), RL_OK);
    assert_string_equal(a.name, b.name);
    assert_true(a.batch == b.batch && a.rate == b.rate && a.on == b.on && a.kind == b.kind);
    text_release(&dump);
}

static void options_refuse(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"sample:\n  bach: 3\n", "t.yaml:2: unknown option 'sample.bach' (did you mean 'batch'?)"},
        {"sample:\n  batch: 0\n", "t.yaml:2: sample.batch = '0'"},
        {"sample:\n  batch: 1.5\n", "a whole number 1 to 65536"},
        {"sample:\n  rate: nan\n", "t.yaml:2: sample.rate = 'nan'"},
        {"sample:\n  kind: max\n", "allowed is mean, sum"},
        {"simple:\n  batch: 3\n", "unknown section 'simple' (did you mean 'sample'?)"},
        {"sample:\n  batch: [1, 2]\n", "lists are for rlrun sweep"},
        {"sample:\n  batch:\n    deep: 3\n", "only two levels"},
        {"sample: [\n", "t.yaml:"},
        {"- 3\n", "a mapping is expected"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sample values;
        struct rl_error err = {0};
        assert_int_equal(apply(bad[i][0], &values, &err), RL_EUSAGE);
        if (!strstr(err.message, bad[i][1])) fail_msg("'%s' lacks '%s'", err.message, bad[i][1]);
    }
}

static void atomic_write_survives_faults(void **state) {
    (void)state;
    char path[] = "atomic.test";
    struct rl_error err = {0};
    assert_int_equal(file_write_atomic(path, "old", 3, &err), RL_OK);
    for (uint64_t n = 1; n <= 3; n++) { // write, fsync, rename
        file_fail_at(n, ENOSPC);
        assert_int_equal(file_write_atomic(path, "newer", 5, &err), RL_EIO);
        assert_non_null(strstr(err.message, "No space left"));
        file_fail_at(0, 0);
        struct bytes bytes;
        assert_int_equal(file_read(path, 100, &bytes, &err), RL_OK);
        assert_string_equal((char *)bytes.data, "old");
        mem_free(bytes.data);
        assert_false(file_exists("atomic.test.tmp"));
    }
    assert_int_equal(file_write_atomic(path, "newer", 5, &err), RL_OK);
    struct bytes bytes;
    assert_int_equal(file_read(path, 4, &bytes, &err), RL_EFORMAT);
    unlink(path);
}

static void count_task(void *context, int task) {
    ((int *)context)[task]++;
}

static void pool_runs_every_task_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        struct rl_error err = {0};
        struct pool *pool = pool_create(threads, &err);
        assert_non_null(pool);
        int hits[37] = {0};
        for (int round = 0; round < 1000; round++) pool_run(pool, 37, count_task, hits);
        for (int i = 0; i < 37; i++) assert_int_equal(hits[i], 1000);
        pool_destroy(pool);
    }
    int covered = 0;
    for (int part = 0; part < 7; part++) {
        struct pool_range range = pool_split(101, 7, part, 8);
        assert_int_equal(range.begin, covered);
        covered = range.end;
    }
    assert_int_equal(covered, 101);
}

static void rng_streams(void **state) {
    (void)state;
    struct rng a = rng_fork(1, "env"), b = rng_fork(1, "env"), c = rng_fork(1, "agent");
    assert_true(rng_next(&a) == rng_next(&b));
    assert_true(rng_next(&a) != rng_next(&c));
    double sum = 0, square = 0;
    for (int i = 0; i < 100000; i++) {
        double x = rng_normal(&a);
        sum += x;
        square += x * x;
        assert_in_range(rng_below(&b, 7), 0, 6);
    }
    assert_true(sum / 1e5 < 0.02 && sum / 1e5 > -0.02 && square / 1e5 > 0.97 &&
                square / 1e5 < 1.03);
}

static void nearest_names(void **state) {
    (void)state;
    static const char *const names[] = {"cheetah", "walker", "cartpole"};
    char out[64];
    text_suggestion(out, sizeof out, "chetah", names, 3);
    assert_string_equal(out, " (did you mean 'cheetah'?)");
    text_suggestion(out, sizeof out, "zzz", names, 3);
    assert_string_equal(out, "");
    assert_true(text_same_name("run-dir", "run_dir") && !text_same_name("run", "run_"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_round_trip),
        cmocka_unit_test(options_refuse),
        cmocka_unit_test(atomic_write_survives_faults),
        cmocka_unit_test(pool_runs_every_task_once),
        cmocka_unit_test(rng_streams),
        cmocka_unit_test(nearest_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
