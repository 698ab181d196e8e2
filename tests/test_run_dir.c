// The folder of a run: names, refusal to overwrite, one writer at a time, finding.
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
#include "base/mem.h"
#include "train/run_dir.h"

static int set_up(void **state) {
    char *dir = mem_strdup("/tmp/rlrun_run_dir_XXXXXX");
    *state = dir;
    return mkdtemp(dir) ? chdir(dir) : -1;
}

static int tear_down(void **state) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    mem_free(*state);
    return chdir("/") || system(command);
}

static void names(void **state) {
    (void)state;
    char name[256];
    run_dir_name(name, sizeof name, "ddpg", "cheetah-run", "byol", 1);
    assert_string_equal(name, "ddpg_cheetah-run_byol_s1");
    run_dir_name(name, sizeof name, "td3", "models/a b.xml", "../x/enc.safetensors", -2);
    assert_string_equal(name, "td3_a-b.xml_enc.safetensors_s-2");
}

static void numbers_when_taken(void **state) {
    (void)state;
    static const char *const expected[] = {"runs/a", "runs/a-2", "runs/a-3"};
    struct run_dir runs[3];
    struct rl_error err = {0};
    char path[RUN_DIR_PATH_BYTES + 64];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run_dir_create(&runs[i], "", "a", "seed: 1\n", &err), RL_OK);
        assert_string_equal(runs[i].path, expected[i]);
        struct bytes bytes;
        run_dir_file(&runs[i], path, RUN_DIR_CONFIG);
        assert_int_equal(file_read(path, 1000, &bytes, &err), RL_OK);
        assert_string_equal((char *)bytes.data, "seed: 1\n");
        mem_free(bytes.data);
        run_dir_file(&runs[i], path, RUN_DIR_MACHINE);
        assert_int_equal(file_read(path, 4096, &bytes, &err), RL_OK);
        assert_non_null(strstr((char *)bytes.data, "\"cores\": "));
        mem_free(bytes.data);
    }
    for (int i = 0; i < 3; i++) run_dir_close(&runs[i]);
    static const char *const bad[] = {"", "a/b", "..", "../a"};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(run_dir_create(&runs[0], "", bad[i], "", &err), RL_EUSAGE);
    }
}

static void never_overwrites(void **state) {
    (void)state;
    struct run_dir run, again;
    struct rl_error err = {0};
    assert_int_equal(run_dir_create(&run, "deep/er/mine", "", "seed: 1\n", &err), RL_OK);
    run_dir_close(&run);
    assert_int_equal(run_dir_create(&again, "deep/er/mine", "", "seed: 2\n", &err), RL_EUSAGE);
    assert_non_null(strstr(err.message, "rlrun resume deep/er/mine"));
    assert_int_equal(run_dir_open(&run, "deep/er/mine", &err), RL_OK); // the refusal kept no lock
    run_dir_close(&run);
}

static void one_writer(void **state) {
    (void)state;
    struct run_dir run, other;
    struct rl_error err = {0};
    assert_int_equal(run_dir_create(&run, "mine", "", "seed: 1\n", &err), RL_OK);
    assert_int_equal(run_dir_open(&other, "mine", &err), RL_EIO);
    assert_non_null(strstr(err.message, "another process"));
    assert_int_equal(run_dir_find(&other, "mine", &err), RL_OK);
    assert_true(run_dir_is_busy(&other));
    run_dir_close(&run);
    assert_false(run_dir_is_busy(&other));
    assert_int_equal(run_dir_open(&other, "mine", &err), RL_OK);
    run_dir_close(&other);
}

static void finds_and_suggests(void **state) {
    (void)state;
    struct run_dir run, found;
    struct rl_error err = {0};
    assert_int_equal(run_dir_create(&run, "", "ddpg_cheetah", "seed: 1\n", &err), RL_OK);
    run_dir_close(&run);
    assert_int_equal(run_dir_find(&found, "ddpg_cheetah", &err), RL_OK);
    assert_string_equal(found.checkpoints, "runs/ddpg_cheetah/checkpoints");
    assert_int_equal(run_dir_find(&found, "runs/ddpg_cheetah", &err), RL_OK);
    assert_int_equal(run_dir_find(&found, "ddpg_chetah", &err), RL_EUSAGE);
    assert_non_null(strstr(err.message, "did you mean 'ddpg_cheetah'?"));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(names),      CASE(numbers_when_taken), CASE(never_overwrites),
        CASE(one_writer), CASE(finds_and_suggests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
