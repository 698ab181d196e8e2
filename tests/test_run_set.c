// Runs read from their folders: groups, curves over seeds, scores with failed seeds left out, and
// the page that is made of them.
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
#include "train/report.h"
#include "train/run_set.h"

static char dir[] = "/tmp/test_run_set_XXXXXX";

static void write_file(const char *name, const char *text) {
    char path[512];
    struct rl_error err = {0};
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (file_write_atomic(path, text, strlen(text), &err) != RL_OK) fail_msg("%s", err.message);
}

// A run with evaluations at 100, 200, ... frames of value scale * frames.
static void make_run(const char *name, const char *encoder, double tau, int seed, double scale,
                     int evaluations, bool ended) {
    char path[256], file[256];
    struct rl_error err = {0};
    struct text text = {0};
    snprintf(path, sizeof(path), "%s/sweep/%s", dir, name);
    assert_int_equal(file_make_dirs(path, &err), RL_OK);
    text_add(&text, "agent: ddpg\nencoder: %s\nseed: %d\nname: %s\nthreads: %d\nddpg:\n  tau: %g\n",
             encoder, seed, name, seed, tau);
    snprintf(file, sizeof(file), "sweep/%s/config.yaml", name);
    write_file(file, text.data);
    text.length = 0;
    for (int i = 1; i <= evaluations; i++) {
        text_add(&text,
                 "{\"kind\": \"train\", \"frames\": %d, \"steps\": %d, \"updates\": 1, \"wall_s\": "
                 "%d, \"ssl/std\": 0.5}\n{\"kind\": \"eval\", \"frames\": %d, \"steps\": %d, "
                 "\"updates\": 1, \"wall_s\": %d, \"return_mean\": %g}\n",
                 100 * i, 50 * i, seed * i, 100 * i, 50 * i, seed * i, scale * 100 * i);
    }
    snprintf(file, sizeof(file), "sweep/%s/metrics.jsonl", name);
    write_file(file, text.length ? text.data : "");
    snprintf(file, sizeof(file), "sweep/%s/machine.json", name);
    write_file(file, "{\"cpu\": \"A <fast> one\", \"cores\": 2, \"started\": \"now\"}\n");
    snprintf(file, sizeof(file), "sweep/%s/final.safetensors", name);
    if (ended) write_file(file, "x");
    text_release(&text);
}

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return -1;
    make_run("byol_s2", "byol", 0.01, 2, 2, 4, true);
    make_run("byol_s1", "byol", 0.01, 1, 1, 4, true);
    make_run("byol_s3", "byol", 0.01, 3, 3, 2, false); // failed on its way
    make_run("moco_s1", "moco", 0.02, 1, 5, 4, true);
    char trials[256];
    struct rl_error err = {0};
    snprintf(trials, sizeof(trials), "%s/sweep/trials", dir);
    if (file_make_dirs(trials, &err) != RL_OK) return -1;
    write_file("sweep/trials/byol_s3.failed", "not <finite>\n");
    write_file("sweep/trials/moco_s2.failed", "no such option\n");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

static void read_sweep(struct run_set *set, bool each) {
    char path[256];
    const char *words[] = {path};
    struct rl_error err = {0};
    snprintf(path, sizeof(path), "%s/sweep", dir);
    if (run_set_read(set, words, 1, each, &err) != RL_OK) fail_msg("%s", err.message);
}

static void groups_differ_in_more_than_the_seed(void **state) {
    (void)state;
    struct run_set set;
    read_sweep(&set, false);
    assert_int_equal(set.n_runs, 4);
    assert_int_equal(set.n_groups, 2);
    assert_int_equal(set.groups[0].n_runs, 3);
    for (int i = 0; i < 3; i++) { // by seed
        assert_int_equal(set.runs[set.groups[0].run[i]].seed, i + 1);
    }
    assert_string_equal(set.groups[0].label, "byol, tau 0.01");
    assert_string_equal(set.groups[1].label, "moco, tau 0.02");
    struct option_name names[8];
    assert_int_equal(run_set_differences(&set, names, 8), 2);
    assert_string_equal(names[1].section, "ddpg");
    assert_string_equal(names[1].key, "tau");
    assert_string_equal(run_set_option(&set, &set.groups[1], &names[1]), "0.02");
    const struct run_info *failed = &set.runs[set.groups[0].run[2]];
    assert_int_equal(failed->state, RUN_STATE_FAILED);
    assert_string_equal(failed->error, "not <finite>");
    assert_true(failed->score == 600 && failed->frames == 200);
    assert_int_equal(set.n_failures, 1);
    assert_string_equal(set.failures[0].name, "moco_s2");
    run_set_release(&set);
    read_sweep(&set, true);
    assert_int_equal(set.n_groups, 4);
    assert_string_equal(set.groups[0].label, "byol_s1");
    run_set_release(&set);
}

static void failed_seeds_are_left_out(void **state) {
    (void)state;
    struct run_set set;
    read_sweep(&set, false);
    struct estimate mean = run_set_score(&set, &set.groups[0], STATISTIC_MEAN);
    assert_true(mean.value == 600); // of 400 and 800
    assert_true(mean.low == 400 && mean.high == 800);
    mean = run_set_score(&set, &set.groups[1], STATISTIC_MEAN);
    assert_true(mean.value == 2000 && isnan(mean.low));
    run_set_release(&set);
}

static void curves(void **state) {
    (void)state;
    struct run_set set;
    struct curve curve;
    struct rl_error err = {0};
    read_sweep(&set, false);
    enum rl_status status = run_set_curve(&set, &set.groups[0], "", "return_mean", "frames",
                                          STATISTIC_MEAN, &curve, &err);
    assert_int_equal(status, RL_OK);
    assert_true(curve.count == 4 && curve.seeds == 2);
    for (int i = 0; i < 4; i++) {
        assert_true(curve.x[i] == 100 * (i + 1));
        assert_true(fabs(curve.y[i].value - 150 * (i + 1)) < 1e-9);
        assert_true(curve.y[i].low == 100 * (i + 1) && curve.y[i].high == 200 * (i + 1));
    }
    curve_release(&curve);
    // On wall time the seeds' rows do not coincide: seed 1 has 100 at 1 s to 400 at 4 s, seed 2 has
    // 200 at 2 s to 800 at 8 s. Half of them is one, so that the curve goes from 1 s to 8 s.
    status = run_set_curve(&set, &set.groups[0], "eval", "return_mean", "wall_s", STATISTIC_MEAN,
                           &curve, &err);
    assert_int_equal(status, RL_OK);
    assert_true(curve.x[0] == 1 && curve.y[0].value == 100 && isnan(curve.y[0].low));
    assert_true(curve.x[2] == 3 && fabs(curve.y[2].value - 300) < 1e-9); // seed 2 between rows
    assert_true(curve.x[curve.count - 1] == 8 && curve.y[curve.count - 1].value == 800);
    curve_release(&curve);
    // Only training rows have this one.
    status =
        run_set_curve(&set, &set.groups[1], "", "ssl/std", "steps", STATISTIC_IQM, &curve, &err);
    assert_int_equal(status, RL_OK);
    assert_true(curve.count == 4 && curve.x[0] == 50 && curve.y[3].value == 0.5);
    curve_release(&curve);
    status =
        run_set_curve(&set, &set.groups[1], "", "nonsense", "steps", STATISTIC_IQM, &curve, &err);
    assert_true(status == RL_OK && curve.count == 0);
    run_set_release(&set);
}

static void refusals(void **state) {
    (void)state;
    struct run_set set;
    struct rl_error err = {0};
    char empty[256];
    snprintf(empty, sizeof(empty), "%s/empty", dir);
    assert_int_equal(file_make_dirs(empty, &err), RL_OK);
    const char *words[] = {empty, "/nonexistent/run"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run_set_read(&set, words + i, 1, false, &err), RL_EUSAGE);
        run_set_release(&set);
    }
}

static int count_of(const char *text, const char *what) {
    int count = 0;
    for (; (text = strstr(text, what)); text++) count++;
    return count;
}

static void the_page(void **state) {
    (void)state;
    struct run_set set;
    read_sweep(&set, false);
    struct report_chart chart = {
        .title = "c",
        .svg = {(unsigned char *)(uintptr_t) "<?xml?><svg>CURVE text-clipping0</svg>", 38}};
    struct report_clip clips[4] = {
        [1] = {"video/mp4", {(unsigned char *)(uintptr_t) "clip", 4}, "a caption"}};
    static const char *const colours[] = {"#000001", "#000002"};
    struct report report = {.set = &set,
                            .charts = &chart,
                            .n_charts = 1,
                            .clips = clips,
                            .colours = colours,
                            .title = "A & B",
                            .command = "rlrun report"};
    struct text page = {0};
    report_html(&report, &page);
    static const char *const wanted[] = {"A &amp; B",
                                         "byol, tau 0.01",
                                         "moco, tau 0.02",
                                         "<svg>CURVE chart0-clip0</svg>",
                                         "base64,Y2xpcA==\"",
                                         "a caption",
                                         "600 (failed)",
                                         "not &lt;finite&gt;",
                                         "no such option",
                                         "A &lt;fast&gt; one",
                                         "400.0 to 800.0",
                                         "4 of 4 runs",
                                         "<code>ddpg.tau</code>"};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        if (!strstr(page.data, wanted[i])) fail_msg("the page lacks %s", wanted[i]);
    }
    assert_null(strstr(page.data, "<?xml"));
    assert_null(strstr(page.data, "http")); // nothing from a network
    assert_int_equal(count_of(page.data, "<section>"), count_of(page.data, "</section>"));
    assert_int_equal(count_of(page.data, "<table>"), count_of(page.data, "</table>"));
    assert_int_equal(count_of(page.data, "<figure>"), 1);
    text_release(&page);
    run_set_release(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_differ_in_more_than_the_seed),
        cmocka_unit_test(failed_seeds_are_left_out),
        cmocka_unit_test(curves),
        cmocka_unit_test(refusals),
        cmocka_unit_test(the_page),
    };
    return cmocka_run_group_tests_name("run_set", tests, setup, teardown);
}
