// Sweeps of the program: killed at random moments and started again, shared by two, by an array of
// tasks, by ranks, interrupted; the table is always that of one that ran through, to the byte.
// Trials that fail are rows.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/file_tree.h"
#include "base/mem.h"
#include "base/rng.h"
#include "support/program.h"

// Two rows that train, one with a wrong option, one whose SSL loss soon is not a number.
static const char config[] =
    "env: cartpole-swingup\nencoder: state\nseeds: 1..2\nsteps: 700\n"
    "eval_every: 100000\neval_episodes: 1\ncheckpoint_every: 50\nlog_every: 50\nthreads: 1\n"
    "env:\n  image_size: 32\n"
    "loop:\n  ssl_first: 30\n  tick_steps: 25\n"
    "ssl:\n  batch: 16\n"
    "ddpg:\n  random_steps: 400\n  batch: 32\n  hidden: 32\n  layers: 1\n"
    "variants:\n"
    "  narrow: ddpg.gamma=0.9\n"
    "  wrong: encoder=bvol\n"
    "  wide: ddpg.hidden=64\n"
    "  diverges: encoder=byol ssl.optimizer=sgd ssl.lr=100 ssl.decay=10 ssl.clip_norm=0\n";

#define TRIALS 8
static const char *const names[TRIALS] = {"narrow_s1", "narrow_s2", "wide_s1",     "wide_s2",
                                          "wrong_s1",  "wrong_s2",  "diverges_s1", "diverges_s2"};

static int set_up(void **state) {
    struct rl_error err;
    char *dir = mem_strdup("/tmp/rlrun_sweep_XXXXXX");
    *state = dir;
    if (!getenv("RLRUN_PROGRAM") || !mkdtemp(dir) || chdir(dir)) return -1;
    return file_write_atomic("x.yaml", config, strlen(config), &err);
}

static int tear_down(void **state) {
    struct rl_error err;
    int code = chdir("/") || file_tree_remove(*state, &err) != RL_OK;
    mem_free(*state);
    return code;
}

static char *read_text(const char *path) {
    struct bytes bytes;
    struct rl_error err = {0};
    if (file_read(path, 1 << 20, &bytes, &err) != RL_OK) fail_msg("%s", err.message);
    return (char *)bytes.data;
}

// Both tables without wall time: the last column of results.csv, the last line of results.md.
static struct text tables(const char *folder) {
    char path[256];
    struct text out = {0};
    snprintf(path, sizeof path, "%s/results.csv", folder);
    char *csv = read_text(path), *rest = csv;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *comma = strrchr(line, ',');
        text_add(&out, "%.*s\n", comma ? (int)(comma - line) : 0, line);
    }
    snprintf(path, sizeof path, "%s/results.md", folder);
    char *md = read_text(path), *wall = strstr(md, "\nWall time");
    assert_non_null(wall);
    text_add(&out, "%.*s", (int)(wall - md), md);
    mem_free(csv);
    mem_free(md);
    return out;
}

static void move_runs(const char *to) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s && mv runs %s", to, to);
    assert_int_equal(system(command), 0);
}

// The sweep that nobody disturbed, under whole/. Every other one is compared with it.
static void runs_through(void **state) {
    (void)state;
    struct text errors = {0}, output = {0};
    int code = program_run("sweep x.yaml -j 2", &output, &errors);
    assert_int_equal(code, 1); // trials failed
    assert_non_null(strstr(errors.data, "4 of 8 trials failed"));
    assert_non_null(strstr(output.data, "4 of 8 trials done, 4 failed"));
    char *md = read_text("runs/x/results.md");
    static const char *const expected[] = {
        "8 trials, 4 done, 4 failed, 0 to go",
        "| wrong | - | - | - | - | failed | failed | - | - |",
        "- wrong_s1: unknown encoder 'bvol' (did you mean 'byol'?)",
        "- diverges_s2: step ",
        "not finite",
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        if (!strstr(md, expected[i])) fail_msg("no '%s' in:\n%s", expected[i], md);
    }
    mem_free(md);
    assert_false(file_exists("runs/x/wide_s1/replay")); // only runs under way need it
    // Again: nothing runs, the tables stay, and the failed ones are failed still.
    struct text before = tables("runs/x");
    assert_int_equal(program_run("sweep x.yaml", NULL, NULL), 1);
    struct text after = tables("runs/x");
    assert_string_equal(before.data, after.data);
    text_release(&before);
    text_release(&after);
    text_release(&errors);
    text_release(&output);
    move_runs("whole");
}

static void compare_with_whole(void) {
    struct text own = tables("runs/x"), whole = tables("whole/x");
    assert_string_equal(own.data, whole.data);
    text_release(&own);
    text_release(&whole);
}

// Processes whose parent is pid.
static int children_of(pid_t pid, pid_t *out, int max) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "r");
    int count = 0, child;
    while (file && count < max && fscanf(file, "%d", &child) == 1) out[count++] = child;
    if (file) fclose(file);
    return count;
}

// SIGKILL for the sweep, every other time for its trials, too, at random moments.
static void killed_sweeps_end_with_the_same_table(void **state) {
    (void)state;
    struct rng rng = rng_seed(5);
    int kills = 0, code = 128 + SIGKILL;
    for (int attempt = 0; code == 128 + SIGKILL; attempt++) {
        pid_t children[8], pid = program_start("sweep x.yaml -j 2");
        usleep((useconds_t)rng_range(&rng, 1e5, 1e6));
        int n = attempt < 12 && attempt % 2 ? children_of(pid, children, 8) : 0;
        if (attempt < 12 && kill(pid, SIGKILL) == 0) kills++;
        for (int i = 0; i < n; i++) kill(children[i], SIGKILL);
        code = program_wait(pid);
    }
    assert_int_equal(code, 1);
    assert_true(kills >= 5);
    compare_with_whole();
    move_runs("killed");
}

// Two sweeps on one folder share the trials: each is started by one of them, and both write the
// whole table.
static void two_sweeps_share_the_work(void **state) {
    (void)state;
    pid_t one = program_start("sweep x.yaml"), two = program_start("sweep x.yaml");
    assert_int_equal(program_wait(one), 1);
    assert_int_equal(program_wait(two), 1);
    compare_with_whole();
    for (int i = 0; i < TRIALS; i++) {
        char path[256];
        snprintf(path, sizeof path, "runs/x/trials/%s.log", names[i]);
        char *log = read_text(path), *first = strstr(log, "run folder ");
        if (strstr(names[i], "wrong")) {
            assert_null(first);
        } else {
            assert_non_null(first);
            assert_null(strstr(first + 1, "run folder "));
        }
        mem_free(log);
    }
    move_runs("shared");
}

// The tasks of an array job, all at the same moment on a folder that is not there yet.
static void array_tasks_begin_at_once(void **state) {
    (void)state;
    assert_int_equal(program_run("sweep x.yaml --slurm --threads 1", NULL, NULL), 0);
    char command[256];
    snprintf(command, sizeof command,
             "i=0; while [ $i -lt %d ]; do SLURM_ARRAY_TASK_ID=$i bash runs/x/slurm.sh & "
             "i=$((i+1)); done >array.log 2>&1; wait",
             TRIALS);
    assert_int_equal(system(command), 0);
    compare_with_whole();
    // A task beyond the array runs nothing.
    assert_int_not_equal(system("SLURM_ARRAY_TASK_ID=8 bash runs/x/slurm.sh 2>/dev/null"), 0);
    move_runs("array");
}

// A trial is a run of its own, not a rank of the job that the sweep is started by.
static void ranks_deal_out_the_trials(void **state) {
    (void)state;
    if (system("command -v mpirun >/dev/null") != 0) skip();
    int code = system("OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun "
                      "--bind-to none --oversubscribe -n 2 $RLRUN_PROGRAM sweep x.yaml "
                      "--threads 1 >ranks.log 2>&1");
    assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 1); // trials failed
    compare_with_whole();
    move_runs("ranks");
}

static void interrupted_sweeps_go_on(void **state) {
    (void)state;
    pid_t pid = program_start("sweep x.yaml");
    usleep(400000);
    kill(pid, SIGINT);
    assert_int_equal(program_wait(pid), 130);
    struct text errors = {0};
    assert_int_equal(program_run("sweep x.yaml --max-hours 0.00003", NULL, &errors), 130);
    assert_non_null(strstr(errors.data, "stopped in time: "));
    assert_int_equal(program_run("sweep x.yaml -j 3", NULL, NULL), 1);
    compare_with_whole();
    text_release(&errors);
    // Another configuration under the same name is not mixed with this one.
    errors = (struct text){0};
    assert_int_equal(program_run("sweep x.yaml --steps 600", NULL, &errors), 2);
    assert_non_null(strstr(errors.data, "name another folder with --dir"));
    text_release(&errors);
    move_runs("interrupted");
}

// Prepared files are made once a seed; a command that fails is the trial's failure.
static void files_are_prepared(void **state) {
    (void)state;
    static const char text[] =
        "env: cartpole-swingup\nsteps: 450\nseeds: 1..2\neval_every: 100000\neval_episodes: 1\n"
        "env:\n  image_size: 32\nddpg:\n  random_steps: 400\n  hidden: 32\n  batch: 16\n"
        "loop:\n  ssl_first: 30\nssl:\n  batch: 16\n"
        "variants:\n"
        "  a: encoder={prepared}/e-{seed}.safetensors freeze=true\n"
        "  b: encoder={prepared}/e-{seed}.safetensors freeze=true ddpg.gamma=0.9\n"
        "  c: encoder={prepared}/none.safetensors freeze=true\n"
        "prepare:\n"
        "  e-{seed}.safetensors: pretrain byol --env cartpole-swingup --env.image-size 32 "
        "--collect "
        "200 --steps 3 --ssl.batch 16 --latent-dim 128 --seed {seed}\n"
        "  none.safetensors: pretrain bvol\n";
    struct rl_error err;
    assert_int_equal(file_write_atomic("p.yaml", text, strlen(text), &err), RL_OK);
    assert_int_equal(program_run("sweep p.yaml -j 2", NULL, NULL), 1);
    char *md = read_text("runs/p/results.md");
    if (!strstr(md, "6 trials, 4 done, 2 failed") || !strstr(md, "- c_s1: preparing: "))
        fail_msg("%s", md);
    mem_free(md);
    assert_true(file_exists("runs/p/prepared/e-1.safetensors"));
    assert_true(file_exists("runs/p/prepared/e-2.safetensors"));
}

// A file that cannot grow stands for a full disk: the trial whose checkpoint does not fit is a row.
static void full_disk(void **state) {
    (void)state;
    static const char text[] =
        "env: cartpole-swingup\nencoder: state\nsteps: 450\neval_every: 100000\neval_episodes: 1\n"
        "ddpg:\n  random_steps: 400\n  batch: 16\n  layers: 1\n  hidden: [512, 8]\n";
    struct rl_error err;
    assert_int_equal(file_write_atomic("f.yaml", text, strlen(text), &err), RL_OK);
    int code = system("bash -c \"trap '' XFSZ; ulimit -f 128; exec $RLRUN_PROGRAM sweep f.yaml\" "
                      ">/dev/null 2>&1");
    assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 1);
    char *md = read_text("runs/f/results.md");
    if (!strstr(md, "2 trials, 1 done, 1 failed") || !strstr(md, "- hidden-512_s1: cannot write"))
        fail_msg("%s", md);
    mem_free(md);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_through),
        cmocka_unit_test(killed_sweeps_end_with_the_same_table),
        cmocka_unit_test(two_sweeps_share_the_work),
        cmocka_unit_test(array_tasks_begin_at_once),
        cmocka_unit_test(ranks_deal_out_the_trials),
        cmocka_unit_test(interrupted_sweeps_go_on),
        cmocka_unit_test(files_are_prepared),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
