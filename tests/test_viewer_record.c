// `rlrun record` as a user runs it: the same seed gives the same pictures, grids have the size that
// they should, wrong calls are refused.
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
#include "base/png_file.h"

static char dir[] = "/tmp/test_viewer_record_XXXXXX";

static int setup(void **state) {
    (void)state;
    return getenv("RLRUN_PROGRAM") && mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

// Exit status of `rlrun record ARGUMENTS -o DIR/NAME`.
static int record(const char *arguments, const char *name) {
    char command[1024];
    snprintf(command, sizeof(command), "'%s' record %s -o %s/%s >/dev/null 2>&1",
             getenv("RLRUN_PROGRAM"), arguments, dir, name);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct png_image picture(const char *name) {
    struct png_image image;
    struct rl_error err = {0};
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (png_read(path, &image, &err) != RL_OK) fail_msg("%s", err.message);
    return image;
}

static bool same(const char *a, const char *b) {
    struct png_image x = picture(a), y = picture(b);
    bool equal = x.width == y.width && x.height == y.height &&
                 !memcmp(x.pixels, y.pixels, (size_t)x.width * (size_t)x.height * 3);
    mem_free(x.pixels);
    mem_free(y.pixels);
    return equal;
}

static void same_seed_same_pictures(void **state) {
    (void)state;
    static const char small[] = "--env cheetah --seconds 0.2 --width 64 --height 48";
    char overlaid[128], other[128];
    snprintf(overlaid, sizeof(overlaid), "%s --overlay", small);
    snprintf(other, sizeof(other), "%s --seed 3", small);
    assert_int_equal(record(small, "a.png"), 0);
    assert_int_equal(record(small, "b.png"), 0);
    assert_int_equal(record(overlaid, "c.png"), 0);
    assert_int_equal(record(other, "d.png"), 0);
    assert_true(same("a-00000.png", "b-00000.png"));
    assert_true(same("a-00004.png", "b-00004.png"));
    assert_false(same("a-00000.png", "a-00004.png")); // it moves
    assert_false(same("a-00004.png", "c-00004.png"));
    assert_false(same("a-00004.png", "d-00004.png"));
}

static void grids(void **state) {
    (void)state;
    assert_int_equal(record("--env cheetah --seconds 0.04 --width 32 --height 24 --episodes 3 "
                            "--grid --cameras=0,-1",
                            "g.png"),
                     0);
    struct png_image image = picture("g-00000.png"); // 6 tiles in 3 columns
    assert_true(image.width == 96 && image.height == 48);
    mem_free(image.pixels);
}

static void refusals(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "some_run --env cheetah",
                                        "--env cheetah --cameras=99",
                                        "--env cheetah --cameras=0,x",
                                        "--env cheetah --width 8",
                                        "--env cheetha"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(record(wrong[i], "w.png"), 2);
    }
    assert_int_equal(record("--env cheetah --seconds 0.02", "w.avi"), 2);
    assert_true(record("no_such_run", "w.png") != 0);
}

// Ctrl-C while recording: status 130, and nothing is left of the file.
static void interrupted(void **state) {
    (void)state;
    char path[128], temporary[140];
    snprintf(path, sizeof(path), "%s/i.mp4", dir);
    snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(126);
        execl(getenv("RLRUN_PROGRAM"), "rlrun", "record", "--env", "cheetah", "--seconds", "3000",
              "-o", path, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    for (int i = 0; i < 200 && !file_exists(temporary); i++) {
        usleep(50000);
        if (waitpid(child, &status, WNOHANG) == child) skip(); // built without libav
    }
    kill(child, SIGINT);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 130);
    assert_false(file_exists(path) || file_exists(temporary));
}

// A disk that fills, here a limit on a file's size: one line, status 1, nothing left.
static void a_full_disk(void **state) {
    (void)state;
    char command[1024], path[128];
    snprintf(path, sizeof(path), "%s/f.mp4", dir);
    snprintf(command, sizeof(command),
             "trap '' XFSZ; ulimit -f 16; '%s' record --env cheetah --seconds 4 -o %s 2>%s/said",
             getenv("RLRUN_PROGRAM"), path, dir);
    int status = system(command);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_false(file_exists(path));
    strcat(path, ".tmp");
    assert_false(file_exists(path));
    struct bytes said;
    struct rl_error err = {0};
    snprintf(path, sizeof(path), "%s/said", dir);
    assert_int_equal(file_read(path, 4096, &said, &err), RL_OK);
    assert_ptr_equal(strchr((const char *)said.data, '\n'), said.data + said.size - 1);
    mem_free(said.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_pictures),
        cmocka_unit_test(grids),
        cmocka_unit_test(refusals),
        cmocka_unit_test(interrupted),
        cmocka_unit_test(a_full_disk),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
