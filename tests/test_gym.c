// Gymnasium's MuJoCo tasks (v5) against trajectories made with Gymnasium itself
// (tests/data/gym/make.py): from the same initial state, the same actions give the same
// observations, rewards and endings.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "envs/env.h"
#include "nn/safetensors.h"

static struct env *make(const char *name) {
    struct env_options options;
    struct rl_error err = {0};
    char full[64];
    opt_set_defaults(&env_opts, &options);
    options.pixels = false;
    snprintf(full, sizeof full, "gym-%s", name);
    struct env *env = env_create(full, &options, 1, &err);
    if (!env) fail_msg("%s", err.message);
    return env;
}

static const struct st_tensor *get(const struct st_file *file, const char *key) {
    const struct st_tensor *tensor = st_find(file, key);
    assert_non_null(tensor);
    return tensor;
}

static void check_obs(const char *name, const struct st_file *file, int row, const double *obs,
                      int count) {
    const struct st_tensor *want = get(file, "obs");
    assert_int_equal(want->dim[1], count);
    for (int i = 0; i < count; i++) {
        double expected = st_get(want, (int64_t)row * count + i);
        if (!(fabs(obs[i] - expected) <= 1e-8 * fmax(1, fabs(expected)))) {
            fail_msg("%s obs[%d][%d]: %.12g, expected %.12g", name, row, i, obs[i], expected);
        }
    }
}

static void start(struct env *env, const struct st_file *file, struct time_step *step) {
    struct rl_error err = {0};
    assert_int_equal(env_reset(env, step, &err), RL_OK);
    mj_resetData(env_model(env), env_data(env));
    st_copy_double(get(file, "init.qpos"), env_data(env)->qpos);
    st_copy_double(get(file, "init.qvel"), env_data(env)->qvel);
    assert_int_equal(env_restart(env, step, &err), RL_OK);
}

static void check_task(const char *name) {
    char path[512];
    struct st_file file;
    struct rl_error err = {0};
    struct time_step step;
    snprintf(path, sizeof path, "%s/tests/data/gym/%s.safetensors", RLRUN_SOURCE_DIR, name);
    if (st_read(path, &file, &err) != RL_OK) fail_msg("%s", err.message);
    struct env *env = make(name);
    const mjModel *model = env_model(env);
    int obs_dim = env_spec(env)->obs_dim, nu = env_spec(env)->action_dim;
    start(env, &file, &step);
    check_obs(name, &file, 0, step.obs, obs_dim);
    int steps = (int)get(&file, "action")->dim[0];
    assert_true(steps >= 3);
    for (int t = 0; t < steps; t++) {
        double action[32];
        for (int i = 0; i < nu; i++) {
            action[i] =
                st_get(get(&file, "action"), t * nu + i) / model->actuator_ctrlrange[2 * i + 1];
        }
        assert_int_equal(env_step(env, action, &step, &err), RL_OK);
        check_obs(name, &file, t + 1, step.obs, obs_dim);
        double reward = st_get(get(&file, "reward"), t);
        if (!(fabs(step.reward - reward) <= 1e-8 * fmax(1, fabs(reward)))) {
            fail_msg("%s reward[%d]: %.12g, expected %.12g", name, t, step.reward, reward);
        }
        bool ended = st_get(get(&file, "terminated"), t) != 0;
        assert_int_equal(step.discount == 0, ended);
    }
    st_release(&file);
    env_destroy(env);
}

static void test_trajectories(void **state) {
    (void)state;
    int count = 0;
    for (int i = 0; i < env_task_count(); i++) {
        const char *name = env_task_name(i);
        if (strncmp(name, "gym-", 4)) continue;
        check_task(name + 4);
        count++;
    }
    assert_int_equal(count, 10);
}

// Resets stay where Gymnasium draws them.
static void test_resets(void **state) {
    (void)state;
    struct env *pusher = make("pusher"), *reacher = make("reacher");
    struct time_step step;
    struct rl_error err = {0};
    for (int n = 0; n < 200; n++) {
        assert_int_equal(env_reset(pusher, &step, &err), RL_OK);
        const double *object = env_data(pusher)->qpos + 7;
        assert_true(object[0] >= -0.3 && object[0] <= 0 && fabs(object[1]) <= 0.2);
        assert_true(hypot(object[0], object[1]) > 0.17 && object[2] == 0 && object[3] == 0);
        assert_int_equal(env_reset(reacher, &step, &err), RL_OK);
        const double *qpos = env_data(reacher)->qpos;
        assert_true(hypot(qpos[2], qpos[3]) < 0.2 && fabs(qpos[0]) <= 0.1 &&
                    env_data(reacher)->qvel[2] == 0);
    }
    env_destroy(pusher);
    env_destroy(reacher);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trajectories),
        cmocka_unit_test(test_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
