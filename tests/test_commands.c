// The commands that measure, draw or convert, from outside: what they print can be read by a
// program, and what they write holds what it should.
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/png_file.h"
#include "nn/safetensors.h"
#include "support/program.h"

static void must(enum rl_status status, const struct rl_error *err) {
    if (status != RL_OK) fail_msg("%s", err->message);
}

static void succeed(const char *words, struct text *out) {
    struct text errors = {0};
    int code = program_run(words, out, &errors);
    if (code != 0) fail_msg("rlrun %s: status %d, %s", words, code, errors.data);
    text_release(&errors);
}

static double number(const json_t *row, const char *key) {
    const json_t *value = json_object_get(row, key);
    if (!json_is_number(value)) fail_msg("no number '%s'", key);
    return json_number_value(value);
}

// Calls check for each JSON line; how many there were.
static int each_row(const char *words, void (*check)(const json_t *row, void *context),
                    void *context) {
    struct text out = {0};
    int rows = 0;
    succeed(words, &out);
    for (char *line = out.data, *end; *line; line = end + 1, rows++) {
        end = strchr(line, '\n');
        json_t *row = json_loadb(line, (size_t)(end - line), 0, NULL);
        if (!row) fail_msg("rlrun %s: not JSON: %.*s", words, (int)(end - line), line);
        check(row, context);
        json_decref(row);
    }
    text_release(&out);
    return rows;
}

// --- bench ---

static void check_figure(const json_t *row, void *name) {
    assert_string_equal(json_string_value(json_object_get(row, "bench")), name);
    assert_true(json_string_length(json_object_get(row, "case")) > 0);
    assert_true(json_string_length(json_object_get(row, "unit")) > 0);
    double value = number(row, "value");
    if (!(isfinite(value) && value > 0)) fail_msg("%s: %g", (char *)name, value);
    if (json_object_get(row, "peak_fraction")) assert_true(number(row, "peak_fraction") > 0);
}

static void benchmarks_print_figures(void **state) {
    (void)state;
    static const struct {
        const char *name, *filter;
        int rows;
    } cases[] = {
        {"base", "", 2},
        {"env", "--filter cheetah-state", 1},
        {"render", "--filter cartpole-84", 1},
        {"replay", "--filter bytes", 2},
        {"update", "--filter td3-state", 1},
        {"ssl", "--filter simclr", 1},
        {"ranks", "--filter one", 4},
        {"kernels", "--filter conv-strided-4", 3}, // the peak and both ways
        {"kernels", "--filter adam", 2},
        {"kernels", "--filter gemm-256x256x23", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char words[256];
        snprintf(words, sizeof words, "bench %s %s --seconds 0 --json", cases[i].name,
                 cases[i].filter);
        int rows = each_row(words, check_figure, (void *)cases[i].name);
        if (rows < 1 || rows > cases[i].rows) fail_msg("rlrun %s: %d rows", words, rows);
    }
    struct text out = {0};
    succeed("bench base --seconds 0", &out);
    assert_non_null(strstr(out.data, "normal draw"));
    text_release(&out);
}

// --- stats ---

// Eight scores 0, 0.2, ..., 1.4 of one task: the middle half and all have mean 0.7, what lacks to 1
// is 0.375; one score more of each seed beats every one of them.
static void check_statistic(const json_t *row, void *seen) {
    static const struct {
        const char *name;
        double value;
    } wanted[] = {{"iqm", 0.7},
                  {"mean", 0.7},
                  {"median", 0.7},
                  {"optimality_gap", 0.375},
                  {"improvement", 0}};
    const char *name = json_string_value(json_object_get(row, "statistic"));
    double value = number(row, "value");
    assert_true(number(row, "low") <= value && value <= number(row, "high"));
    if (!strcmp(name, "profile")) // the share of scores above tau
        assert_true(value == (number(row, "tau") == 0 ? 0.875 : 0.25));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (strcmp(name, wanted[i].name)) continue;
        assert_true(fabs(value - wanted[i].value) < 1e-9);
        ++*(int *)seen;
    }
}

static void statistics_of_known_scores(void **state) {
    (void)state;
    static const char low[] = "task\n0\n0.2\n0.4\n0.6\n0.8\n1.0\n1.2\n1.4\n",
                      high[] = "task\n2\n2.2\n2.4\n2.6\n2.8\n3.0\n3.2\n3.4\n";
    struct rl_error err = {0};
    must(file_write_atomic("low.csv", low, sizeof low - 1, &err), &err);
    must(file_write_atomic("high.csv", high, sizeof high - 1, &err), &err);
    int seen = 0;
    each_row("stats low.csv high.csv --profile 2 --resamples 500 --json", check_statistic, &seen);
    assert_int_equal(seen, 5);
    struct text out = {0};
    succeed("stats low.csv --resamples 500", &out);
    assert_non_null(strstr(out.data, "optimality_gap"));
    text_release(&out);
    assert_int_equal(program_run("stats nothing.csv", NULL, NULL), 1);
}

// --- render, env-trace ---

static void pictures_of_every_kind(void **state) {
    (void)state;
    static const char *const kinds[] = {"rgb", "gray", "depth", "segmentation"};
    struct png_image picture[4], again;
    struct rl_error err = {0};
    for (int i = 0; i < 4; i++) {
        char words[256];
        snprintf(words, sizeof words,
                 "render --env cheetah --width 64 --height 48 --kind %s -o k.png", kinds[i]);
        succeed(words, NULL);
        must(png_read("k.png", &picture[i], &err), &err);
        assert_int_equal(picture[i].width, 64);
        assert_int_equal(picture[i].height, 48);
    }
    assert_int_equal(picture[0].channels, 3);
    assert_int_equal(picture[1].channels, 1);
    succeed("render --env cheetah --width 64 --height 48 -o k.png", NULL);
    must(png_read("k.png", &again, &err), &err);
    assert_memory_equal(again.pixels, picture[0].pixels, 64 * 48 * 3);
    succeed("render --env cheetah --width 64 --height 48 --seed 2 -o k.png", NULL);
    mem_free(again.pixels);
    must(png_read("k.png", &again, &err), &err);
    assert_memory_not_equal(again.pixels, picture[0].pixels, 64 * 48 * 3);
    mem_free(again.pixels);
    for (int i = 0; i < 4; i++) mem_free(picture[i].pixels);
}

static void a_trace_plays_again(void **state) {
    (void)state;
    struct st_file first, second;
    struct rl_error err = {0};
    succeed("env-trace --env cheetah-run --steps 20 -o first.safetensors", NULL);
    succeed("env-trace --env cheetah-run --from first.safetensors -o second.safetensors", NULL);
    must(st_read("first.safetensors", &first, &err), &err);
    must(st_read("second.safetensors", &second, &err), &err);
    const struct st_tensor *a = st_find(&first, "obs"), *b = st_find(&second, "obs");
    assert_int_equal(a->dim[0], 21);
    assert_int_equal(a->dim[1], 17);
    assert_int_equal(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++) assert_true(st_get(a, i) == st_get(b, i));
    assert_true(st_get(a, 0) != st_get(a, 20 * 17)); // it moved
    st_release(&first);
    st_release(&second);
    // A picture of a state on the way.
    succeed("render --env cheetah-run --state first.safetensors --row 20 -o k.png", NULL);
    assert_int_equal(
        program_run("render --env cheetah-run --state first.safetensors --row 21 -o k.png", NULL,
                    NULL),
        1);
}

// --- export, report ---

static void train_a_little(void) {
    succeed("ddpg --env cartpole --encoder state --steps 340 --ddpg.random_steps 310 "
            "--ddpg.batch 8 --ddpg.hidden 16 --eval-episodes 1 --run-dir run",
            NULL);
}

static void an_exported_policy_acts_alike(void **state) {
    (void)state;
    struct text out = {0};
    struct st_file samples;
    struct rl_error err = {0};
    train_a_little();
    succeed("export run --c p.h --onnx p.onnx --samples p.safetensors --check 30", &out);
    assert_non_null(strstr(out.data, "over 30 steps"));
    text_release(&out);
    assert_true(file_exists("p.h") && file_exists("p.onnx"));
    must(st_read("p.safetensors", &samples, &err), &err);
    const struct st_tensor *own = st_find(&samples, "action"),
                           *exported = st_find(&samples, "exported");
    assert_int_equal(own->count, 30);
    for (int64_t i = 0; i < 30; i++) assert_true(fabs(st_get(own, i) - st_get(exported, i)) < 1e-5);
    st_release(&samples);
    assert_int_equal(program_run("export run", NULL, NULL), 2);
}

static void a_report_is_one_file(void **state) {
    (void)state;
    struct bytes page;
    struct rl_error err = {0};
    train_a_little();
    succeed("report run -o page.html --clip_seconds 1", NULL);
    must(file_read("page.html", 5 << 20, &page, &err), &err);
    const char *text = (const char *)page.data;
    assert_true(strstr(text, "data:video/mp4;base64,") || strstr(text, "data:image/gif;base64,"));
    assert_non_null(strstr(text, "in the first 1")); // the clip's caption, with its frames
    assert_null(strstr(text, "src=\"http"));         // nothing from elsewhere
    assert_null(strstr(text, "<link"));
    mem_free(page.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(benchmarks_print_figures, program_set_up,
                                        program_tear_down),
        cmocka_unit_test_setup_teardown(statistics_of_known_scores, program_set_up,
                                        program_tear_down),
        cmocka_unit_test_setup_teardown(pictures_of_every_kind, program_set_up, program_tear_down),
        cmocka_unit_test_setup_teardown(a_trace_plays_again, program_set_up, program_tear_down),
        cmocka_unit_test_setup_teardown(an_exported_policy_acts_alike, program_set_up,
                                        program_tear_down),
        cmocka_unit_test_setup_teardown(a_report_is_one_file, program_set_up, program_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
