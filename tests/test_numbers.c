// Numbers that are not finite stop a run with their place, whichever way they come in; what goes
// wrong while they are finite is said with its figure.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "support/runs.h"
#include "train/health.h"
#include "train/run_dir.h"
#include "train/trainer.h"

#define DIR "test_numbers.tmp"

static char warning[512];
static int warnings;

static void keep_warning(enum log_level level, const char *line, void *context) {
    (void)context;
    if (level != LOG_LEVEL_WARNING) return;
    snprintf(warning, sizeof warning, "%s", line);
    warnings++;
}

static void write_file(const char *path, const char *text) {
    struct rl_error err = {0};
    if (file_write_atomic(path, text, strlen(text), &err) != RL_OK) fail_msg("%s", err.message);
}

// --- a task whose reward or observation becomes NaN ---

static const char *const model =
    "<mujoco><option timestep='0.01' gravity='0 0 0'/><worldbody><body name='cart'>"
    "<joint name='slide' type='slide' axis='1 0 0'/><geom size='0.1' mass='1'/></body></worldbody>"
    "<actuator><motor joint='slide' ctrlrange='-1 1' gear='20'/></actuator></mujoco>";

// A negative position to the power 0.5.
static const char *const root_of_position =
    "task:\n  name: slide\n  time_limit_s: 5\n  control_timestep_s: 0.02\n  combine: product\n"
    "observe:\n  quantities: qpos:slide\n"
    "reward.root:\n  quantity: qpos:slide\n  shape: value\n  weight: 0.5\n";

static void reward_that_is_no_number(void **state) {
    (void)state;
    runs_clean(DIR);
    write_file(DIR "/cart.xml", model);
    write_file(DIR "/cart.yaml", root_of_position);
    struct env_options options;
    struct rl_error err = {0};
    struct time_step step;
    opt_set_defaults(&env_opts, &options);
    options.pixels = false;
    struct env *env = env_create(DIR "/cart.xml", &options, 1, &err);
    if (!env) fail_msg("%s", err.message);
    enum rl_status status = env_reset(env, &step, &err);
    for (int i = 0; i < 50 && status == RL_OK; i++) {
        status = env_step(env, (const double[]){-1}, &step, &err);
    }
    assert_int_equal(status, RL_ENUMERIC);
    assert_non_null(strstr(err.message, "reward is"));
    assert_non_null(strstr(err.message, "frame"));
    env_destroy(env);
}

// --- weights, actions and latents of a run ---

static struct trainer *start(struct run_dir *dir, const char *encoder) {
    struct trainer *trainer = MEM_NEW(struct trainer);
    struct config config = {0};
    struct rl_error err = {0};
    runs_clean(DIR);
    const char *const options[][3] = {
        {"", "agent", "ddpg"},       {"", "env", "cartpole"},           {"", "encoder", encoder},
        {"", "steps", "900"},        {"ddpg", "random_steps", "300"},   {"ddpg", "batch", "16"},
        {"env", "image_size", "32"}, {"loop", "ssl_first", "2"},        {"ssl", "batch", "8"},
        {"loop", "latent_dim", "8"}, {"", "checkpoint_every", "100000"}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        bool encoder_only = !strcmp(options[i][0], "ssl") || !strcmp(options[i][0], "loop");
        if (encoder_only && !strcmp(encoder, "state")) continue;
        config_add(&config, options[i][0], options[i][1], options[i][2], "test", true);
    }
    enum rl_status status = parts_read_options(&trainer->parts, NULL, &config, &err);
    if (status == RL_OK) status = trainer_create(trainer, &config, &err);
    if (status == RL_OK) status = run_dir_create(dir, DIR "/run", "", "", &err);
    if (status == RL_OK) status = trainer_start(trainer, dir->path, &err);
    if (status == RL_OK) status = policy_role_start(trainer, &err);
    if (status != RL_OK) fail_msg("%s", err.message);
    config_release(&config);
    return trainer;
}

static void end(struct trainer *trainer, struct run_dir *dir) {
    trainer_release(trainer);
    mem_free(trainer);
    run_dir_close(dir);
}

static real *weights_of(struct params *params, const char *part) {
    for (int i = 0; i < params->n_items; i++) {
        if (strstr(params->items[i].name, part)) return params->value + params->items[i].offset;
    }
    fail_msg("no weights '%s'", part);
    return NULL;
}

static void weights_that_are_no_numbers(void **state) {
    (void)state;
    struct run_dir dir;
    struct rl_error err = {0};
    struct trainer *trainer = start(&dir, "state");
    if (policy_role_run(trainer, 305, &err) != RL_OK) fail_msg("%s", err.message);
    assert_int_equal(store_checkpoint(trainer, &err), RL_OK);
    weights_of(&trainer->parts.agent->params, "actor")[1] = NAN;
    trainer->count.steps++;
    assert_int_equal(store_checkpoint(trainer, &err), RL_ENUMERIC);
    assert_non_null(strstr(err.message, "actor"));
    assert_non_null(strstr(err.message, "step 306"));
    assert_int_equal(runs_newest_checkpoint(DIR "/run"), 305);
    // The action of such an actor goes no further than the environment.
    assert_int_equal(policy_role_run(trainer, 1, &err), RL_ENUMERIC);
    assert_non_null(strstr(err.message, "action[0] is"));
    end(trainer, &dir);
}

static void gradients_that_are_no_numbers(void **state) {
    (void)state;
    struct run_dir dir;
    struct rl_error err = {0};
    struct trainer *trainer = start(&dir, "state");
    if (policy_role_run(trainer, 305, &err) != RL_OK) fail_msg("%s", err.message);
    weights_of(&trainer->parts.agent->params, "critic")[0] = INFINITY;
    enum rl_status status = policy_role_update(trainer, &err);
    assert_int_equal(status, RL_ENUMERIC);
    assert_non_null(strstr(err.message, "critic"));
    end(trainer, &dir);
}

static void latents_that_are_no_numbers(void **state) {
    (void)state;
    struct run_dir dir;
    struct rl_error err = {0};
    struct trainer *trainer = start(&dir, "byol");
    if (policy_role_run(trainer, 300, &err) != RL_OK) fail_msg("%s", err.message);
    if (encoder_role_join(trainer, &err) != RL_OK) fail_msg("%s", err.message);
    assert_int_equal(trainer->parts.snapshot.version, 1);
    trainer->parts.snapshot.mean[3] = NAN;
    assert_int_equal(policy_role_run(trainer, 1, &err), RL_ENUMERIC);
    assert_non_null(strstr(err.message, "latent["));
    end(trainer, &dir);
}

// --- finite, and wrong ---

static int look(struct health *health, const char *name, double value, double peak) {
    struct metrics row = {0};
    metrics_add(&row, name, value);
    const struct health_facts facts = {.step = 7, .gamma = 0.99, .reward_peak = peak};
    int before = warnings;
    health_look(health, &row, &facts);
    return warnings - before;
}

static void what_goes_wrong_is_said_once(void **state) {
    (void)state;
    struct health health = {0};
    log_set_handler(keep_warning, NULL);
    assert_int_equal(look(&health, "saturation", 0.9, 1), 0);
    assert_int_equal(look(&health, "saturation", 0.97, 1), 1);
    assert_non_null(strstr(warning, "step 7: the policy saturates: 97%"));
    assert_int_equal(look(&health, "saturation", 0.98, 1), 0);
    assert_int_equal(look(&health, "saturation", 0.5, 1), 0);
    assert_int_equal(look(&health, "saturation", 0.96, 1), 1);
    assert_int_equal(look(&health, "q_mean", 299, 1), 0);
    assert_int_equal(look(&health, "q_mean", -301, 1), 1);
    assert_non_null(strstr(warning, "mean value is -301 where no return can exceed 100"));
    assert_int_equal(look(&health, "q_mean", 1e9, 1), 0);
    assert_int_equal(look(&health, "q_mean", 1, 1), 0);
    assert_int_equal(look(&health, "q_mean", 400, 1), 1);
    assert_int_equal(look(&health, "q_mean", 1e9, 0), 0); // no reward was seen: no bound
    assert_int_equal(look(&health, "critic_loss", 1e9, 1), 0);
    struct metrics none = {0};
    const struct health_facts facts = {.step = 9, .gamma = 0.99, .unstable = 3};
    health_look(&health, &none, &facts);
    assert_non_null(strstr(warning, "3 more episode(s), 3 in all"));
    int before = warnings;
    health_look(&health, &none, &facts);
    assert_int_equal(warnings, before);
    log_set_handler(NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reward_that_is_no_number),
        cmocka_unit_test(weights_that_are_no_numbers),
        cmocka_unit_test(gradients_that_are_no_numbers),
        cmocka_unit_test(latents_that_are_no_numbers),
        cmocka_unit_test(what_goes_wrong_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
