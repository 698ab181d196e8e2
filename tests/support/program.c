#include "support/program.h"

#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
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

#define WORDS_MAX 64

static void exec_program(const char *words) {
    char copy[4096], *argv[WORDS_MAX + 2], *rest = copy;
    const char *program = getenv("RLRUN_PROGRAM");
    if (!program) _exit(126);
    snprintf(copy, sizeof copy, "%s", words);
    int argc = 0;
    argv[argc++] = (char *)program;
    for (char *word; argc <= WORDS_MAX && (word = strsep(&rest, " "));) {
        if (*word) argv[argc++] = word;
    }
    argv[argc] = NULL;
    execv(program, argv);
    _exit(127);
}

static void read_back(FILE *file, struct text *out) {
    char block[4096];
    rewind(file);
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;) {
        if (out) text_add_bytes(out, block, n);
    }
    fclose(file);
}

int program_wait(pid_t pid) {
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int program_run(const char *words, struct text *output, struct text *errors) {
    FILE *out = tmpfile(), *err = tmpfile();
    assert_non_null(out);
    assert_non_null(err);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        exec_program(words);
    }
    int code = program_wait(pid);
    read_back(out, output);
    read_back(err, errors);
    return code;
}

pid_t program_start(const char *words) {
    pid_t pid = fork();
    if (pid == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        exec_program(words);
    }
    return pid;
}

static void add_row(const char *line, struct text *out) {
    json_error_t problem;
    json_t *row = json_loads(line, 0, &problem);
    if (!row) fail_msg("metrics row '%.80s': %s", line, problem.text);
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(row, next, key, value) {
        size_t length = strlen(key);
        if (length > 2 && !strcmp(key + length - 2, "_s")) json_object_del(row, key);
    }
    char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(9));
    text_add(out, "%s\n", text);
    free(text);
    json_decref(row);
}

struct text program_metrics(const char *run_dir) {
    char path[4096];
    struct bytes bytes;
    struct rl_error err = {0};
    struct text rows = {0};
    file_join(path, sizeof path, run_dir, "metrics.jsonl");
    if (file_read(path, 1 << 28, &bytes, &err) != RL_OK) fail_msg("%s", err.message);
    char *rest = (char *)bytes.data;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (*line) add_row(line, &rows);
    }
    mem_free(bytes.data);
    return rows;
}

int program_set_up(void **state) {
    char *dir = mem_strdup("/tmp/rlrun_test_XXXXXX");
    *state = dir;
    return getenv("RLRUN_PROGRAM") && mkdtemp(dir) ? chdir(dir) : -1;
}

int program_tear_down(void **state) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    mem_free(*state);
    return chdir("/") || system(command);
}
