// The replay against plain arrays that remember everything, over random episodes.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "replay/interleave.h"
#include "replay/replay.h"

enum { MAX_ENTRIES = 4000, HEIGHT = 3, WIDTH = 5, OBS = 2, ACTION = 3, LATENT = 4 };
enum { FRAME_BYTES = HEIGHT * WIDTH * 3, MAX_STACK = 4 };

// What a run saw, kept whole.
struct history {
    int count;
    uint8_t frames[MAX_ENTRIES][FRAME_BYTES];
    double obs[MAX_ENTRIES][OBS];
    real actions[MAX_ENTRIES][ACTION];
    double rewards[MAX_ENTRIES], discounts[MAX_ENTRIES]; // of the step that led to the entry
    bool first[MAX_ENTRIES], last[MAX_ENTRIES];
};

static struct replay_spec small_spec(int64_t capacity, int stack, int reserve) {
    return (struct replay_spec){.capacity = capacity,
                                .frame_dim = {HEIGHT, WIDTH, 3},
                                .frame_stack = stack,
                                .obs_dim = OBS,
                                .action_dim = ACTION,
                                .latent_dim = LATENT,
                                .reserve = reserve};
}

static struct replay *create(struct replay_spec spec) {
    struct rl_error err = {0};
    struct replay *replay = replay_create(&spec, &err);
    if (!replay) fail_msg("%s", err.message);
    return replay;
}

// One more entry, at random: episodes of 1 to 12 entries that end, are terminal or are broken off.
static void step(struct history *h, struct replay *replay, struct rng *rng) {
    int i = h->count++;
    assert_in_range(i, 0, MAX_ENTRIES - 1);
    bool ended = i == 0 || h->last[i - 1];
    h->first[i] = ended || rng_below(rng, 24) == 0;
    h->last[i] = rng_below(rng, 6) == 0;
    h->rewards[i] = rng_normal(rng);
    h->discounts[i] = h->last[i] && rng_below(rng, 2) ? 0 : 1 - 0.25 * rng_below(rng, 2);
    for (int k = 0; k < FRAME_BYTES; k++) h->frames[i][k] = (uint8_t)rng_below(rng, 256);
    for (int k = 0; k < OBS; k++) h->obs[i][k] = rng_normal(rng);
    struct replay_entry entry = {h->frames[i],    h->obs[i],   h->rewards[i],
                                 h->discounts[i], h->first[i], h->last[i]};
    assert_int_equal(replay_append(replay, &entry), i);
    if (!h->first[i] && i % 3 == 0) { // a bonus, as exploration adds one
        replay_add_reward(replay, 0.25);
        h->rewards[i] += 0.25;
    }
    for (int k = 0; k < LATENT; k++) replay_latent(replay, i)[k] = (float)(i * 10 + k);
    if (h->last[i]) return;
    for (int k = 0; k < ACTION; k++) h->actions[i][k] = (real)rng_range(rng, -1, 1);
    replay_set_action(replay, h->actions[i]);
}

static bool is_transition(const struct history *h, int begin, int i) {
    return i >= begin && i + 1 < h->count && !h->last[i] && !h->first[i + 1];
}

static void check_stack(const struct history *h, const struct replay *replay, int i) {
    int stack = replay_spec(replay)->frame_stack;
    uint8_t got[FRAME_BYTES * MAX_STACK];
    replay_stack(replay, i, got);
    for (int k = 0; k < stack; k++) {
        int source = i;
        for (int back = stack - 1 - k; back > 0 && !h->first[source]; back--) source--;
        for (int p = 0; p < HEIGHT * WIDTH; p++) {
            for (int c = 0; c < 3; c++) {
                assert_int_equal(got[(p * stack + k) * 3 + c], h->frames[source][p * 3 + c]);
            }
        }
    }
}

// A batch of stacks, long enough to be written past the caches, and one by one.
static void check_stacks(const struct replay *replay, struct rng *rng) {
    enum { COUNT = 8000 };
    size_t stack_bytes = FRAME_BYTES * (size_t)replay_spec(replay)->frame_stack;
    int64_t *entries = MEM_ARRAY(int64_t, COUNT);
    uint8_t *got = mem_alloc(COUNT * stack_bytes), one[FRAME_BYTES * MAX_STACK];
    struct replay_window window = replay_window(replay);
    for (int i = 0; i < COUNT; i++) {
        entries[i] = window.begin + rng_below(rng, (uint32_t)(window.end - window.begin));
    }
    replay_stacks(replay, entries, COUNT, got);
    for (int i = 0; i < COUNT; i++) {
        replay_stack(replay, entries[i], one);
        assert_memory_equal(got + (size_t)i * stack_bytes, one, stack_bytes);
    }
    mem_free(entries);
    mem_free(got);
}

static void check_n_step(const struct history *h, const struct replay *replay, int i, int n) {
    struct replay_return got = replay_n_step(replay, replay_window(replay), i, n, 0.9);
    int end = i;
    while (end < i + n && is_transition(h, i, end)) end++;
    double reward = 0;
    for (int k = end - 1; k >= i; k--) { // backwards, unlike the replay's forward sum
        reward = h->rewards[k + 1] + (k + 1 < end ? 0.9 * h->discounts[k + 1] * reward : 0);
    }
    double discount = 1;
    for (int k = i; k < end; k++) discount *= 0.9 * h->discounts[k + 1];
    assert_int_equal(got.next, end);
    assert_int_equal(got.n_steps, end - i);
    assert_true(fabs(got.reward - reward) < 1e-12 && fabs(got.discount - discount) < 1e-12);
    if (h->last[end] && h->discounts[end] == 0) assert_true(got.discount == 0);
    assert_int_equal(replay_ahead(replay, replay_window(replay), i, n), end);
}

static void check_all(const struct history *h, struct replay *replay) {
    struct replay_window window = replay_window(replay);
    int64_t kept = h->count - replay_spec(replay)->capacity;
    assert_int_equal(window.end, h->count);
    assert_int_equal(window.begin, kept > 0 ? kept : 0);
    bool any = false;
    for (int i = (int)window.begin; i < h->count; i++) {
        uint8_t frame[FRAME_BYTES];
        replay_read_frame(replay, i, frame);
        assert_memory_equal(frame, h->frames[i], FRAME_BYTES);
        if (!replay_spec(replay)->compress) {
            assert_memory_equal(replay_frame(replay, i), h->frames[i], FRAME_BYTES);
        }
        for (int k = 0; k < OBS; k++) assert_true(replay_obs(replay, i)[k] == (float)h->obs[i][k]);
        assert_true(replay_latent(replay, i)[LATENT - 1] == (float)(i * 10 + LATENT - 1));
        assert_int_equal(replay_is_last(replay, i), h->last[i]);
        check_stack(h, replay, i);
        bool usable = is_transition(h, (int)window.begin, i);
        any |= usable;
        assert_int_equal(replay_is_transition(replay, window, i), usable);
        if (!usable) continue;
        assert_true(replay_reward(replay, i) == h->rewards[i + 1]);
        for (int k = 0; k < ACTION; k++) {
            assert_true(replay_action(replay, i)[k] == (float)h->actions[i][k]);
        }
        for (int n = 1; n <= 5; n++) check_n_step(h, replay, i, n);
    }
    assert_int_equal(replay_has_transition(replay, window), any);
}

static void same_as_plain_arrays(void **state) {
    (void)state;
    static struct history h;
    for (int variant = 0; variant < 4 * MAX_STACK; variant++) {
        memset(&h, 0, sizeof(h));
        struct rng rng = rng_seed((uint64_t)variant);
        struct replay_spec spec = small_spec(41, 1 + variant / 4, variant & 1 ? 7 : 0);
        spec.compress = variant & 2;
        struct replay *replay = create(spec);
        for (int i = 0; i < 400; i++) {
            step(&h, replay, &rng);
            if (i < 60 || i % 17 == 0 || i > 380) check_all(&h, replay);
        }
        check_stacks(replay, &rng);
        replay_destroy(replay);
    }
}

// Every variant of interleaving over odd shapes; nothing is written past the end.
static void interleaving(void **state) {
    (void)state;
    enum { MAX_PIXELS = 150, BYTES = MAX_PIXELS * 64 };
    static uint8_t frames[INTERLEAVE_MAX][MAX_PIXELS * 4];
    static _Alignas(64) uint8_t out[BYTES + 64];
    struct rng rng = rng_seed(2);
    for (size_t k = 0; k < INTERLEAVE_MAX; k++) {
        for (size_t i = 0; i < sizeof(frames[0]); i++) frames[k][i] = (uint8_t)rng_below(&rng, 256);
    }
    for (size_t channels = 1; channels <= 4; channels++) {
        for (size_t n = 1; n <= INTERLEAVE_MAX; n++) {
            for (int variant = 0; variant < 4; variant++) {
                struct interleave plan;
                interleave_init(&plan, n, channels);
                struct interleave_args args = {.stream = variant & 1,
                                               .n_pixels = 1 + rng_below(&rng, MAX_PIXELS)};
                args.out = out + (variant & 2 ? 1 : 0); // unaligned too
                for (size_t k = 0; k < n; k++) args.frames[k] = frames[k];
                memset(out, 0xab, sizeof(out));
                interleave(&plan, &args);
                for (size_t i = 0; i < args.n_pixels; i++) {
                    for (size_t c = 0; c < n * channels; c++) {
                        assert_int_equal(args.out[i * n * channels + c],
                                         frames[c / channels][i * channels + c % channels]);
                    }
                }
                assert_int_equal(args.out[args.n_pixels * n * channels], 0xab);
            }
        }
    }
}

static void samples_are_uniform_over_transitions(void **state) {
    (void)state;
    static struct history h;
    memset(&h, 0, sizeof(h));
    struct rng rng = rng_seed(5);
    struct replay *replay = create(small_spec(64, 3, 0));
    for (int i = 0; i < 150; i++) step(&h, replay, &rng);
    struct replay_window window = replay_window(replay);
    int counts[150] = {0}, n_transitions = 0;
    enum { DRAWS = 40000 };
    for (int i = 0; i < DRAWS; i++) counts[replay_sample(replay, window, &rng)]++;
    for (int i = 0; i < 150; i++) n_transitions += is_transition(&h, (int)window.begin, i);
    double expected = (double)DRAWS / n_transitions, chi2 = 0;
    for (int i = 0; i < 150; i++) {
        if (is_transition(&h, (int)window.begin, i)) {
            chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
        } else {
            assert_int_equal(counts[i], 0);
        }
    }
    // chi2 of n-1 degrees of freedom: mean n-1, deviation sqrt(2 (n-1)).
    assert_true(chi2 < n_transitions + 5 * sqrt(2.0 * n_transitions));
    replay_destroy(replay);
}

static void same_seed_same_draws(void **state) {
    (void)state;
    static struct history h;
    int64_t draws[2][64];
    for (int run = 0; run < 2; run++) {
        memset(&h, 0, sizeof(h));
        struct rng rng = rng_seed(9), sampler = rng_fork(9, "sample");
        struct replay *replay = create(small_spec(50, 2, 4));
        for (int i = 0; i < 130; i++) step(&h, replay, &rng);
        for (int i = 0; i < 64; i++) {
            draws[run][i] = replay_sample(replay, replay_window(replay), &sampler);
        }
        replay_destroy(replay);
    }
    assert_memory_equal(draws[0], draws[1], sizeof(draws[0]));
}

// A reader on the window of before while the writer appends `reserve` entries: nothing that it sees
// may change (and the thread sanitizer must have nothing to say).
struct reading {
    const struct replay *replay;
    struct replay_window window;
    uint64_t sum;
};

static void *read_window(void *context) {
    struct reading *reading = context;
    struct rng rng = rng_seed(77);
    uint8_t stack[FRAME_BYTES * 3];
    uint64_t sum = 0;
    for (int i = 0; i < 2000; i++) {
        int64_t entry = replay_sample(reading->replay, reading->window, &rng);
        struct replay_return back = replay_n_step(reading->replay, reading->window, entry, 3, 0.99);
        replay_stack(reading->replay, back.next, stack);
        for (int k = 0; k < FRAME_BYTES * 3; k++) sum = sum * 31 + stack[k];
        sum = sum * 31 + (uint64_t)(int64_t)(back.reward * 1e6);
        sum = sum * 31 + (uint64_t)(int64_t)(replay_action(reading->replay, entry)[0] * 1e6f);
        sum = sum * 31 + (uint64_t)(int64_t)replay_obs(reading->replay, back.next)[0];
        replay_stack(reading->replay, reading->window.begin, stack);
        sum = sum * 31 + stack[0];
    }
    reading->sum = sum;
    return NULL;
}

static void readers_beside_the_writer(void **state) { // *state: compressed
    enum { RESERVE = 50 };
    static struct history h;
    memset(&h, 0, sizeof(h));
    struct rng rng = rng_seed(3);
    struct replay_spec spec = small_spec(80, 3, RESERVE);
    spec.compress = *state != NULL;
    struct replay *replay = create(spec);
    for (int tick = 0; tick < 10; tick++) {
        struct reading alone = {replay, replay_window(replay), 0}, beside = alone;
        pthread_t thread;
        bool can_read = replay_has_transition(replay, alone.window);
        if (can_read) {
            read_window(&alone);
            assert_int_equal(pthread_create(&thread, NULL, read_window, &beside), 0);
        }
        for (int i = 0; i < RESERVE; i++) step(&h, replay, &rng);
        if (can_read) {
            pthread_join(thread, NULL);
            assert_true(alone.sum == beside.sum);
        }
    }
    replay_destroy(replay);
}

static void large_capacities(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct replay_spec spec = small_spec(1000000, 3, 100);
    spec.frame_dim[0] = spec.frame_dim[1] = 32;
    spec.latent_dim = 50;
    struct replay *replay = replay_create(&spec, &err); // 3 GB of address space, untouched
    assert_non_null(replay);
    replay_destroy(replay);

    spec.frame_dim[0] = spec.frame_dim[1] = 20000;
    assert_null(replay_create(&spec, &err));
    assert_int_equal(err.code, RL_ENOMEM);
    assert_non_null(strstr(err.message, "--replay.capacity"));
    for (int64_t bad = -1; bad < 2; bad++) {
        spec = small_spec(bad, 3, 0);
        assert_null(replay_create(&spec, &err));
        assert_int_equal(err.code, RL_EUSAGE);
    }
    for (uint64_t n = 1; n <= 7; n++) { // each column's allocation fails once
        spec = small_spec(100, 3, 0);
        mem_fail_at(n);
        assert_null(replay_create(&spec, &err));
        assert_int_equal(err.code, RL_ENOMEM);
    }
    mem_fail_at(0);
}

static void no_allocation_in_the_loop(void **state) {
    (void)state;
    static struct history h;
    memset(&h, 0, sizeof(h));
    struct rng rng = rng_seed(1);
    struct replay *replay = create(small_spec(30, 3, 2));
    uint8_t stack[FRAME_BYTES * 3];
    uint64_t before = mem_allocation_count();
    for (int i = 0; i < 100; i++) {
        step(&h, replay, &rng);
        replay_stack(replay, replay_end(replay) - 1, stack);
    }
    assert_true(mem_allocation_count() == before);
    replay_destroy(replay);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_plain_arrays),
        cmocka_unit_test(interleaving),
        cmocka_unit_test(samples_are_uniform_over_transitions),
        cmocka_unit_test(same_seed_same_draws),
        cmocka_unit_test(readers_beside_the_writer),
        cmocka_unit_test_prestate(readers_beside_the_writer, "compressed"),
        cmocka_unit_test(large_capacities),
        cmocka_unit_test(no_allocation_in_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
