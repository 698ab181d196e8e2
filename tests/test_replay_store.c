// Replays on disk: what is restored is what was saved, in any mixture of saves, compression and
// wraparound; torn, foreign and missing files are refused by name; a full disk costs nothing.
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
#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "replay/replay_store.h"
#include "replay/segment_format.h"

enum { SIDE = 6, FRAME_BYTES = SIDE * SIDE * 3, OBS = 3, ACTION = 2, STACK = 3 };

static struct replay *create(int64_t capacity, bool compress, bool frames) {
    struct replay_spec spec = {.capacity = capacity,
                               .frame_dim = {SIDE, SIDE, frames ? 3 : 0},
                               .frame_stack = STACK,
                               .obs_dim = OBS,
                               .action_dim = ACTION,
                               .latent_dim = 4,
                               .reserve = 20,
                               .compress = compress};
    struct rl_error err = {0};
    struct replay *replay = replay_create(&spec, &err);
    if (!replay) fail_msg("%s", err.message);
    return replay;
}

// Goes on to entry `end`. Entry i's content depends on i and seed alone, so that a restored replay
// goes on as the one that was saved. The newest entry's action is set when set_last.
static void go_on(struct replay *replay, int64_t end, uint64_t seed, bool set_last) {
    for (int64_t i = replay_end(replay); i < end; i++) {
        struct rng before = rng_seed(seed + (uint64_t)i - 1), rng = rng_seed(seed + (uint64_t)i);
        bool after_last = i == 0 || rng_below(&before, 10) == 0;
        bool last = rng_below(&rng, 10) == 0, first = after_last || rng_below(&rng, 40) == 0;
        uint8_t frame[FRAME_BYTES];
        for (int k = 0; k < FRAME_BYTES; k++) {
            frame[k] = (uint8_t)(k * 7 + (rng_below(&rng, 4) ? 0 : rng_below(&rng, 256)));
        }
        double obs[OBS] = {(double)i, rng_normal(&rng), rng_normal(&rng)};
        struct replay_entry entry = {frame, obs, rng_normal(&rng), rng_uniform(&rng), first, last};
        if (i > 0 && !replay_is_last(replay, i - 1)) {
            replay_set_action(replay, (const real[]){(real)(i - 1), (real)seed});
        }
        replay_append(replay, &entry);
    }
    if (set_last && !replay_is_last(replay, end - 1)) {
        replay_set_action(replay, (const real[]){(real)(end - 1), (real)seed});
    }
}

// Equal in everything that the newest `count` entries show.
static void assert_same(const struct replay *a, const struct replay *b, int64_t count) {
    assert_int_equal(replay_end(a), replay_end(b));
    struct replay_window window = {replay_end(a) - count, replay_end(a)};
    bool frames = replay_spec(a)->frame_dim[2] > 0;
    for (int64_t i = window.begin; i < window.end; i++) {
        uint8_t stacks[2][FRAME_BYTES * STACK];
        if (frames) {
            replay_stack(a, i, stacks[0]);
            replay_stack(b, i, stacks[1]);
            assert_memory_equal(stacks[0], stacks[1], sizeof(stacks[0]));
        }
        assert_memory_equal(replay_obs(a, i), replay_obs(b, i), OBS * sizeof(float));
        assert_memory_equal(replay_action(a, i), replay_action(b, i), ACTION * sizeof(float));
        assert_true(replay_reward(a, i) == replay_reward(b, i));
        assert_int_equal(replay_is_last(a, i), replay_is_last(b, i));
        assert_int_equal(replay_is_transition(a, window, i), replay_is_transition(b, window, i));
        if (!replay_is_transition(a, window, i)) continue;
        struct replay_return x = replay_n_step(a, window, i, 3, 0.9);
        struct replay_return y = replay_n_step(b, window, i, 3, 0.9);
        assert_true(x.reward == y.reward && x.discount == y.discount && x.next == y.next);
    }
}

static int64_t kept(const struct replay *replay) {
    return replay_end(replay) - replay_begin(replay);
}

struct fixture {
    char dir[64];
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    strcpy(fixture->dir, "/tmp/replay_store_XXXXXX");
    *state = fixture;
    return mkdtemp(fixture->dir) ? 0 : -1;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", fixture->dir);
    int result = system(command);
    free(fixture);
    return result;
}

static void ok(enum rl_status status, const struct rl_error *err) {
    if (status != RL_OK) fail_msg("%s", err->message);
}

static struct replay *restore(const char *dir, const struct replay_store_state *state,
                              int64_t capacity, bool compress, bool frames,
                              struct replay_store **store) {
    struct rl_error err = {0};
    struct replay *replay = create(capacity, compress, frames);
    struct pool *pool = pool_create(2, &err);
    *store = replay_store_create(dir);
    ok(replay_store_load(*store, state, replay, pool, &err), &err);
    pool_destroy(pool);
    return replay;
}

// Saves at odd moments while the ring wraps; after each, a restored copy is equal, goes on as the
// original does and saves on from there.
static void restored_is_equal(const char *dir, bool compress, bool compress_copy, bool frames) {
    struct rl_error err = {0};
    struct rng rng = rng_seed(compress + 2 * compress_copy);
    struct replay *replay = create(150, compress, frames);
    struct replay_store *store = replay_store_create(dir);
    for (int64_t end = 1; end < 700; end += 1 + rng_below(&rng, 120)) {
        struct replay_store_state state = {0};
        bool set_last = rng_below(&rng, 2);
        go_on(replay, end, 5, set_last);
        ok(replay_store_save(store, replay, &state, &err), &err);
        assert_int_equal(state.end, end);
        struct replay_store *copy_store;
        struct replay *copy = restore(dir, &state, 150, compress_copy, frames, &copy_store);
        assert_same(replay, copy, kept(replay));
        assert_int_equal(kept(copy), kept(replay));
        go_on(copy, end + 37, 5, true);
        go_on(replay, end + 37, 5, true);
        assert_same(replay, copy, kept(replay));
        replay_destroy(replay);
        replay_store_destroy(store);
        replay = copy; // and this one is saved next
        store = copy_store;
        end += 37;
    }
    replay_destroy(replay);
    replay_store_destroy(store);
}

static void round_trips(void **state) {
    struct fixture *fixture = *state;
    char dir[128];
    for (int variant = 0; variant < 5; variant++) {
        snprintf(dir, sizeof(dir), "%s/%d/replay", fixture->dir, variant);
        restored_is_equal(dir, variant & 1, variant & 2, variant < 4);
    }
}

static void many_entries_and_other_capacities(void **state) {
    struct fixture *fixture = *state;
    struct rl_error err = {0};
    struct replay_store_state saved[2];
    struct replay *replay = create(20000, true, true);
    struct replay_store *store = replay_store_create(fixture->dir), *copy_store;
    go_on(replay, 11000, 7, true);
    ok(replay_store_save(store, replay, &saved[0], &err), &err);
    go_on(replay, 18000, 7, true);
    ok(replay_store_save(store, replay, &saved[1], &err), &err);
    const int64_t capacities[] = {20000, 30000, 5000, 40};
    for (int i = 0; i < 4; i++) {
        struct replay *copy =
            restore(fixture->dir, &saved[1], capacities[i], i & 1, true, &copy_store);
        int64_t count = capacities[i] < 18000 ? capacities[i] : 18000;
        assert_same(replay, copy, count);
        replay_destroy(copy);
        replay_store_destroy(copy_store);
    }
    replay_destroy(replay);
    replay_store_destroy(store);
}

static int files_in(const char *dir) {
    int count = 0;
    char path[128];
    for (int first = 0; first < 3000; first++) {
        snprintf(path, sizeof(path), "%s/seg-%d.bin", dir, first);
        count += file_exists(path);
    }
    return count;
}

// The older checkpoint stays whole until it is pruned; one resumed from drops its abandoned future.
static void pruning_and_abandoned_futures(void **state) {
    struct fixture *fixture = *state;
    struct rl_error err = {0};
    struct replay_store_state saved[10];
    struct replay *replay = create(100, false, true);
    struct replay_store *store = replay_store_create(fixture->dir), *copy_store;
    for (int i = 0; i < 10; i++) {
        go_on(replay, 60 * (i + 1), 3, false);
        ok(replay_store_save(store, replay, &saved[i], &err), &err);
    }
    assert_int_equal(files_in(fixture->dir), 10);
    replay_store_prune(store, saved[7].begin);
    assert_int_equal(files_in(fixture->dir), 4); // entries 378..600 of segments of 60
    struct replay *copy = restore(fixture->dir, &saved[7], 100, false, true, &copy_store);
    go_on(copy, 500, 99, false); // another future than the one saved before
    ok(replay_store_save(copy_store, copy, &saved[8], &err), &err);
    assert_int_equal(files_in(fixture->dir), 3);
    struct replay *fresh = create(100, false, true);
    struct replay_store *fresh_store = replay_store_create(fixture->dir);
    assert_int_equal(replay_store_load(fresh_store, &saved[9], fresh, NULL, &err), RL_EFORMAT);
    assert_int_equal(replay_end(fresh), 0);
    ok(replay_store_load(fresh_store, &saved[8], fresh, NULL, &err), &err);
    assert_same(copy, fresh, 100);
    replay_destroy(fresh);
    replay_destroy(copy);
    replay_destroy(replay);
    replay_store_destroy(fresh_store);
    replay_store_destroy(copy_store);
    replay_store_destroy(store);
}

static enum rl_status load_fails(const char *dir, const struct replay_store_state *saved,
                                 struct rl_error *err) {
    struct replay *replay = create(100, false, true);
    struct replay_store *store = replay_store_create(dir);
    enum rl_status status = replay_store_load(store, saved, replay, NULL, err);
    if (status != RL_OK) { // and the replay can still be used as an empty one
        assert_int_equal(replay_end(replay), 0);
        go_on(replay, 10, 1, true);
    }
    replay_store_destroy(store);
    replay_destroy(replay);
    return status;
}

// Any byte changed or cut is noticed; with the checksum made right again nothing crashes.
static void hostile_files(void **state) {
    struct fixture *fixture = *state;
    struct rl_error err = {0};
    struct replay_store_state saved;
    struct replay *replay = create(100, true, true);
    struct replay_store *store = replay_store_create(fixture->dir);
    go_on(replay, 80, 3, true);
    ok(replay_store_save(store, replay, &saved, &err), &err);
    char path[128];
    snprintf(path, sizeof(path), "%s/seg-0.bin", fixture->dir);
    struct bytes file;
    ok(file_read(path, 1 << 20, &file, &err), &err);
    struct rng rng = rng_seed(1);
    int refused = 0;
    for (int i = 0; i < 600; i++) {
        unsigned char *bad = malloc(file.size);
        memcpy(bad, file.data, file.size);
        size_t at = i < 60 ? (size_t)i : rng_below(&rng, (uint32_t)file.size - 8);
        bad[at] ^= (unsigned char)(1 + rng_below(&rng, 255));
        size_t size = i % 10 == 9 ? at : file.size;
        bool honest = i % 2; // checksum set right
        if (honest && size > 8) {
            uint64_t sum = XXH3_64bits(bad, size - 8);
            memcpy(bad + size - 8, &sum, 8);
            struct replay_store_state forged = saved;
            forged.checksum = XXH3_64bits(&sum, 8);
            ok(file_write_atomic(path, bad, size, &err), &err);
            enum rl_status status = load_fails(fixture->dir, &forged, &err);
            assert_true(status == RL_OK || status == RL_EFORMAT);
            refused += status != RL_OK;
        } else {
            ok(file_write_atomic(path, bad, size, &err), &err);
            assert_int_equal(load_fails(fixture->dir, &saved, &err), RL_EFORMAT);
            assert_non_null(strstr(err.message, "seg-0.bin"));
        }
        free(bad);
    }
    assert_true(refused > 50); // headers, sizes, codes
    unlink(path);
    assert_int_equal(load_fails(fixture->dir, &saved, &err), RL_EFORMAT);
    assert_non_null(strstr(err.message, "seg-0.bin"));
    const struct replay_store_state senseless[] = {
        {-1, 5, 0, 0}, {6, 5, 0, 0}, {0, 5, 1, 0}, {0, INT64_MAX, 0, 0}};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(load_fails(fixture->dir, &senseless[i], &err), RL_EFORMAT);
    }
    mem_free(file.data);
    replay_destroy(replay);
    replay_store_destroy(store);
}

// Each write, fsync and rename of a save fails once: the save says so and the next one succeeds.
static void full_disk(void **state) {
    struct fixture *fixture = *state;
    struct rl_error err = {0};
    struct replay_store_state saved[2] = {0};
    struct replay *replay = create(9000, false, true);
    struct replay_store *store = replay_store_create(fixture->dir), *copy_store;
    go_on(replay, 8000, 3, true);
    ok(replay_store_save(store, replay, &saved[0], &err), &err);
    int failures = 0;
    for (uint64_t n = 1;; n++) {
        go_on(replay, 8000 + 50 * (int64_t)n, 3, true);
        file_fail_at(n, ENOSPC);
        enum rl_status status = replay_store_save(store, replay, &saved[1], &err);
        file_fail_at(0, 0);
        if (status == RL_OK) break;
        failures++;
        assert_int_equal(status, RL_EIO);
        struct replay *old = restore(fixture->dir, &saved[0], 9000, false, true, &copy_store);
        assert_int_equal(replay_end(old), saved[0].end);
        replay_destroy(old);
        replay_store_destroy(copy_store);
        ok(replay_store_save(store, replay, &saved[0], &err), &err);
    }
    assert_true(failures >= 3);
    struct replay *copy = restore(fixture->dir, &saved[1], 9000, false, true, &copy_store);
    assert_same(replay, copy, kept(replay));
    replay_destroy(copy);
    replay_destroy(replay);
    replay_store_destroy(copy_store);
    replay_store_destroy(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(round_trips, setup, teardown),
        cmocka_unit_test_setup_teardown(many_entries_and_other_capacities, setup, teardown),
        cmocka_unit_test_setup_teardown(pruning_and_abandoned_futures, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_files, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
