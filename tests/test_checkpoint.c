// Checkpoints: what is saved comes back, damage of any kind is found before anything is written,
// and a fault while writing leaves the older file usable.
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

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/checkpoint.h"

struct sample {
    int64_t step;
    float weights[7];
    double moments[3];
    size_t moments_bytes; // for the tests of disagreement
    bool skip_weights, extra;
    uint8_t empty;
};

static void visit(void *object, struct state_visitor *visitor) {
    struct sample *sample = object;
    visitor->bytes(visitor, "step", &sample->step, sizeof sample->step);
    if (!sample->skip_weights)
        visitor->bytes(visitor, "actor.weights", sample->weights, sizeof sample->weights);
    visitor->bytes(visitor, "adam.moments", sample->moments, sample->moments_bytes);
    if (sample->extra) visitor->bytes(visitor, "extra", &sample->empty, 0);
}

static struct sample make(int64_t step) {
    struct sample sample = {.step = step, .moments_bytes = sizeof sample.moments};
    for (int i = 0; i < 7; i++) sample.weights[i] = (float)step + 0.25f * (float)i;
    for (int i = 0; i < 3; i++) sample.moments[i] = (double)step / 3 + i;
    return sample;
}

static bool same(const struct sample *a, const struct sample *b) {
    return a->step == b->step && !memcmp(a->weights, b->weights, sizeof a->weights) &&
           !memcmp(a->moments, b->moments, sizeof a->moments);
}

struct fixture {
    char dir[64], path[CHECKPOINT_PATH_BYTES];
    int warnings;
};

static void count_warning(enum log_level level, const char *line, void *context) {
    (void)line;
    if (level == LOG_LEVEL_WARNING) ++*(int *)context;
}

static int set_up(void **state) {
    struct fixture *fixture = MEM_NEW(struct fixture);
    strcpy(fixture->dir, "/tmp/rlrun_checkpoint_XXXXXX");
    if (!mkdtemp(fixture->dir)) return -1;
    log_set_handler(count_warning, &fixture->warnings);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", fixture->dir);
    int result = system(command);
    log_set_handler(NULL, NULL);
    mem_free(fixture);
    return result;
}

static void save(struct fixture *fixture, int64_t step, int keep) {
    struct sample sample = make(step);
    struct rl_error err = {0};
    assert_int_equal(checkpoint_save(fixture->dir, step, visit, &sample, keep, &err), RL_OK);
}

static int64_t latest_step(struct fixture *fixture) {
    struct rl_error err = {0};
    int64_t step = -1;
    if (checkpoint_find_latest(fixture->dir, fixture->path, &err) != RL_OK) return -1;
    assert_int_equal(checkpoint_verify(fixture->path, &step, &err), RL_OK);
    return step;
}

static void overwrite(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void round_trip(void **state) {
    struct fixture *fixture = *state;
    struct rl_error err = {0};
    save(fixture, 123, 3);
    struct sample expected = make(123), loaded = {.moments_bytes = sizeof loaded.moments};
    assert_int_equal(latest_step(fixture), 123);
    assert_non_null(strstr(fixture->path, "/step-000000123.ckpt"));
    assert_int_equal(checkpoint_load(fixture->path, visit, &loaded, &err), RL_OK);
    assert_true(same(&loaded, &expected));
    // The same state gives the same file.
    struct bytes first, second;
    assert_int_equal(file_read(fixture->path, 1 << 20, &first, &err), RL_OK);
    save(fixture, 123, 3);
    assert_int_equal(file_read(fixture->path, 1 << 20, &second, &err), RL_OK);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    mem_free(first.data);
    mem_free(second.data);
}

static void keeps_the_newest(void **state) {
    struct fixture *fixture = *state;
    static const int64_t order[] = {10, 20, 30, 40};
    for (int i = 0; i < 4; i++) save(fixture, order[i], 2);
    char path[256];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/step-%09d.ckpt", fixture->dir, 10 * (i + 1));
        assert_int_equal(file_exists(path), i >= 2);
    }
    save(fixture, 35, 2); // resumed from 30: 40 belongs to an abandoned future
    assert_int_equal(latest_step(fixture), 35);
    save(fixture, 1234567890123, 0);
    assert_int_equal(latest_step(fixture), 1234567890123);
}

static void disagreement_changes_nothing(void **state) {
    struct fixture *fixture = *state;
    save(fixture, 5, 1);
    assert_int_equal(latest_step(fixture), 5);
    static const struct {
        size_t moments_bytes;
        bool skip_weights, extra;
        const char *message;
    } cases[] = {
        {sizeof(double), false, false, "record 'adam.moments' has 24 bytes where this run needs 8"},
        {3 * sizeof(double), true, false, "a record 'actor.weights' that this run does not know"},
        {3 * sizeof(double), false, true, "has no record 'extra'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sample target = make(77), before = target;
        struct rl_error err = {0};
        target.moments_bytes = cases[i].moments_bytes;
        target.skip_weights = cases[i].skip_weights;
        target.extra = cases[i].extra;
        assert_int_equal(checkpoint_load(fixture->path, visit, &target, &err), RL_EFORMAT);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_true(same(&target, &before));
    }
}

static void loads_a_part(void **state) {
    struct fixture *fixture = *state;
    struct rl_error err = {0};
    save(fixture, 5, 1);
    assert_int_equal(latest_step(fixture), 5);
    struct sample target = make(77), expected = make(5);
    target.skip_weights = true;
    assert_int_equal(checkpoint_load_part(fixture->path, visit, &target, &err), RL_OK);
    memcpy(target.weights, expected.weights, sizeof target.weights);
    assert_true(same(&target, &expected));
    target.extra = true; // still an error: the file must have all that is asked for
    assert_int_equal(checkpoint_load_part(fixture->path, visit, &target, &err), RL_EFORMAT);
}

// Every truncation and every flipped bit of a small file is found, and nothing is loaded.
static void damage_is_found(void **state) {
    struct fixture *fixture = *state;
    struct rl_error err = {0};
    save(fixture, 9, 1);
    assert_int_equal(latest_step(fixture), 9);
    struct bytes good;
    assert_int_equal(file_read(fixture->path, 1 << 20, &good, &err), RL_OK);
    struct sample target = make(77), before = target;
    for (size_t size = 0; size < good.size; size++) {
        overwrite(fixture->path, good.data, size);
        assert_int_equal(checkpoint_load(fixture->path, visit, &target, &err), RL_EFORMAT);
    }
    for (size_t bit = 0; bit < 8 * good.size; bit++) {
        good.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        overwrite(fixture->path, good.data, good.size);
        good.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(checkpoint_load(fixture->path, visit, &target, &err), RL_EFORMAT);
    }
    overwrite(fixture->path, good.data, good.size);
    assert_true(same(&target, &before));
    assert_int_equal(checkpoint_load(fixture->path, visit, &target, &err), RL_OK);
    mem_free(good.data);
}

static void skips_damaged(void **state) {
    struct fixture *fixture = *state;
    struct rl_error err = {0};
    assert_int_equal(checkpoint_find_latest(fixture->dir, fixture->path, &err), RL_ENOTFOUND);
    save(fixture, 1, 0);
    save(fixture, 2, 0);
    save(fixture, 3, 0);
    char path[256];
    snprintf(path, sizeof path, "%s/step-000000003.ckpt", fixture->dir);
    overwrite(path, "RLRUNCKP", 8);
    assert_int_equal(latest_step(fixture), 2);
    assert_int_equal(fixture->warnings, 1);
    for (int step = 1; step <= 2; step++) {
        snprintf(path, sizeof path, "%s/step-%09d.ckpt", fixture->dir, step);
        overwrite(path, "", 0);
    }
    assert_int_equal(checkpoint_find_latest(fixture->dir, fixture->path, &err), RL_ENOTFOUND);
    assert_non_null(strstr(err.message, "none of the 3 checkpoints"));
}

// The n-th write, sync or rename fails: the save says so and the older checkpoint is still the one;
// only when the folder's own sync fails, last of all, the new one is there, whole.
static void faults_keep_the_old(void **state) {
    struct fixture *fixture = *state;
    save(fixture, 1, 3);
    struct sample next = make(2);
    bool renamed = false;
    static const int errors[] = {ENOSPC, EIO};
    uint64_t n = 1;
    for (;; n++) {
        struct rl_error err = {0};
        file_fail_at(n, errors[n % 2]);
        enum rl_status status = checkpoint_save(fixture->dir, 2, visit, &next, 3, &err);
        file_fail_at(0, 0);
        if (status == RL_OK) break;
        assert_int_equal(status, RL_EIO);
        assert_false(renamed);
        renamed = latest_step(fixture) == 2;
        char path[256];
        snprintf(path, sizeof path, "%s/step-000000002.ckpt.tmp", fixture->dir);
        assert_false(file_exists(path));
    }
    assert_true(n > 3); // write, sync and rename were all reached
    assert_int_equal(latest_step(fixture), 2);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(round_trip),          CASE(keeps_the_newest), CASE(disagreement_changes_nothing),
        CASE(loads_a_part),        CASE(damage_is_found),  CASE(skips_damaged),
        CASE(faults_keep_the_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
