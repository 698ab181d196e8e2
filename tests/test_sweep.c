// The grammar of sweeps, names, the trials' files, and the tables made of what is in their folders.
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
#include "base/file_tree.h"
#include "base/mem.h"
#include "support/program.h"
#include "train/sweep_cost.h"
#include "train/sweep_table.h"

static int set_up(void **state) {
    char *dir = mem_strdup("/tmp/rlrun_sweep_XXXXXX");
    *state = dir;
    return mkdtemp(dir) ? chdir(dir) : -1;
}

static int tear_down(void **state) {
    struct rl_error err;
    int code = chdir("/") || file_tree_remove(*state, &err) != RL_OK;
    mem_free(*state);
    return code;
}

static void write_text(const char *path, const char *text) {
    struct rl_error err = {0};
    if (file_write_atomic(path, text, strlen(text), &err) != RL_OK) fail_msg("%s", err.message);
}

static void make_dirs(const char *path) {
    struct rl_error err = {0};
    if (file_make_dirs(path, &err) != RL_OK) fail_msg("%s", err.message);
}

static void read_sweep(struct sweep *sweep, const char *yaml, const struct config *options,
                       const char *seeds) {
    struct rl_error err = {0};
    struct sweep_changes changes = {options, seeds, ""};
    write_text("x.yaml", yaml);
    if (sweep_read(sweep, "x.yaml", &changes, &err) != RL_OK) fail_msg("%s", err.message);
}

static const char *setting(const struct sweep_trial *trial, const char *section, const char *key) {
    const char *value = config_get(&trial->settings, section, key);
    return value ? value : "(none)";
}

static void grid_times_seeds(void **state) {
    (void)state;
    write_text("base.yaml", "steps: 70\nddpg:\n  batch: 32\nencoder: [vit, dino]\n");
    struct sweep sweep;
    read_sweep(&sweep,
               "base: base.yaml\nsweep:\n  name: mine\n  steps_per_s: 5\nseeds: [3, 7]\n"
               "encoder: [byol, moco]\nddpg:\n  tau: [0.01, 0.1, 1]\n  batch: 64\n",
               NULL, "");
    assert_string_equal(sweep.name, "mine");
    assert_string_equal(sweep.folder, "runs/mine");
    assert_int_equal(sweep.n_rows, 6);
    assert_int_equal(sweep.n_trials, 12);
    assert_int_equal(sweep.n_columns, 2);
    char heading[64];
    sweep_heading(&sweep, 0, heading, sizeof heading);
    assert_string_equal(heading, "encoder");
    sweep_heading(&sweep, 1, heading, sizeof heading);
    assert_string_equal(heading, "ddpg.tau");
    const struct sweep_trial *trial = &sweep.trials[4]; // second encoder, second tau, first seed
    assert_string_equal(trial->name, "moco_tau-0.1_s3");
    assert_string_equal(sweep_cell(&sweep, 4, 0), "moco");
    assert_string_equal(sweep_cell(&sweep, 4, 1), "0.1");
    assert_string_equal(setting(trial, "", "encoder"), "moco");
    assert_string_equal(setting(trial, "ddpg", "tau"), "0.1");
    assert_string_equal(setting(trial, "ddpg", "batch"), "64");
    assert_string_equal(setting(trial, "", "steps"), "70");
    assert_string_equal(setting(trial, "", "seed"), "3");
    assert_string_equal(trial->agent, "ddpg");
    assert_string_equal(sweep.trials[11].name, "moco_tau-1_s7");
    assert_int_equal(sweep_trial_steps(trial), 70);
    sweep_release(&sweep);
}

static void options_of_the_command_line_win(void **state) {
    (void)state;
    struct config options = {0};
    config_add(&options, "", "encoder", "state", "--encoder", true);
    config_add(&options, "", "steps", "9", "--steps", true);
    struct sweep sweep;
    read_sweep(&sweep, "seeds: 1..3\nencoder: [byol, moco]\nagent: [ddpg, sac]\nsteps: 5\n",
               &options, "4,8..9");
    assert_int_equal(sweep.n_trials, 2 * 3);
    assert_string_equal(sweep.trials[5].name, "sac_s9");
    assert_string_equal(sweep.trials[5].agent, "sac");
    assert_string_equal(setting(&sweep.trials[0], "", "encoder"), "state");
    assert_string_equal(setting(&sweep.trials[0], "", "steps"), "9");
    sweep_release(&sweep);
    config_release(&options);
}

static void variants_and_prepared_files(void **state) {
    (void)state;
    struct sweep sweep;
    read_sweep(&sweep,
               "encoder: byol\nloop:\n  mode: latents\nseeds: [5]\nvariants:\n"
               "  joint: encoder=cnn+byol loop.mode=joint\n"
               "  frozen: encoder={prepared}/e-{seed}.safetensors freeze=true\n"
               "prepare:\n  e-{seed}.safetensors: pretrain byol --seed {seed}\n",
               NULL, "");
    assert_int_equal(sweep.n_trials, 2);
    const struct sweep_trial *joint = &sweep.trials[0], *frozen = &sweep.trials[1];
    assert_string_equal(joint->name, "joint_s5");
    assert_string_equal(setting(joint, "loop", "mode"), "joint");
    assert_string_equal(setting(joint, "", "encoder"), "cnn+byol");
    assert_string_equal(setting(frozen, "loop", "mode"), "latents");
    assert_string_equal(setting(frozen, "", "encoder"), "runs/x/prepared/e-5.safetensors");
    char heading[64], file[SWEEP_FILE_BYTES];
    sweep_heading(&sweep, 0, heading, sizeof heading);
    assert_string_equal(heading, "variant");
    struct text command = {0};
    assert_false(sweep_needs(&sweep, joint, &sweep.prepares[0], file, &command));
    assert_true(sweep_needs(&sweep, frozen, &sweep.prepares[0], file, &command));
    assert_string_equal(file, "runs/x/prepared/e-5.safetensors");
    assert_string_equal(command.data, "pretrain byol --seed 5");
    text_release(&command);
    sweep_release(&sweep);
}

// What a trial's file says is what --config reads: every setting once, any text as it is.
static void trial_files_read_back(void **state) {
    (void)state;
    struct sweep sweep;
    read_sweep(&sweep,
               "steps: 5\nenv: 'a ''b'': #c'\nddpg:\n  tau: [0.5, 1]\nvariants:\n  v: steps=8 "
               "cnn.arch=fast\n",
               NULL, "");
    struct text yaml = {0};
    struct config config = {0};
    struct rl_error err = {0};
    sweep_trial_yaml(&sweep.trials[1], &yaml);
    if (config_add_yaml_text(&config, yaml.data, yaml.length, "t", &err) != RL_OK)
        fail_msg("%s in:\n%s", err.message, yaml.data);
    assert_int_equal(config.count, 5);
    assert_string_equal(config_get(&config, "", "steps"), "8");
    assert_string_equal(config_get(&config, "", "env"), "a 'b': #c");
    assert_string_equal(config_get(&config, "ddpg", "tau"), "1");
    assert_string_equal(config_get(&config, "cnn", "arch"), "fast");
    assert_string_equal(config_get(&config, "", "seed"), "1");
    text_release(&yaml);
    config_release(&config);
    sweep_release(&sweep);
}

static void mistakes_of_the_file(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"steps: 5\nseed: 3\n", "x.yaml:2: 'seed' has no place in a sweep"},
        {"run_dir: a\n", "x.yaml:1: 'run_dir' has no place in a sweep"},
        {"seeds: [1, x]\n", "x.yaml:1: seeds: 'x'"},
        {"seeds: [1, 2, 1]\n", "seed 1 stands twice"},
        {"seeds: 5..2\n", "seeds: '5..2'"},
        {"sweep:\n  nme: a\n", "x.yaml:2: unknown option 'sweep.nme'"},
        {"sweep:\n  name: a/b\n", "x.yaml:2: 'a/b' cannot name a sweep"},
        {"sweep:\n  steps_per_s: fast\n", "x.yaml:2: steps_per_s = 'fast'"},
        {"variants:\n  a: encoder\n", "x.yaml:2: 'encoder': a variant is words like"},
        {"encoder: [byol, byol]\n", "two trials would be called byol_s1"},
        {"seeds: 1..900\nddpg:\n  tau: [1, 2, 3, 4]\n  n_step: [1, 2, 3, 4, 5, 6]\n"
         "  batch: [1, 2, 3, 4, 5, 6]\n",
         "more than 100000 trials"},
        {"base: missing.yaml\n", "missing.yaml"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sweep sweep;
        struct rl_error err = {0};
        struct sweep_changes changes = {NULL, "", ""};
        write_text("x.yaml", cases[i].yaml);
        assert_int_not_equal(sweep_read(&sweep, "x.yaml", &changes, &err), RL_OK);
        if (!strstr(err.message, cases[i].message))
            fail_msg("'%s': wanted '%s'", err.message, cases[i].message);
        sweep_release(&sweep);
    }
}

static void wrong_options_are_found_before(void **state) {
    (void)state;
    struct sweep sweep;
    struct rl_error err = {0};
    read_sweep(&sweep, "encoder: [byol, byoll]\nddpg:\n  tau: [0.1, 7]\n", NULL, "");
    assert_int_equal(sweep_check(&sweep.trials[0], &err), RL_OK);
    assert_int_not_equal(sweep_check(&sweep.trials[1], &err), RL_OK);
    assert_non_null(strstr(err.message, "ddpg.tau = '7'"));
    assert_int_not_equal(sweep_check(&sweep.trials[2], &err), RL_OK);
    assert_non_null(strstr(err.message, "unknown encoder 'byoll'"));
    sweep_release(&sweep);
}

// --- tables
// ------------------------------------------------------------------------------------------

static void end_trial(const struct sweep *sweep, int trial, double score, double wall_s) {
    char run[SWEEP_FILE_BYTES], path[SWEEP_FILE_BYTES + 64], rows[512];
    sweep_run_path(sweep, &sweep->trials[trial], run);
    make_dirs(run);
    snprintf(
        rows, sizeof rows,
        "{\"kind\": \"eval\", \"frames\": 100, \"steps\": 50, \"updates\": 9, \"wall_s\": 1, "
        "\"return_mean\": 1}\n"
        "{\"kind\": \"eval\", \"frames\": 200, \"steps\": 100, \"updates\": 9, \"wall_s\": %g, "
        "\"return_mean\": %.9g}\n",
        wall_s, score);
    file_join(path, sizeof path, run, "metrics.jsonl");
    write_text(path, rows);
    file_join(path, sizeof path, run, "final.safetensors");
    write_text(path, "weights");
}

static void expect_in(const char *path, const char *text) {
    struct bytes bytes;
    struct rl_error err = {0};
    if (file_read(path, 1 << 20, &bytes, &err) != RL_OK) fail_msg("%s", err.message);
    if (!strstr((char *)bytes.data, text)) fail_msg("no '%s' in:\n%s", text, (char *)bytes.data);
    mem_free(bytes.data);
}

static void tables(void **state) {
    (void)state;
    struct sweep sweep;
    struct rl_error err = {0};
    read_sweep(&sweep, "steps: 100\nencoder: [byol, moco]\nseeds: 1..4\n", NULL, "");
    make_dirs("runs/x/trials");
    for (int seed = 0; seed < 4; seed++) end_trial(&sweep, 2 * seed, 10 * seed, 60); // byol
    end_trial(&sweep, 1, 500.5, 120);
    assert_int_equal(sweep_set_failed(&sweep, &sweep.trials[3], "loss is not finite, so", &err),
                     RL_OK);
    if (sweep_write_tables(&sweep, &err) != RL_OK) fail_msg("%s", err.message);
    expect_in("runs/x/results.md", "8 trials, 5 done, 1 failed, 2 to go");
    expect_in("runs/x/results.md", "| byol | 15.0 | "); // of 0 10 20 30 the middle
    expect_in("runs/x/results.md", " | - | - | 0.0 | 10.0 | 20.0 | 30.0 | 200 | 100 |");
    expect_in("runs/x/results.md",
              "| moco | 500.5 | - | 1.00 | - | 500.5 | failed | - | - | 200 | 100 |");
    expect_in("runs/x/results.md", "- moco_s2: loss is not finite, so\n");
    expect_in("runs/x/results.csv",
              "trial,encoder,seed,status,return,frames,steps,updates,error,wall_s\n");
    expect_in("runs/x/results.csv", "byol_s2,byol,2,done,10,200,100,9,,60.0\n");
    expect_in("runs/x/results.csv",
              "moco_s2,moco,2,failed,,0,0,0,\"loss is not finite, so\",0.0\n");
    expect_in("runs/x/results.csv", "moco_s3,moco,3,waiting,,,,,,\n");
    // Tried again: the failure is forgotten.
    assert_int_equal(sweep_set_failed(&sweep, &sweep.trials[3], NULL, &err), RL_OK);
    assert_false(sweep_is_settled(&sweep, &sweep.trials[3]));
    assert_true(sweep_is_settled(&sweep, &sweep.trials[1]));

    struct sweep_cost cost[2];
    sweep_costs(&sweep, cost);
    assert_int_equal(cost[0].steps_left, 0);
    assert_int_equal(cost[1].steps_left, 300);
    assert_int_equal(cost[1].rate, SWEEP_RATE_ROW);
    assert_true(fabs(cost[1].steps_per_s - 100.0 / 120) < 1e-9);
    assert_true(fabs(sweep_seconds_left(&sweep, cost) - 360) < 1e-6);
    sweep_release(&sweep);
    assert_int_equal(file_tree_remove("runs", &err), RL_OK);
}

static void table_over_tasks(void **state) {
    (void)state;
    struct sweep sweep;
    struct rl_error err = {0};
    struct config options = {0};
    config_add(&options, "ddpg", "tau", "0.5", "--ddpg.tau", true);
    read_sweep(&sweep, "encoder: [byol, moco]\nenv: [cheetah, cup]\n", &options, "1");
    config_release(&options);
    make_dirs("runs/x/trials");
    const double score[] = {100, 300, 500, 900};
    for (int i = 0; i < 4; i++) end_trial(&sweep, i, score[i], 1);
    if (sweep_write_tables(&sweep, &err) != RL_OK) fail_msg("%s", err.message);
    expect_in("runs/x/results.md", "`rlrun sweep x.yaml --seeds 1 --ddpg.tau=0.5`: 4 trials");
    expect_in("runs/x/results.md", "Over all environments, return / 1000:");
    expect_in("runs/x/results.md", "\n| byol | 0.200 | - | 0.200 | - | 0.200 | - | 0.800 | - |\n"
                                   "| moco | 0.700 | - | 0.700 | - | 0.700 | - | 0.300 | - |\n");
    sweep_release(&sweep);
    assert_int_equal(file_tree_remove("runs", &err), RL_OK);
}

// --- the program, where nothing runs
// -----------------------------------------------------------------

static struct text program_output(const char *words) {
    struct text output = {0}, errors = {0};
    if (program_run(words, &output, &errors)) fail_msg("rlrun %s: %s", words, errors.data);
    text_release(&errors);
    return output;
}

static void expect_text(const struct text *text, const char *expected) {
    if (!strstr(text->data, expected)) fail_msg("no '%s' in:\n%s", expected, text->data);
}

static void plans_lists_and_jobs(void **state) {
    (void)state;
    write_text("x.yaml", "steps: 7200\nencoder: [state, bvol, byol]\nseeds: 1..2\nsweep:\n"
                         "  steps_per_s: 2\nenv:\n  image_size: 50\n");
    struct text plan = program_output("sweep x.yaml --plan -j 4");
    expect_text(&plan, "x.yaml: 3 rows x 2 seeds = 6 trials in runs/x");
    expect_text(&plan, "would fail: unknown encoder 'bvol' (did you mean 'byol'?)");
    expect_text(&plan, "6 of 6 trials to go: 6.00 h of one process, 1.50 h with -j 4");
    expect_text(&plan,
                "up to 216 MB for the replays of 4 running trials"); // 4 x 7200 x 50 x 50 x 3
    struct text list = program_output("sweep x.yaml --list --threads 3 --ddpg.tau 0.5");
    expect_text(&list, " sweep x.yaml --threads 3 --ddpg.tau=0.5 --only state_s1\n");
    expect_text(&list, " sweep x.yaml --threads 3 --ddpg.tau=0.5 --only byol_s2\n");
    assert_false(file_exists("runs"));
    struct text job = program_output("sweep x.yaml --slurm -j 4 --max-hours 1.5");
    expect_in("runs/x/slurm.sh", "#SBATCH --array=0-5%4\n");
    expect_in("runs/x/slurm.sh", "#SBATCH --time=90\n");
    expect_in("runs/x/slurm.sh", "trials=(\nstate_s1\nbvol_s1\n");
    assert_int_equal(system("bash -n runs/x/slurm.sh"), 0);
    text_release(&plan);
    text_release(&list);
    text_release(&job);
    struct rl_error err;
    assert_int_equal(file_tree_remove("runs", &err), RL_OK);
}

// The ablations that come with the program: options that exist, values that are allowed.
static void ablations_are_right(void **state) {
    (void)state;
    static const char *const names[] = {"encoder", "pretraining", "augmentation", "heads",
                                        "updates", "publish",     "frames"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[4200];
        struct sweep sweep;
        struct rl_error err = {0};
        struct sweep_changes changes = {NULL, "", ""};
        snprintf(path, sizeof path, "%s/configs/ablations/%s.yaml", file_data_dir(), names[i]);
        if (sweep_read(&sweep, path, &changes, &err) != RL_OK) fail_msg("%s", err.message);
        assert_true(sweep.n_rows >= 4);
        assert_int_equal(sweep.n_seeds, 3);
        for (int t = 0; t < sweep.n_trials; t++) {
            if (sweep_check(&sweep.trials[t], &err) != RL_OK)
                fail_msg("%s, %s: %s", names[i], sweep.trials[t].name, err.message);
        }
        sweep_release(&sweep);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_times_seeds),
        cmocka_unit_test(options_of_the_command_line_win),
        cmocka_unit_test(variants_and_prepared_files),
        cmocka_unit_test(trial_files_read_back),
        cmocka_unit_test(mistakes_of_the_file),
        cmocka_unit_test(wrong_options_are_found_before),
        cmocka_unit_test(tables),
        cmocka_unit_test(table_over_tasks),
        cmocka_unit_test(plans_lists_and_jobs),
        cmocka_unit_test(ablations_are_right),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
