// Environments: episodes, action repeat, determinism, saving, wrong input. State only, except where
// a test says pixels.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "envs/env.h"

static struct env *make(const char *name, int64_t action_repeat, uint64_t seed) {
    struct env_options options;
    opt_set_defaults(&env_opts, &options);
    options.pixels = false;
    options.action_repeat = action_repeat;
    struct rl_error err = {0};
    struct env *env = env_create(name, &options, seed, &err);
    if (!env) fail_msg("%s: %s", name, err.message);
    return env;
}

static void random_action(struct rng *rng, const struct env *env, double *action) {
    for (int i = 0; i < env_spec(env)->action_dim; i++) action[i] = rng_range(rng, -1, 1);
}

static void step_ok(struct env *env, const double *action, struct time_step *step) {
    struct rl_error err = {0};
    if (env_step(env, action, step, &err) != RL_OK) fail_msg("%s", err.message);
}

static void reset_ok(struct env *env, struct time_step *step) {
    struct rl_error err = {0};
    if (env_reset(env, step, &err) != RL_OK) fail_msg("%s", err.message);
}

// Steps with random actions and returns a sum of bits over what was seen; resets when an episode
// ends.
static uint64_t run_bits(struct env *env, struct rng *rng, int steps, bool begin) {
    struct time_step step;
    double action[64];
    uint64_t bits = 14695981039346656037u;
    if (begin) reset_ok(env, &step);
    for (int t = 0; t < steps; t++) {
        random_action(rng, env, action);
        step_ok(env, action, &step);
        for (int i = 0; i <= env_spec(env)->obs_dim; i++) {
            uint64_t word;
            memcpy(&word, i < env_spec(env)->obs_dim ? &step.obs[i] : &step.reward, sizeof word);
            bits = (bits ^ word) * 1099511628211u;
        }
        if (step.last) reset_ok(env, &step);
    }
    return bits;
}

static void check_ranges(struct env *env) {
    const struct env_spec *spec = env_spec(env);
    assert_true(spec->obs_dim > 0 && spec->action_dim > 0 && spec->action_dim <= 64);
    struct time_step step;
    struct rng rng = rng_seed(1);
    double action[64];
    reset_ok(env, &step);
    assert_true(step.first && !step.last && step.discount == 1);
    for (int t = 0; t < 10; t++) {
        random_action(&rng, env, action);
        step_ok(env, action, &step);
        for (int k = 0; k < spec->obs_dim; k++) assert_true(isfinite(step.obs[k]));
        double most = spec->reward_max_per_frame * step.frames;
        if (most > 0 && !(step.reward >= 0 && step.reward <= most)) {
            fail_msg("%s: reward %g", spec->name, step.reward);
        }
        if (step.last) reset_ok(env, &step);
    }
}

// A saved state, loaded into an environment that was elsewhere, continues to the same bits.
static void check_saving(struct env *env, struct env *other) {
    struct rng rng = rng_seed(4);
    struct rl_error err = {0};
    run_bits(env, &rng, 5, true);
    size_t size = env_state_bytes(env);
    unsigned char *bytes = mem_alloc(size + 1);
    env_state_save(env, bytes + 1); // unaligned on purpose
    struct rng again = rng;
    uint64_t expected = run_bits(env, &rng, 12, false);
    run_bits(other, &rng, 3, true);
    assert_int_equal(env_state_load(other, bytes + 1, size, &err), RL_OK);
    if (run_bits(other, &again, 12, false) != expected) fail_msg("%s", env_spec(env)->name);
    assert_int_equal(env_state_load(other, bytes + 1, size - 1, &err), RL_EFORMAT);
    bytes[1] ^= 1;
    assert_int_equal(env_state_load(other, bytes + 1, size, &err), RL_EFORMAT);
    mem_free(bytes);
}

// Every task: finite observations, rewards within [0, most] a frame, two runs of a seed equal to
// the bit, saving.
static void test_every_task(void **state) {
    (void)state;
    assert_true(env_task_count() > 0);
    for (int i = 0; i < env_task_count(); i++) {
        struct env *env = make(env_task_name(i), 0, 3), *twin = make(env_task_name(i), 0, 3);
        assert_string_equal(env_spec(env)->name, env_task_name(i));
        struct rng a = rng_seed(2), b = rng_seed(2);
        if (run_bits(env, &a, 8, true) != run_bits(twin, &b, 8, true))
            fail_msg("%s", env_task_name(i));
        check_ranges(env);
        check_saving(env, twin);
        env_destroy(env);
        env_destroy(twin);
    }
}

static void test_time_limit(void **state) {
    (void)state;
    struct env *env = make("cheetah", 3, 1);
    struct time_step step;
    double action[6] = {0};
    reset_ok(env, &step);
    int frames = 0, steps = 0;
    do {
        step_ok(env, action, &step);
        frames += step.frames;
        steps++;
    } while (!step.last);
    assert_int_equal(frames, 1000);
    assert_int_equal(steps, 334);
    assert_int_equal(step.frames, 1); // 1000 = 333 * 3 + 1
    assert_true(step.discount == 1);  // a time limit is no failure
    env_destroy(env);
}

static void test_action_repeat(void **state) {
    (void)state;
    struct env *one = make("cheetah-run", 1, 5), *four = make("cheetah-run", 4, 5);
    struct time_step a, b;
    double action[6] = {0.5, -0.5, 1, -1, 0.2, 7}; // 7 is clipped to 1
    double clipped[6] = {0.5, -0.5, 1, -1, 0.2, 1};
    reset_ok(one, &a);
    reset_ok(four, &b);
    for (int t = 0; t < 5; t++) {
        double sum = 0;
        for (int k = 0; k < 4; k++) {
            step_ok(one, clipped, &a);
            sum += a.reward;
        }
        step_ok(four, action, &b);
        assert_int_equal(b.frames, 4);
        assert_true(sum == b.reward);
        assert_memory_equal(a.obs, b.obs, (size_t)env_spec(one)->obs_dim * sizeof(double));
    }
    env_destroy(one);
    env_destroy(four);
}

static void test_wrong_names(void **state) {
    (void)state;
    struct env_options options;
    opt_set_defaults(&env_opts, &options);
    options.pixels = false;
    struct rl_error err = {0};
    assert_null(env_create("chetah", &options, 1, &err));
    assert_int_equal(err.code, RL_EUSAGE);
    assert_string_equal(err.message, "unknown environment 'chetah' (did you mean 'cheetah'?)");
    assert_null(env_create("cheetah-rnu", &options, 1, &err));
    assert_string_equal(err.message,
                        "unknown environment 'cheetah-rnu' (did you mean 'cheetah-run'?)");
    assert_null(env_create("", &options, 1, &err));
    const char *const same[] = {"cheetah", "cheetah-run", "cheetah/run", "cheetah_run"};
    for (int i = 0; i < 4; i++) {
        struct env *env = make(same[i], 0, 1);
        assert_string_equal(env_spec(env)->name, "cheetah-run");
        env_destroy(env);
    }
}

static void test_bad_actions(void **state) {
    (void)state;
    struct env *env = make("cheetah", 1, 1);
    struct time_step step;
    struct rl_error err = {0};
    double action[6] = {0, 0, NAN, 0, 0, 0};
    reset_ok(env, &step);
    assert_int_equal(env_step(env, action, &step, &err), RL_ENUMERIC);
    assert_non_null(strstr(err.message, "action[2]"));
    action[2] = 0;
    step_ok(env, action, &step); // goes on as if nothing had happened
    env_destroy(env);
}

static void test_unstable_physics(void **state) {
    (void)state;
    struct env *env = make("cheetah", 2, 1);
    struct time_step step;
    double action[6] = {0};
    reset_ok(env, &step);
    step_ok(env, action, &step);
    env_data(env)->qvel[3] = NAN;
    step_ok(env, action, &step);
    assert_true(step.last && step.discount == 0 && step.reward == 0 && step.frames == 1);
    assert_int_equal(env_unstable_count(env), 1);
    for (int i = 0; i < env_spec(env)->obs_dim; i++) assert_true(isfinite(step.obs[i]));
    reset_ok(env, &step);
    step_ok(env, action, &step);
    assert_false(step.last);
    env_destroy(env);
}

// Frames: drawn after resets and steps, the same for the same state, moving with the state; a load
// redraws.
static void test_pixels(void **state) {
    (void)state;
    struct env_options options;
    opt_set_defaults(&env_opts, &options);
    struct rl_error err = {0};
    struct env *env = env_create("cheetah", &options, 1, &err),
               *twin = env_create("cheetah", &options, 2, &err);
    if (!env || !twin) fail_msg("%s", err.message);
    const int *dim = env_spec(env)->frame_dim;
    assert_true(dim[0] == 84 && dim[1] == 84 && dim[2] == 3);
    size_t size = 84 * 84 * 3, state_size = env_state_bytes(env);
    uint8_t *first = mem_alloc(size), *saved = mem_alloc(state_size);
    const uint8_t *frame;
    struct time_step step;
    double action[6] = {1, 1, 1, 1, 1, 1};
    reset_ok(env, &step);
    memcpy(first, step.frame, size);
    env_state_save(env, saved);
    step_ok(env, action, &step);
    assert_memory_not_equal(first, step.frame, size);
    assert_int_equal(env_state_load(twin, saved, state_size, &err), RL_OK);
    assert_int_equal(env_draw(twin, &frame, &err), RL_OK);
    assert_memory_equal(first, frame, size);
    struct env *blind = make("cheetah", 0, 1);
    assert_int_equal(env_draw(blind, &frame, &err), RL_EUNAVAILABLE);
    options.camera = 7;
    assert_null(env_create("cheetah", &options, 1, &err));
    assert_string_equal(err.message, "env.camera 7: cheetah-run has cameras 0 to 1");
    mem_free(first);
    mem_free(saved);
    env_destroy(env);
    env_destroy(twin);
    env_destroy(blind);
}

static void test_no_allocation(void **state) {
    (void)state;
    struct env *env = make("cheetah", 4, 1);
    struct rng rng = rng_seed(1);
    run_bits(env, &rng, 10, true);
    uint64_t before = mem_allocation_count();
    run_bits(env, &rng, 300, false);
    assert_int_equal(mem_allocation_count(), before);
    env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task),    cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_action_repeat), cmocka_unit_test(test_wrong_names),
        cmocka_unit_test(test_bad_actions),   cmocka_unit_test(test_unstable_physics),
        cmocka_unit_test(test_no_allocation), cmocka_unit_test(test_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
