// The program from outside: exit statuses, one line on stderr, machine-readable output.
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
#include "support/program.h"

struct result {
    int code;
    char out[65536], err[4096];
};

static size_t slurp(const char *path, char *out, size_t size) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(out, 1, size - 1, file);
    out[n] = '\0';
    fclose(file);
    return n;
}

static void run(struct result *result, const char *arguments) {
    char command[2048];
    snprintf(command, sizeof command, "'%s' %s >out 2>err </dev/null", getenv("RLRUN_PROGRAM"),
             arguments);
    int code = system(command);
    assert_true(WIFEXITED(code));
    result->code = WEXITSTATUS(code);
    slurp("out", result->out, sizeof result->out);
    slurp("err", result->err, sizeof result->err);
}

static void write_text(const char *path, const char *text) {
    struct rl_error err = {0};
    assert_int_equal(file_write_atomic(path, text, strlen(text), &err), RL_OK);
}

static int lines_of(const char *text) {
    int lines = 0;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

// Wrong usage: status 2, one line that says what and, where it can, what may be meant; no run
// folder.
static void wrong_usage(void **state) {
    (void)state;
    write_text("key.yaml", "ddpg:\n  bach: 3\n");
    write_text("value.yaml", "steps: -5\n");
    write_text("syntax.yaml", "steps: [\n");
    static const struct {
        const char *arguments, *message;
    } cases[] = {
        {"ddpg --env chetah", "unknown environment 'chetah' (did you mean 'cheetah'?)"},
        {"dpdg --env cheetah", "unknown command or agent 'dpdg' (did you mean 'ddpg'?)"},
        {"lisst", "(did you mean 'list'?)"},
        {"ddpg --encoder byoll", "(did you mean 'byol'?)"},
        {"ddpg --stepps 3", "--stepps: unknown option 'stepps' (did you mean 'steps'?)"},
        {"ddpg --steps ten", "--steps: steps = 'ten': allowed is a whole number 1 to"},
        {"ddpg --steps 0", "allowed is a whole number 1 to"},
        {"ddpg --steps", "--steps: a value is expected"},
        {"ddpg --ddpg.gamma nan", "--ddpg.gamma: ddpg.gamma = 'nan': allowed is a number 0 to 1"},
        {"ddpg --td3.gamma 0.9", "--td3.gamma: this run does not use 'td3'"},
        {"ddpg --config key.yaml",
         "key.yaml:2: unknown option 'ddpg.bach' (did you mean 'batch'?)"},
        {"ddpg --config value.yaml", "value.yaml:1: steps = '-5'"},
        {"ddpg --config syntax.yaml", "syntax.yaml:"},
        {"ddpg --config qickstart", "no file 'qickstart'"},
        {"ddpg stray", "unexpected word 'stray'"},
        {"resume nothing", "no run 'nothing'"},
        {"eval nothing", "no run 'nothing'"},
        {"list envz", "(did you mean 'envs'?)"},
        {"bench", "bench what?"},
        {"plot", "plot what?"},
        {"stats", "stats of what?"},
        {"sweep", "sweep what?"},
        {"sweep nothing.yaml", "no file 'nothing.yaml'"},
    };
    struct result *result = MEM_NEW(struct result);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(result, cases[i].arguments);
        if (result->code != 2 || !strstr(result->err, cases[i].message) ||
            lines_of(result->err) != 1 || strncmp(result->err, "rlrun: ", 7)) {
            fail_msg("rlrun %s: status %d, stderr: %s (wanted: %s)", cases[i].arguments,
                     result->code, result->err, cases[i].message);
        }
    }
    assert_false(file_exists("runs"));
    mem_free(result);
}

static void every_command_has_help(void **state) {
    (void)state;
    struct result *list = MEM_NEW(struct result), *help = MEM_NEW(struct result);
    run(list, "list commands --json");
    assert_int_equal(list->code, 0);
    int count = 0;
    for (char *line = list->out; *line; line = strchr(line, '\n') + 1) {
        char name[64], arguments[128];
        assert_int_equal(sscanf(line, "{\"name\": \"%63[a-z_]\"", name), 1);
        snprintf(arguments, sizeof arguments, "%s --help", name);
        run(help, arguments);
        assert_int_equal(help->code, 0);
        assert_non_null(strstr(help->out, "Usage: rlrun"));
        assert_string_equal(help->err, "");
        count++;
    }
    assert_true(count >= 5);
    run(help, "ddpg --help");
    assert_int_equal(help->code, 0);
    assert_non_null(strstr(help->out, "--ddpg.gamma"));
    assert_non_null(strstr(help->out, "--time-limit"));
    mem_free(list);
    mem_free(help);
}

static void lists(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"list envs", "cheetah-run "},
        {"list agents", "ddpg "},
        {"list encoders --json", "{\"name\": \"cnn\", \"summary\": "},
        {"list ssl", "byol "},
        {"list configs", "quickstart\n"},
        {"list options --markdown", "| `--steps` |"},
        {"version", "rlrun "},
    };
    struct result *result = MEM_NEW(struct result);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(result, cases[i][0]);
        if (result->code || !strstr(result->out, cases[i][1]))
            fail_msg("rlrun %s: status %d: %.300s", cases[i][0], result->code, result->out);
    }
    mem_free(result);
}

// A hand-made run folder: shown, drawn, and refused for what it lacks.
static void shows_runs(void **state) {
    (void)state;
    struct result *result = MEM_NEW(struct result);
    struct rl_error err = {0};
    run(result, "top");
    assert_int_equal(result->code, 1);
    assert_int_equal(file_make_dirs("runs/a", &err), RL_OK);
    write_text("runs/a/config.yaml", "steps: 2000\n");
    write_text(
        "runs/a/metrics.jsonl",
        "{\"kind\": \"eval\", \"frames\": 2000, \"steps\": 500, \"updates\": 1, \"wall_s\": 10, "
        "\"return_mean\": 20}\n"
        "{\"kind\": \"eval\", \"frames\": 4000, \"steps\": 1000, \"updates\": 2, \"wall_s\": "
        "20, \"return_mean\": 10, \"x\": null}\n{\"kind\": \"tr");
    run(result, "top --json");
    assert_int_equal(result->code, 0);
    assert_non_null(strstr(result->out,
                           "{\"run\": \"a\", \"state\": \"stopped\", \"frames\": 4000, "
                           "\"steps\": 1000, \"total_steps\": 2000, \"episode_return\": "
                           "null, \"eval_return\": 10, \"best_return\": 20, "));
    run(result, "top");
    assert_non_null(strstr(result->out, "   50% "));
    run(result, "plot a --width 20 --height 5");
    assert_int_equal(result->code, 0);
    assert_non_null(strstr(result->out, "* a  (2 points, last 10)"));
    assert_non_null(strstr(result->out, "       20 +          ***"));
    run(result, "top a");
    assert_int_equal(result->code, 0);
    assert_non_null(strstr(result->out, "runs/a: stopped, step 1000 of 2000 (50%), 4000 frames"));
    assert_non_null(strstr(result->out, "return_mean              "));
    assert_null(strchr(result->out, '\033')); // no terminal here: plain lines
    run(result, "top a --json");
    assert_int_equal(result->code, 2);
    run(result, "plot a -o a.txt");
    assert_int_equal(result->code, 2);
    run(result, "plot a --width 5");
    assert_int_equal(result->code, 2);
    run(result, "report runs -o page.html"); // its clip is missed with a warning: no checkpoint
    assert_int_equal(result->code, 0);
    assert_non_null(strstr(result->out, "page.html: 1 run, 1 setting"));
    run(result, "plot a --key nope");
    assert_int_equal(result->code, 1);
    run(result, "resume a");
    assert_int_equal(result->code, 1);
    assert_int_equal(lines_of(result->err), 1);
    write_text("runs/a/metrics.jsonl", "{\"kind\": 3}\n");
    run(result, "plot a");
    assert_int_equal(result->code, 1);
    assert_non_null(strstr(result->err, "metrics.jsonl:1: not a row of metrics"));
    mem_free(result);
}

static void full_output_is_an_error(void **state) {
    (void)state;
    char command[512];
    snprintf(command, sizeof command, "'%s' list agents >/dev/full 2>err", getenv("RLRUN_PROGRAM"));
    int code = system(command);
    assert_int_equal(WEXITSTATUS(code), 1);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, program_set_up, program_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(wrong_usage), CASE(every_command_has_help),  CASE(lists),
        CASE(shows_runs),  CASE(full_output_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
