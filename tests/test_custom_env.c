// Environments of the user's: MJCF with YAML, plug-ins, and everything that can be wrong with them.
#include <math.h>
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
#include "envs/custom.h"
#include "envs/env.h"

static char folder[64], model_path[128], yaml_path[128];

static const char *const good_model =
    "<mujoco><option timestep='0.01'/><worldbody><body name='pole' pos='0 0 1'>"
    "<joint name='hinge' type='hinge' axis='0 1 0' limited='true' range='-90 90'/>"
    "<geom type='capsule' fromto='0 0 0 0 0 0.5' size='0.05'/><site name='tip' pos='0 0 "
    "0.5'/></body>"
    "<site name='goal' pos='0 0 1.5'/></worldbody>"
    "<actuator><motor joint='hinge' ctrllimited='true' ctrlrange='-2 2'/></actuator></mujoco>";

static const char *const good_yaml =
    "task:\n  name: hold\n  time_limit_s: 1\n  control_timestep_s: 0.02\n"
    "  action_repeat: 3\nreset:\n  joints: random\n"
    "observe:\n  quantities: qpos:hinge qvel site:tip.x site:tip.z\n"
    "reward.near:\n  quantity: distance:tip,goal\n  upper: 0.1\n"
    "  margin: 1\n  sigmoid: linear\n  value_at_margin: 0.25\n"
    "reward.effort:\n  quantity: effort\n  shape: value\n  weight: -0.01\n"
    "end.low:\n  quantity: site:tip.z\n  lower: 1.2\n";

static void write_file(const char *path, const char *text) {
    struct rl_error err = {0};
    if (file_write_atomic(path, text, strlen(text), &err) != RL_OK) fail_msg("%s", err.message);
}

static int setup(void **state) {
    (void)state;
    strcpy(folder, "/tmp/rlrun_custom_XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(model_path, sizeof model_path, "%s/arm.xml", folder);
    snprintf(yaml_path, sizeof yaml_path, "%s/arm.yaml", folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(model_path);
    unlink(yaml_path);
    return rmdir(folder);
}

static struct env *make(const char *name, struct rl_error *err) {
    struct env_options options;
    opt_set_defaults(&env_opts, &options);
    options.pixels = false;
    return env_create(name, &options, 3, err);
}

static void test_own_model(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct time_step step;
    write_file(model_path, good_model);
    write_file(yaml_path, good_yaml);
    struct env *env = make(model_path, &err);
    if (!env) fail_msg("%s", err.message);
    const struct env_spec *spec = env_spec(env);
    assert_string_equal(spec->name, "arm-hold");
    assert_true(spec->obs_dim == 4 && spec->action_dim == 1 && spec->action_repeat == 3);
    assert_int_equal(spec->episode_frames, 50);
    assert_int_equal(env_reset(env, &step, &err), RL_OK);
    mj_resetData(env_model(env), env_data(env));
    env_data(env)->qpos[0] = 0.4;
    assert_int_equal(env_restart(env, &step, &err), RL_OK);
    assert_true(fabs(step.obs[2] - 0.5 * sin(0.4)) < 1e-12 &&
                fabs(step.obs[3] - 1 - 0.5 * cos(0.4)) < 1e-12);
    env_data(env)->ctrl[0] = 1;
    double distance = hypot(0.5 * sin(0.4), 0.5 - 0.5 * cos(0.4));
    double expected = 1 - (distance - 0.1) * 0.75 - 0.01;
    assert_true(fabs(env_reward(env) - expected) < 1e-12);
    double push = 1;
    for (int t = 0; t < 20 && !step.last; t++)
        assert_int_equal(env_step(env, &push, &step, &err), RL_OK);
    assert_true(step.last && step.discount == 0); // fell below 1.2
    assert_true(step.obs[3] < 1.2);
    env_destroy(env);
}

static void expect_failure(const char *model, const char *yaml, enum rl_status code,
                           const char *says) {
    struct rl_error err = {0};
    unlink(yaml_path);
    if (model) write_file(model_path, model);
    if (yaml) write_file(yaml_path, yaml);
    struct env *env = make(model_path, &err);
    assert_null(env);
    if (err.code != code || !strstr(err.message, says) || strchr(err.message, '\n')) {
        fail_msg("code %d, message '%s', expected '%s'", err.code, err.message, says);
    }
}

static void test_broken_models(void **state) {
    (void)state;
    unlink(model_path);
    expect_failure(NULL, good_yaml, RL_ENOTFOUND, "no such model file");
    expect_failure("<mujoco><worldbody></mujoco>", good_yaml, RL_EMODEL, "arm.xml");
    expect_failure("not xml at all", good_yaml, RL_EMODEL, "arm.xml");
    expect_failure("", good_yaml, RL_EMODEL, "arm.xml");
    expect_failure("<mujoco><worldbody><geom type='box' size='-1 0 0'/></worldbody></mujoco>",
                   good_yaml, RL_EMODEL, "arm.xml");
    expect_failure(
        "<mujoco><asset><mesh name='m' file='nowhere.obj'/></asset><worldbody><geom type='mesh' "
        "mesh='m'/></worldbody></mujoco>",
        good_yaml, RL_EMODEL, "nowhere.obj");
}

static void test_broken_yaml(void **state) {
    (void)state;
    expect_failure(good_model, NULL, RL_ENOTFOUND, "arm.yaml");
    expect_failure(good_model, "task:\n  name: x\n", RL_EUSAGE, "no reward");
    expect_failure(good_model, "task:\n  time_limt_s: 3\n", RL_EUSAGE, "time_limit_s");
    expect_failure(good_model, "reward.a:\n  quantity: qpos:hinge\n  sigmoid: gausian\n", RL_EUSAGE,
                   "gaussian");
    expect_failure(good_model, "rewards.a:\n  quantity: qpos:hinge\n", RL_EUSAGE, "rewards.a");
    expect_failure(good_model, "reward.a:\n  quantity: qpos:hing\n", RL_EUSAGE,
                   "no joint named 'hing'");
    expect_failure(good_model, "reward.a:\n  quantity: qpso\n", RL_EUSAGE, "did you mean 'qpos'");
    expect_failure(good_model, "reward.a:\n  quantity: site:tip\n", RL_EUSAGE, "not one number");
    expect_failure(good_model, "reward.a:\n  quantity: site:tip.5\n", RL_EUSAGE, "3 components");
    expect_failure(good_model, "reward.a:\n  quantity: distance:tip\n", RL_EUSAGE, "distance:A,B");
    expect_failure(good_model, "reward.a: [\n", RL_EUSAGE, "arm.yaml");
}

static void test_plugin(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct time_step step;
    assert_null(make(LIFT_PLUGIN, &err)); // nobody has named it
    assert_int_equal(err.code, RL_EUSAGE);
    assert_non_null(strstr(err.message, "RLRUN_PLUGINS"));
    plugin_permit(LIFT_PLUGIN);
    plugin_permit(OLD_ABI_PLUGIN);
    struct env *env = make(LIFT_PLUGIN, &err);
    if (!env) fail_msg("%s", err.message);
    assert_true(env_spec(env)->obs_dim == 3 && env_spec(env)->episode_frames == 250);
    assert_int_equal(env_reset(env, &step, &err), RL_OK);
    double angle = env_data(env)->qpos[0];
    assert_true(fabs(angle) <= 0.5 && step.obs[0] == cos(angle) && step.obs[1] == sin(angle));
    double lift = -1;
    assert_int_equal(env_step(env, &lift, &step, &err), RL_OK);
    assert_true(step.reward > 0 && step.reward <= 2 && step.frames == 2);
    env_destroy(env);
    assert_null(make(OLD_ABI_PLUGIN, &err));
    assert_int_equal(err.code, RL_EFORMAT);
    assert_non_null(strstr(err.message, "ABI 2; this rlrun has 1"));
    assert_null(make("/nowhere/plugin.so", &err));
    assert_int_equal(err.code, RL_ENOTFOUND);
    char path[160];
    snprintf(path, sizeof path, "%s/torn.so", folder);
    write_file(path, "not a library");
    plugin_permit(path);
    assert_null(make(path, &err));
    assert_int_equal(err.code, RL_EFORMAT);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_model),
        cmocka_unit_test(test_broken_models),
        cmocka_unit_test(test_broken_yaml),

        cmocka_unit_test(test_plugin),

    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
