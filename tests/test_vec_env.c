// Vector stepping: the same bits for any number of threads, the same as single environments,
// auto-reset.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "envs/vec_env.h"

#define COUNT 5
#define STEPS 60

static struct vec_env *make(const char *name, bool pixels, struct pool *pool) {
    struct env_options options;
    struct rl_error err = {0};
    opt_set_defaults(&env_opts, &options);
    options.pixels = pixels;
    options.image_size = 32;
    struct vec_env *vec = vec_env_create(name, &options, COUNT, 9, pool, &err);
    if (!vec) fail_msg("%s", err.message);
    return vec;
}

static uint64_t add_bits(uint64_t bits, const void *data, size_t size) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) bits = (bits ^ bytes[i]) * 1099511628211u;
    return bits;
}

// Random actions; a hash over everything that came back, per environment and in order.
static uint64_t run(struct vec_env *vec, int steps) {
    const struct env_spec *spec = env_spec(vec_env_at(vec, 0));
    struct time_step step[COUNT];
    struct rng rng = rng_seed(3);
    struct rl_error err = {0};
    double action[COUNT * 32];
    uint64_t bits = 14695981039346656037u;
    assert_int_equal(vec_env_reset(vec, step, &err), RL_OK);
    for (int t = 0; t < steps; t++) {
        for (int i = 0; i < COUNT * spec->action_dim; i++) action[i] = rng_range(&rng, -1, 1);
        if (vec_env_step(vec, action, step, &err) != RL_OK) fail_msg("%s", err.message);
        for (int i = 0; i < COUNT; i++) {
            bits = add_bits(bits, step[i].obs, (size_t)spec->obs_dim * sizeof(double));
            bits = add_bits(bits, &step[i].reward, sizeof(double));
            if (step[i].frame) bits = add_bits(bits, step[i].frame, 32 * 32 * 3);
        }
    }
    return bits;
}

static void test_threads(void **state) {
    (void)state;
    for (int pixels = 0; pixels < 2; pixels++) {
        uint64_t bits[3];
        for (int threads = 1; threads <= 3; threads++) {
            struct rl_error err = {0};
            struct pool *pool = pool_create(threads, &err);
            struct vec_env *vec = make("walker-walk", pixels, pool);
            bits[threads - 1] = run(vec, pixels ? 6 : STEPS);
            vec_env_destroy(vec);
            pool_destroy(pool);
        }
        assert_true(bits[0] == bits[1] && bits[1] == bits[2]);
    }
}

static void test_streams_differ(void **state) {
    (void)state;
    struct vec_env *vec = make("reacher", false, NULL);
    struct time_step step[COUNT];
    struct rl_error err = {0};
    assert_int_equal(vec_env_reset(vec, step, &err), RL_OK);
    for (int i = 1; i < COUNT; i++)
        assert_memory_not_equal(step[0].obs, step[i].obs, 6 * sizeof(double));
    vec_env_destroy(vec);
}

// The step that ends an episode carries the next one's observation, and the last one is kept.
static void test_auto_reset(void **state) {
    (void)state;
    struct vec_env *vec = make("cartpole-balance", false, NULL);
    struct time_step step[COUNT];
    struct rl_error err = {0};
    double action[COUNT] = {0.3, -0.3, 0.1, 0, 1}, before[5];
    assert_int_equal(vec_env_reset(vec, step, &err), RL_OK);
    for (int t = 0; t < 500; t++) {
        memcpy(before, step[4].obs, sizeof before);
        assert_int_equal(vec_env_step(vec, action, step, &err), RL_OK);
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(step[i].last, t == 499); // 1000 frames, 2 a step
    }
    for (int i = 0; i < COUNT; i++) {
        assert_true(step[i].reward > 0 && step[i].discount == 1 && !step[i].first);
        assert_memory_not_equal(step[i].obs, vec_env_final_obs(vec, i), sizeof before);
    }
    assert_true(vec_env_final_obs(vec, 4)[0] > 1.5); // pushed to the end of the rails
    assert_true(step[4].obs[0] < 0.2);               // and back in the middle
    vec_env_destroy(vec);
}

static void test_failures(void **state) {
    (void)state;
    struct vec_env *vec = make("pendulum", false, NULL);
    struct time_step step[COUNT];
    struct rl_error err = {0};
    double action[COUNT] = {0, 0, NAN, 0, NAN};
    assert_int_equal(vec_env_reset(vec, step, &err), RL_OK);
    assert_int_equal(vec_env_step(vec, action, step, &err), RL_ENUMERIC);
    assert_ptr_equal(strstr(err.message, "environment 2:"), err.message);
    vec_env_destroy(vec);
    struct env_options options;
    opt_set_defaults(&env_opts, &options);
    assert_null(vec_env_create("pendulm", &options, 2, 1, NULL, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_streams_differ),
        cmocka_unit_test(test_auto_reset),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
