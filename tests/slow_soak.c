// Runs under fire: killed at random moments and before every change of a file, with a disk that
// fills or fails, without memory, with jumping clocks, with damaged files. Each ends with the bits
// of an undisturbed run, or says what is wrong. RLRUN_SOAK_KILLS (default 10) is how often one run
// is killed; from 50 on, every fault and every damage is tried, else a part of them.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "support/program.h"
#include "support/runs.h"

#define DIR_SOAK  "slow_soak.tmp"
#define DIR_WHOLE DIR_SOAK "/whole"
#define DIR_RUN   DIR_SOAK "/run"

// Small, but with everything in it: a ring that wraps, publishes that take several ticks and
// checkpoints, evaluations.
#define SMALL                                                                                      \
    "ddpg --env cheetah --ddpg.random_steps 300 --env.image_size 32 --ddpg.batch 32 "              \
    "--loop.publish_min 40 --loop.tick_steps 20 --eval-every 2400 --eval-episodes 1 "              \
    "--log-every 40 --seed 3 --replay.capacity 400 --loop.latent_dim 16 "
#define BYOL                                                                                       \
    SMALL "--encoder byol --ssl.batch 16 --loop.ssl_first 10 --loop.encode_per_step 4 "            \
          "--replay.compress"
#define STATE SMALL "--encoder state"

static int kills_wanted(void) {
    const char *text = getenv("RLRUN_SOAK_KILLS");
    int kills = text ? atoi(text) : 10;
    return kills > 0 ? kills : 10;
}

static bool thorough(void) {
    return kills_wanted() >= 50;
}

// What to start next: the run anew while it has no checkpoint, else its resumption.
static void next_words(char *words, size_t size, const char *options, int steps, int every) {
    if (runs_newest_checkpoint(DIR_RUN) >= 0) {
        snprintf(words, size, "resume " DIR_RUN);
        return;
    }
    runs_clean(DIR_RUN);
    assert_int_equal(rmdir(DIR_RUN), 0);
    snprintf(words, size, "%s --steps %d --checkpoint-every %d --run-dir " DIR_RUN, options, steps,
             every);
}

// fault as in faults/faults.c, NULL = none.
static int run_with_fault(const char *fault, const char *words, struct text *errors) {
    if (fault) {
        setenv("LD_PRELOAD", FAULTS_LIBRARY, 1);
        setenv("RLRUN_FAULT", fault, 1);
    }
    int code = program_run(words, NULL, errors);
    unsetenv("LD_PRELOAD");
    unsetenv("RLRUN_FAULT");
    return code;
}

static void run_undisturbed(const char *options, int steps, int every) {
    char words[2048];
    struct text errors = {0};
    runs_clean(DIR_SOAK);
    snprintf(words, sizeof words, "%s --steps %d --checkpoint-every %d --run-dir " DIR_WHOLE,
             options, steps, every);
    if (program_run(words, NULL, &errors)) fail_msg("'%s': %s", words, errors.data);
    text_release(&errors);
}

static void finish(const char *options, int steps, int every) {
    char words[2048];
    struct text errors = {0};
    next_words(words, sizeof words, options, steps, every);
    if (program_run(words, NULL, &errors)) fail_msg("'%s': %s", words, errors.data);
    text_release(&errors);
    runs_assert_same(DIR_WHOLE, DIR_RUN);
}

// --- killed at random moments ---

// Until the run has a newer checkpoint than `step`, or has ended; however busy the machine is.
static void await_checkpoint(pid_t pid, int64_t step) {
    siginfo_t ended = {0};
    while (runs_newest_checkpoint(DIR_RUN) <= step) {
        usleep(5000);
        if (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) || ended.si_pid) return;
    }
}

// Each is killed at a random moment: one that is ahead of its share of kills while it starts or
// resumes, the others after their next checkpoint.
static void killed(const char *options, int kills, int steps) {
    struct rng rng = rng_seed((uint64_t)kills);
    char words[2048];
    run_undisturbed(options, steps, 20);
    int64_t before = -1;
    int done = 0, idle = 0;
    while (done < kills) {
        next_words(words, sizeof words, options, steps, 20);
        bool ahead = before > (int64_t)steps * (done + 1) / (kills + 2);
        pid_t pid = program_start(words);
        if (!ahead) await_checkpoint(pid, before);
        usleep((useconds_t)rng_range(&rng, 0, ahead ? 5e5 : 1e5));
        kill(pid, SIGKILL);
        int code = program_wait(pid);
        if (code == 0) break; // through before it could be killed
        assert_int_equal(code, 128 + SIGKILL);
        int64_t after = runs_newest_checkpoint(DIR_RUN);
        assert_true(after >= before); // no checkpoint is lost
        idle += after == before;
        before = after;
        done++;
    }
    finish(options, steps, 20);
    print_message("%d kills, %d of them before the next checkpoint\n", done, idle);
    assert_true(done >= kills * 9 / 10 && idle < done);
}

static void killed_with_an_encoder(void **state) {
    (void)state;
    killed(BYOL, kills_wanted(), 600 + 15 * kills_wanted());
}

static void killed_with_states(void **state) {
    (void)state;
    killed(STATE, kills_wanted() / 5 + 3, 1000);
}

// --- faults ---

// One run through faults at growing n; each attempt fails cleanly or goes on, none loses a
// checkpoint.
static void fault_at(const char *kind, const char *suffix, const char *options, int steps,
                     int code_expected, const char *message) {
    char words[2048], fault[64];
    int failed = 0, passed_at = 0;
    int64_t before = -1;
    double growth = thorough() ? 1.08 : 2;
    for (double n = 1; n < 3000 && !passed_at; n = n * growth + 1) {
        struct text errors = {0};
        next_words(words, sizeof words, options, steps, 60);
        snprintf(fault, sizeof fault, "%s %d%s", kind, (int)n, suffix);
        int code = run_with_fault(fault, words, &errors);
        if (code == 0) {
            passed_at = (int)n;
        } else if (code != code_expected || (message && !strstr(errors.data, message)) ||
                   (errors.data && strstr(errors.data, "contract"))) {
            fail_msg("'%s' with '%s' exits %d: %s", words, fault, code, errors.data);
        }
        failed += code != 0;
        int64_t after = runs_newest_checkpoint(DIR_RUN);
        assert_true(after >= before);
        before = after;
        text_release(&errors);
    }
    finish(options, steps, 60);
    print_message("%s%s: %d failures, through at call %d\n", kind, suffix, failed, passed_at);
    assert_true(failed >= 2);
}

static void faults_of_the_disk(void **state) {
    (void)state;
    const struct {
        const char *options;
        int steps;
    } runs[] = {{STATE, 500}, {BYOL, 460}};
    for (int i = 0; i < 2; i++) {
        run_undisturbed(runs[i].options, runs[i].steps, 60);
        fault_at("once", " 28", runs[i].options, runs[i].steps, 1, "No space left");
        runs_clean(DIR_RUN);
        fault_at("once", " 5", runs[i].options, runs[i].steps, 1, "Input/output error");
        runs_clean(DIR_RUN);
        fault_at("full", "", runs[i].options, runs[i].steps, 1, "No space left");
        runs_clean(DIR_RUN);
        fault_at("kill", "", runs[i].options, runs[i].steps, 128 + SIGKILL, NULL);
    }
}

static void short_writes_and_jumping_clocks(void **state) {
    (void)state;
    run_undisturbed(BYOL, 460, 60);
    const char *const faults[] = {"short 1", "clock 0"};
    for (int i = 0; i < 2; i++) {
        char words[2048];
        struct text errors = {0};
        runs_clean(DIR_RUN);
        next_words(words, sizeof words, BYOL " --time-limit 500", 460, 60);
        if (run_with_fault(faults[i], words, &errors))
            fail_msg("'%s' with '%s': %s", words, faults[i], errors.data);
        text_release(&errors);
        runs_assert_same(DIR_WHOLE, DIR_RUN);
    }
}

static void faults_of_memory(void **state) {
    (void)state;
    run_undisturbed(BYOL, 360, 60);
    fault_at("memory", "", BYOL, 360, 1, "memory");
}

// --- damaged files ---

static const char *const damages[] = {"cut", "flip", "empty", "gone"};

// Seeded by the file's name, so that a failure comes again.
static void damage(const char *path, const char *how) {
    struct bytes file;
    struct rl_error err = {0};
    uint64_t seed = 1;
    for (const char *c = path; *c; c++) seed = seed * 31 + (unsigned char)*c;
    struct rng rng = rng_seed(seed);
    if (!strcmp(how, "gone")) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    if (file_read(path, 1 << 28, &file, &err) != RL_OK) fail_msg("%s", err.message);
    size_t size = file.size;
    if (!strcmp(how, "cut")) size = size / 2;
    if (!strcmp(how, "empty")) size = 0;
    // Rows after the checkpoint are cut, whatever is in them.
    size_t known = strstr(path, "metrics.jsonl") ? size / 2 : size;
    if (!strcmp(how, "flip") && size)
        file.data[rng_below(&rng, (uint32_t)known)] ^= 1u << rng_below(&rng, 8);
    if (file_write_atomic(path, file.data, size, &err) != RL_OK) fail_msg("%s", err.message);
    mem_free(file.data);
}

// Resumed with one file damaged: it goes on, from an older checkpoint where it must, to the same
// bits; or it says which file is at fault; or, where options changed, that they did.
static void resume_damaged(const char *file, const char *how, bool must_go_on) {
    char path[600];
    struct text errors = {0};
    assert_int_equal(system("rm -rf " DIR_RUN "; cp -r " DIR_SOAK "/stopped " DIR_RUN), 0);
    snprintf(path, sizeof path, DIR_RUN "/%s", file);
    damage(path, how);
    int code = program_run("resume " DIR_RUN " --steps 560", NULL, &errors);
    const char *name = strrchr(path, '/') + 1;
    bool told = errors.data && strstr(errors.data, name);
    if (must_go_on && !strcmp(how, "gone")) // a name that is not there cannot be said
        told = errors.data && strstr(errors.data, "the log knows of step 460");
    if (code == 0) {
        bool options_changed = told && !strcmp(name, "config.yaml");
        if (options_changed) return;
        if (!strcmp(name, "metrics.jsonl")) { // the log itself was damaged
            assert_int_equal(system("cp " DIR_WHOLE "/metrics.jsonl " DIR_RUN), 0);
        }
        runs_assert_same(DIR_WHOLE, DIR_RUN);
    } else if (must_go_on || (code != 1 && code != 2) || !told) {
        fail_msg("%s (%s) makes resume exit %d: %s", file, how, code, errors.data);
    }
    bool log_changed = !strcmp(name, "metrics.jsonl");
    if ((must_go_on || log_changed) && !told) fail_msg("%s (%s) goes by in silence", file, how);
    text_release(&errors);
}

static void damaged_files(void **state) {
    (void)state;
    char file[512];
    int n_files = 0;
    runs_clean(DIR_SOAK);
    struct text errors = {0};
    const char *words = BYOL " --steps 460 --checkpoint-every 90 --run-dir " DIR_SOAK "/stopped";
    if (program_run(words, NULL, &errors)) fail_msg("%s", errors.data);
    assert_int_equal(system("cp -r " DIR_SOAK "/stopped " DIR_WHOLE), 0);
    assert_int_equal(program_run("resume " DIR_WHOLE " --steps 560", NULL, NULL), 0);
    FILE *list = popen("cd " DIR_SOAK "/stopped && find * -type f | sort", "r");
    assert_non_null(list);
    while (fgets(file, sizeof file, list)) {
        file[strcspn(file, "\n")] = '\0';
        bool newest = strstr(file, "step-000000460.ckpt");
        for (int d = 0; d < 4; d++) {
            if (thorough() || d == n_files % 4) resume_damaged(file, damages[d], newest);
        }
        n_files++;
    }
    assert_int_equal(pclose(list), 0);
    assert_true(n_files > 12);
    text_release(&errors);
}

// --- real file systems: in a mount namespace of its own, where the system allows one ---

static int in_namespace(const char *script) {
    char command[4096];
    snprintf(command, sizeof command, "unshare -Urm sh -c '%s' > " DIR_SOAK "/script.log 2>&1",
             script);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void small_disk_and_read_only_folder(void **state) {
    (void)state;
    run_undisturbed(STATE, 600, 60);
    runs_clean(DIR_RUN);
    if (in_namespace("mount -t tmpfs -o size=100k tmpfs " DIR_RUN) != 0) skip();
    char script[4000];
    snprintf(
        script, sizeof script,
        "cd " DIR_SOAK "; mount -t tmpfs -o size=5m tmpfs run || exit 10; "
        "%s %s --steps 600 --checkpoint-every 60 --run-dir run/r 2> full; [ $? = 1 ] || exit 11; "
        "grep -q \"No space left.*free some space\" full || exit 12; "
        "mount -o remount,ro run; "
        "%s resume run/r 2> ro; [ $? = 1 ] || exit 13; grep -q \"Read-only\" ro || exit 14; "
        "mount -o remount,rw,size=50m run; cp -r run/r kept; "
        "ls run/r/checkpoints | grep -q ckpt || exit 15; "
        "%s resume run/r || exit 16; rm -rf kept; cp -r run/r kept",
        getenv("RLRUN_PROGRAM"), STATE, getenv("RLRUN_PROGRAM"), getenv("RLRUN_PROGRAM"));
    int code = in_namespace(script);
    if (code) fail_msg("the script ends with %d; see " DIR_SOAK, code);
    runs_assert_same(DIR_WHOLE, DIR_SOAK "/kept");
}

// A word of the command line is a pattern of the tests to run.
int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_the_disk),     cmocka_unit_test(short_writes_and_jumping_clocks),
        cmocka_unit_test(faults_of_memory),       cmocka_unit_test(small_disk_and_read_only_folder),
        cmocka_unit_test(damaged_files),          cmocka_unit_test(killed_with_states),
        cmocka_unit_test(killed_with_an_encoder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
