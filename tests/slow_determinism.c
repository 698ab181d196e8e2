// The promise of docs/determinism.md: equal bits whatever the threads, the load and the stops, and
// on every SIMD level for physics and pictures. (Kills and resumption: slow_soak.)
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
#include "base/mem.h"
#include "base/rng.h"
#include "math/simd.h"
#include "support/program.h"
#include "support/runs.h"

#define DIR "slow_determinism.tmp"
#define SMALL                                                                                      \
    "ddpg --env cheetah --steps 420 --ddpg.random_steps 300 --env.image_size 32 --ddpg.batch 16 "  \
    "--loop.tick_steps 20 --eval-every 1200 --eval-episodes 1 --log-every 40 --seed 3 "

static const char *const modes[] = {
    "--encoder byol --ssl.batch 16 --loop.ssl_first 10 --loop.publish_min 40",
    "--encoder state --ddpg.batch 64",
    "--encoder cnn --ddpg.batch 4 --ddpg.updates_per_step 0.1",
};

static void run(const char *dir, const char *mode, int threads) {
    char words[2048];
    struct text errors = {0};
    snprintf(words, sizeof words, SMALL "%s --threads %d --run-dir " DIR "/%s", mode, threads, dir);
    if (program_run(words, NULL, &errors)) fail_msg("'%s': %s", words, errors.data);
    text_release(&errors);
}

static pid_t start_load(void) {
    pid_t pid = fork();
    if (pid != 0) return pid;
    for (volatile unsigned n = 0;;) n++;
}

// Stopped and continued at random moments beside three programs that want the same cores.
static void run_disturbed(const char *dir, const char *mode, struct rng *rng) {
    char words[2048];
    pid_t load[3];
    for (int i = 0; i < 3; i++) load[i] = start_load();
    snprintf(words, sizeof words, SMALL "%s --threads 2 --run-dir " DIR "/%s", mode, dir);
    pid_t pid = program_start(words);
    siginfo_t ended = {0};
    int stops = 0;
    while (ended.si_pid == 0) {
        usleep((useconds_t)rng_range(rng, 1e3, 8e4));
        kill(pid, SIGSTOP);
        usleep((useconds_t)rng_range(rng, 1e3, 3e4));
        kill(pid, SIGCONT);
        stops++;
        assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
    }
    assert_int_equal(program_wait(pid), 0);
    for (int i = 0; i < 3; i++) {
        kill(load[i], SIGKILL);
        program_wait(load[i]);
    }
    assert_true(stops >= 3);
}

static void threads_stops_and_load_do_not_matter(void **state) {
    (void)state;
    struct rng rng = rng_seed(5);
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
        runs_clean(DIR);
        run("two", modes[m], 2);
        run("one", modes[m], 1);
        runs_assert_same(DIR "/two", DIR "/one");
        run_disturbed("disturbed", modes[m], &rng);
        runs_assert_same(DIR "/two", DIR "/disturbed");
    }
}

// Runs words with RLRUN_SIMD set for it; %s in them is the level's name.
static void run_on(enum simd_level level, const char *words) {
    char named[1024];
    struct text errors = {0};
    const char *name = simd_level_name(level);
    setenv("RLRUN_SIMD", name, 1);
    snprintf(named, sizeof named, "%s " DIR "/%s", words, name);
    if (program_run(named, NULL, &errors)) fail_msg("'%s': %s", named, errors.data);
    unsetenv("RLRUN_SIMD");
    text_release(&errors);
}

static void assert_equal_files(enum simd_level level) {
    char path[256];
    struct bytes a, b;
    struct rl_error err = {0};
    snprintf(path, sizeof path, DIR "/%s", simd_level_name(SIMD_LEVEL_PORTABLE));
    if (file_read(path, 1 << 28, &a, &err) != RL_OK) fail_msg("%s", err.message);
    snprintf(path, sizeof path, DIR "/%s", simd_level_name(level));
    if (file_read(path, 1 << 28, &b, &err) != RL_OK) fail_msg("%s", err.message);
    assert_true(a.size > 1000);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    mem_free(a.data);
    mem_free(b.data);
}

// Trajectories and pictures of a domain each of contacts, tendons, fluid and many bodies.
static void physics_and_pictures_on_every_level(void **state) {
    (void)state;
    static const char *const commands[] = {
        "env-trace --env cheetah --steps 60 --seed 4 --output",
        "env-trace --env swimmer-swimmer6 --steps 60 --seed 4 --output",
        "env-trace --env humanoid-stand --steps 30 --seed 4 --output",
        "env-trace --env finger-spin --steps 60 --seed 4 --output",
        "render --env cheetah --seed 4 --output",
        "render --env quadruped-walk --seed 4 --output",
    };
    for (size_t c = 0; c < sizeof commands / sizeof *commands; c++) {
        runs_clean(DIR);
        for (int level = SIMD_LEVEL_PORTABLE; level <= (int)simd_level_cpu(); level++) {
            run_on((enum simd_level)level, commands[c]);
            assert_equal_files((enum simd_level)level);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(physics_and_pictures_on_every_level),
        cmocka_unit_test(threads_stops_and_load_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
