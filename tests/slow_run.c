// Whole runs of the program: the same bits for any number of threads, after SIGKILL and resume, and
// the exit status and message of everything that a user can get wrong.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "support/program.h"
#include "support/runs.h"

// Small, but with everything in it: random phase, first publish, aligned publishes under way,
// evaluations, checkpoints.
#define SMALL_RUN                                                                                  \
    "ddpg --env cheetah --steps 800 --ddpg.random_steps 400 --env.image_size 32 "                  \
    "--loop.publish_min 100 --loop.tick_steps 20 --ddpg.batch 64 --eval-every 1200 "               \
    "--eval-episodes 1 --log-every 40 --checkpoint-every 60 --seed 3 "
#define SMALL_BYOL                                                                                 \
    "--encoder byol --ssl.batch 32 --loop.ssl_first 20 --explore.bonus density "                   \
    "--explore.input latents"

static const char *const encoders[] = {
    SMALL_BYOL, "--encoder state --replay.priority_alpha 0.6 --explore.bonus density",
    "--encoder cnn --explore.bonus rnd --ddpg.batch 8 --ddpg.updates_per_step 0.1"};

static void run(const char *dir, const char *options) {
    struct text errors = {0};
    char words[2048];
    snprintf(words, sizeof words, "%s %s --run-dir %s", SMALL_RUN, options, dir);
    int code = program_run(words, NULL, &errors);
    if (code) fail_msg("'%s' exits %d: %s", words, code, errors.data);
    text_release(&errors);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++) {
        char options[512];
        runs_clean("slow_run.tmp");
        snprintf(options, sizeof options, "%s --threads 2", encoders[i]);
        run("slow_run.tmp/two", options);
        snprintf(options, sizeof options, "%s --threads 1", encoders[i]);
        run("slow_run.tmp/one", options);
        snprintf(options, sizeof options, "%s --threads 3", encoders[i]);
        run("slow_run.tmp/three", options);
        runs_assert_same("slow_run.tmp/two", "slow_run.tmp/one");
        runs_assert_same("slow_run.tmp/two", "slow_run.tmp/three");
    }
}

// Kills it at random moments and resumes, until it is through. Returns how often it was killed.
static int run_under_fire(const char *dir, const char *options, struct rng *rng) {
    char words[2048];
    int kills = 0;
    snprintf(words, sizeof words, "%s %s --run-dir %s", SMALL_RUN, options, dir);
    for (int attempt = 0; attempt < 60; attempt++) {
        pid_t pid = program_start(words);
        usleep((useconds_t)rng_range(rng, 2e5, 1.5e6));
        bool killed = attempt < 12 && kill(pid, SIGKILL) == 0;
        int code = program_wait(pid);
        if (code == 0) return kills;
        if (!killed || code != 128 + SIGKILL)
            fail_msg("'%s' exits %d after %d kills", words, code, kills);
        kills++;
        snprintf(words, sizeof words, "resume %s", dir);
        // Killed before its first checkpoint: a new run in a clean folder.
        char look[600];
        snprintf(look, sizeof look, "ls %s/checkpoints/*.ckpt >/dev/null 2>&1", dir);
        if (system(look) != 0) {
            char remove[600];
            snprintf(remove, sizeof remove, "rm -rf %s", dir);
            assert_int_equal(system(remove), 0);
            snprintf(words, sizeof words, "%s %s --run-dir %s", SMALL_RUN, options, dir);
        }
    }
    return kills;
}

static void killed_runs_end_with_the_same_bits(void **state) {
    (void)state;
    struct rng rng = rng_seed(7);
    int kills = 0;
    for (size_t i = 0; i < 2; i++) {
        runs_clean("slow_run.tmp");
        run("slow_run.tmp/whole", encoders[i]);
        kills += run_under_fire("slow_run.tmp/killed", encoders[i], &rng);
        runs_assert_same("slow_run.tmp/whole", "slow_run.tmp/killed");
    }
    print_message("%d kills\n", kills);
    assert_true(kills >= 3);
}

static void mistakes_are_told(void **state) {
    (void)state;
    static const struct {
        const char *words;
        int code;
        const char *message;
    } mistakes[] = {
        {"ddpg --env chetah", 2, "unknown environment 'chetah' (did you mean 'cheetah'?)"},
        {"dpdg --env cheetah", 2, "did you mean 'ddpg'?"},
        {"ddpg --encoder boyl", 2, "did you mean 'byol'?"},
        {"ddpg --ddpg.gama 0.9", 2, "did you mean 'gamma'?"},
        {"ddpg --ddpg.gamma 1.5", 2, "allowed is a number 0 to 1"},
        {"ddpg --steps 10 --steps", 2, "steps"},
        {"ddpg --config nowhere.yaml", 2, "nowhere"},
        {"ddpg --encoder state --byol.hidden 3", 2, "does not use"},
        {"ddpg --encoder state --steps 10 --run-dir /proc/rlrun", 1, "/proc/rlrun"},
        {"resume slow_run.tmp/none", 2, "slow_run.tmp/none"},
        {"eval slow_run.tmp/none", 2, "slow_run.tmp/none"},
    };
    runs_clean("slow_run.tmp");
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct text errors = {0};
        int code = program_run(mistakes[i].words, NULL, &errors);
        bool one_line = errors.data && strchr(errors.data, '\n') == errors.data + errors.length - 1;
        if (code != mistakes[i].code || !one_line || !strstr(errors.data, mistakes[i].message)) {
            fail_msg("'%s' exits %d and says: %s", mistakes[i].words, code, errors.data);
        }
        text_release(&errors);
    }
}

static void a_run_is_not_overwritten(void **state) {
    (void)state;
    runs_clean("slow_run.tmp");
    run("slow_run.tmp/a", "--encoder state --steps 450");
    struct text errors = {0}, output = {0};
    int code =
        program_run("ddpg --encoder state --steps 10 --run-dir slow_run.tmp/a", NULL, &errors);
    assert_int_equal(code, 2);
    assert_non_null(strstr(errors.data, "resume"));
    assert_int_equal(program_run("eval slow_run.tmp/a --episodes 2 --json", &output, &errors), 0);
    assert_non_null(strstr(output.data, "\"return_mean\""));
    text_release(&errors);
    text_release(&output);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(a_run_is_not_overwritten),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(killed_runs_end_with_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
