#include "train/sweep_table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "train/logger.h"
#include "train/metrics_file.h"
#include "train/progress.h"
#include "train/run_dir.h"
#include "train/statistics.h"

const char *const sweep_state_names[] = {"waiting", "done", "failed"};

// --- one trial
// -------------------------------------------------------------------------------------

static void note_row(void *context, const struct metrics_row *row) {
    struct sweep_result *result = context;
    result->frames = row->frames;
    result->steps = row->steps;
    result->updates = row->updates;
    result->wall_s = row->wall_s;
    if (!strcmp(row->kind, "eval")) result->score = metrics_get(&row->values, "return_mean");
}

static bool has_final(const struct sweep *sweep, const struct sweep_trial *trial) {
    char path[SWEEP_FILE_BYTES], final[SWEEP_FILE_BYTES + 64];
    sweep_run_path(sweep, trial, path);
    file_join(final, sizeof final, path, RUN_DIR_FINAL);
    return file_exists(final);
}

// The first line of NAME.failed; false when the trial has not failed.
static bool read_failure(const struct sweep *sweep, const struct sweep_trial *trial, char *out,
                         size_t size) {
    char path[SWEEP_FILE_BYTES];
    struct bytes bytes;
    sweep_trial_path(sweep, trial, ".failed", path);
    if (!file_exists(path)) return false;
    snprintf(out, size, "(no message)");
    if (file_read(path, 1 << 16, &bytes, NULL) != RL_OK) return true;
    bytes.data[strcspn((char *)bytes.data, "\n")] = '\0';
    snprintf(out, size, "%s", (char *)bytes.data);
    mem_free(bytes.data);
    return true;
}

bool sweep_is_settled(const struct sweep *sweep, const struct sweep_trial *trial) {
    char path[SWEEP_FILE_BYTES];
    sweep_trial_path(sweep, trial, ".failed", path);
    return has_final(sweep, trial) || file_exists(path);
}

void sweep_result_read(const struct sweep *sweep, const struct sweep_trial *trial,
                       struct sweep_result *result) {
    *result = (struct sweep_result){.score = NAN};
    char run[SWEEP_FILE_BYTES], path[SWEEP_FILE_BYTES + 64];
    sweep_run_path(sweep, trial, run);
    file_join(path, sizeof path, run, LOGGER_METRICS_FILE);
    struct rl_error err = {0};
    enum rl_status status = metrics_file_read(path, note_row, result, &err);
    if (read_failure(sweep, trial, result->error, sizeof result->error)) {
        result->state = SWEEP_STATE_FAILED;
        result->score = NAN;
    } else if (!has_final(sweep, trial)) {
        result->score = NAN;
    } else if (status == RL_OK && isfinite(result->score)) {
        result->state = SWEEP_STATE_DONE;
    } else {
        result->state = SWEEP_STATE_FAILED;
        snprintf(result->error, sizeof result->error, "%s",
                 status == RL_OK ? "ended without an evaluation" : err.message);
    }
}

enum rl_status sweep_set_failed(const struct sweep *sweep, const struct sweep_trial *trial,
                                const char *line, struct rl_error *err) {
    char path[SWEEP_FILE_BYTES];
    sweep_trial_path(sweep, trial, ".failed", path);
    if (line) return file_write_atomic(path, line, strlen(line), err);
    if (unlink(path) == 0 || errno == ENOENT) return RL_OK;
    return rl_fail(err, RL_EIO, "cannot remove %s: %s", path, strerror(errno));
}

// --- results.csv
// ------------------------------------------------------------------------------------

static void add_csv_text(struct text *out, const char *text) {
    if (!strpbrk(text, ",\"\n")) {
        text_add(out, "%s", text);
        return;
    }
    text_add(out, "\"");
    for (; *text; text++) text_add(out, *text == '"' ? "\"\"" : "%c", *text);
    text_add(out, "\"");
}

static void make_csv(const struct sweep *sweep, const struct sweep_result *results,
                     struct text *out) {
    text_add(out, "trial");
    for (int c = 0; c < sweep->n_columns; c++) {
        char heading[256];
        sweep_heading(sweep, c, heading, sizeof heading);
        text_add(out, ",");
        add_csv_text(out, heading);
    }
    text_add(out, ",seed,status,return,frames,steps,updates,error,wall_s\n");
    for (int i = 0; i < sweep->n_trials; i++) {
        const struct sweep_trial *trial = &sweep->trials[i];
        const struct sweep_result *result = &results[i];
        text_add(out, "%s", trial->name);
        for (int c = 0; c < sweep->n_columns; c++) {
            text_add(out, ",");
            add_csv_text(out, sweep_cell(sweep, trial->row, c));
        }
        text_add(out, ",%" PRId64 ",%s,", trial->seed, sweep_state_names[result->state]);
        bool done = result->state == SWEEP_STATE_DONE;
        if (done) text_add(out, "%.9g", result->score);
        if (result->state == SWEEP_STATE_WAITING) {
            text_add(out, ",,,,,\n"); // how far it is says nothing about the result
            continue;
        }
        text_add(out, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",", result->frames, result->steps,
                 result->updates);
        add_csv_text(out, result->error);
        text_add(out, ",%.1f\n", result->wall_s);
    }
}

// --- results.md
// -------------------------------------------------------------------------------------

static int trial_of(const struct sweep *sweep, int row, int seed) {
    return seed * sweep->n_rows + row;
}

// Scores of a row over its seeds; NaN for what is not done.
static void row_scores(const struct sweep *sweep, const struct sweep_result *results, int row,
                       double *value) {
    for (int s = 0; s < sweep->n_seeds; s++) {
        const struct sweep_result *result = &results[trial_of(sweep, row, s)];
        value[s] = result->state == SWEEP_STATE_DONE ? result->score : NAN;
    }
}

static void add_md_text(struct text *out, const char *text) {
    for (; *text; text++) text_add(out, *text == '|' ? "\\|" : "%c", *text);
}

static void add_estimate(struct text *out, struct estimate estimate, const char *format) {
    char value[32] = "-", low[32], high[32];
    if (!isnan(estimate.value)) snprintf(value, sizeof value, format, estimate.value);
    text_add(out, " %s |", value);
    if (isnan(estimate.low)) {
        text_add(out, " - |");
        return;
    }
    snprintf(low, sizeof low, format, estimate.low);
    snprintf(high, sizeof high, format, estimate.high);
    text_add(out, " %s to %s |", low, high);
}

static void add_head(const struct sweep *sweep, struct text *out) {
    int columns = sweep->n_columns + 6 + sweep->n_seeds;
    text_add(out, "|");
    for (int c = 0; c < sweep->n_columns; c++) {
        char heading[256];
        sweep_heading(sweep, c, heading, sizeof heading);
        text_add(out, " ");
        add_md_text(out, heading);
        text_add(out, " |");
    }
    text_add(out, " IQM | 95%% interval | P(> first row) | 95%% interval |");
    for (int s = 0; s < sweep->n_seeds; s++) text_add(out, " seed %" PRId64 " |", sweep->seeds[s]);
    text_add(out, " frames | steps |\n|");
    for (int c = 0; c < columns; c++) text_add(out, "---|");
    text_add(out, "\n");
}

static void add_row(const struct sweep *sweep, const struct sweep_result *results, int row,
                    struct text *out) {
    int n = sweep->n_seeds;
    double *value = MEM_ARRAY(double, n), *first = MEM_ARRAY(double, n);
    row_scores(sweep, results, row, value);
    row_scores(sweep, results, 0, first);
    struct scores scores = {value, n, 1}, reference = {first, n, 1};
    text_add(out, "|");
    for (int c = 0; c < sweep->n_columns; c++) {
        text_add(out, " ");
        add_md_text(out, sweep_cell(sweep, row, c));
        text_add(out, " |");
    }
    add_estimate(out, statistics_estimate(STATISTIC_IQM, &scores, &bootstrap_default), "%.1f");
    struct estimate improvement = {NAN, NAN, NAN};
    if (row > 0) improvement = statistics_improvement(&scores, &reference, &bootstrap_default);
    add_estimate(out, improvement, "%.2f");
    int64_t frames = 0, steps = 0;
    for (int s = 0; s < n; s++) {
        const struct sweep_result *result = &results[trial_of(sweep, row, s)];
        if (result->state == SWEEP_STATE_DONE) {
            text_add(out, " %.1f |", result->score);
            frames = result->frames, steps = result->steps;
        } else {
            text_add(out, " %s |", result->state == SWEEP_STATE_FAILED ? "failed" : "-");
        }
    }
    if (steps) {
        text_add(out, " %" PRId64 " | %" PRId64 " |\n", frames, steps);
    } else {
        text_add(out, " - | - |\n");
    }
    mem_free(value);
    mem_free(first);
}

// The axis of environments, when the sweep has one: its column, or -1.
static int env_column(const struct sweep *sweep) {
    for (int c = 0; c < sweep->n_columns; c++) {
        const struct sweep_axis *axis = &sweep->axes[sweep->column[c]];
        if (!*axis->section && !strcmp(axis->key, "env")) return c;
    }
    return -1;
}

// Whether two rows differ in the environment alone.
static bool same_but_env(const struct sweep *sweep, int a, int b, int env) {
    for (int c = 0; c < sweep->n_columns; c++) {
        if (c != env && strcmp(sweep_cell(sweep, a, c), sweep_cell(sweep, b, c))) return false;
    }
    return true;
}

// The tasks together: (seeds, tasks) of return / 1000.
static void add_row_over_tasks(const struct sweep *sweep, const struct sweep_result *results,
                               int first, int env, struct text *out) {
    int tasks = sweep->axes[sweep->column[env]].count, n = sweep->n_seeds, task = 0;
    double *value = MEM_ARRAY(double, n *tasks), *one = MEM_ARRAY(double, n);
    for (int row = first; row < sweep->n_rows && task < tasks; row++) {
        if (!same_but_env(sweep, first, row, env)) continue;
        row_scores(sweep, results, row, one);
        for (int s = 0; s < n; s++) value[s * tasks + task] = one[s] / 1000;
        task++;
    }
    text_add(out, "|");
    for (int c = 0; c < sweep->n_columns; c++) {
        if (c == env) continue;
        text_add(out, " ");
        add_md_text(out, sweep_cell(sweep, first, c));
        text_add(out, " |");
    }
    struct scores scores = {value, n, tasks};
    for (int s = 0; s < STATISTIC_COUNT; s++)
        add_estimate(out, statistics_estimate(s, &scores, &bootstrap_default), "%.3f");
    text_add(out, "\n");
    mem_free(value);
    mem_free(one);
}

static void add_table_over_tasks(const struct sweep *sweep, const struct sweep_result *results,
                                 struct text *out) {
    int env = env_column(sweep);
    if (env < 0) return;
    text_add(out, "\nOver all environments, return / 1000:\n\n|");
    for (int c = 0; c < sweep->n_columns; c++) {
        char heading[256];
        sweep_heading(sweep, c, heading, sizeof heading);
        if (c != env) text_add(out, " %s |", heading);
    }
    text_add(out, " IQM | 95%% interval | mean | 95%% interval | median | 95%% interval "
                  "| optimality gap | 95%% interval |\n|");
    for (int c = 0; c < sweep->n_columns - 1 + 2 * STATISTIC_COUNT; c++) text_add(out, "---|");
    text_add(out, "\n");
    for (int row = 0; row < sweep->n_rows; row++) {
        bool seen = false;
        for (int i = 0; i < row && !seen; i++) seen = same_but_env(sweep, i, row, env);
        if (!seen) add_row_over_tasks(sweep, results, row, env, out);
    }
}

static void add_failures(const struct sweep *sweep, const struct sweep_result *results,
                         struct text *out) {
    bool any = false;
    for (int i = 0; i < sweep->n_trials; i++) {
        if (results[i].state != SWEEP_STATE_FAILED) continue;
        if (!any) text_add(out, "\nFailed trials, left out of the figures above:\n\n");
        any = true;
        text_add(out, "- %s: %s\n", sweep->trials[i].name, results[i].error);
    }
}

static void make_md(const struct sweep *sweep, const struct sweep_result *results,
                    struct text *out) {
    int count[3] = {0};
    double wall_s = 0;
    for (int i = 0; i < sweep->n_trials; i++) {
        count[results[i].state]++;
        wall_s += results[i].wall_s;
    }
    text_add(
        out,
        "# %s\n\n`rlrun sweep %s%s`: %d trials, %d done, %d failed, %d to go. Return of the last "
        "evaluation; IQM over seeds\nand P(> first row) as rliable defines them, with 95%% "
        "stratified bootstrap intervals (%" PRId64 " resamples).\n\n",
        sweep->name, sweep->path, sweep->options, sweep->n_trials, count[SWEEP_STATE_DONE],
        count[SWEEP_STATE_FAILED], count[SWEEP_STATE_WAITING], bootstrap_default.resamples);
    add_head(sweep, out);
    for (int row = 0; row < sweep->n_rows; row++) add_row(sweep, results, row, out);
    add_table_over_tasks(sweep, results, out);
    add_failures(sweep, results, out);
    text_add(out, "\nWall time of all trials together: %.2f h.\n", wall_s / 3600);
}

// --- both
// -------------------------------------------------------------------------------------------

enum rl_status sweep_lock_folder(const struct sweep *sweep, int *fd, struct rl_error *err) {
    char path[SWEEP_FILE_BYTES];
    snprintf(path, sizeof path, "%s/trials/.results.lock", sweep->folder);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (*fd >= 0 && fcntl(*fd, F_OFD_SETLKW, &lock) == 0) return RL_OK;
    return rl_fail(err, RL_EIO, "cannot lock %s: %s", path, strerror(errno));
}

enum rl_status sweep_write_tables(const struct sweep *sweep, struct rl_error *err) {
    int fd;
    enum rl_status status = sweep_lock_folder(sweep, &fd, err);
    struct sweep_result *results = MEM_ARRAY(struct sweep_result, sweep->n_trials);
    for (int i = 0; i < sweep->n_trials && status == RL_OK; i++)
        sweep_result_read(sweep, &sweep->trials[i], &results[i]);
    void (*const make[])(const struct sweep *, const struct sweep_result *,
                         struct text *) = {make_csv, make_md};
    static const char *const name[] = {"results.csv", "results.md"};
    for (int k = 0; k < 2 && status == RL_OK; k++) {
        char path[SWEEP_FILE_BYTES];
        struct text text = {0};
        make[k](sweep, results, &text);
        file_join(path, sizeof path, sweep->folder, name[k]);
        status = file_write_atomic(path, text.data, text.length, err);
        text_release(&text);
    }
    mem_free(results);
    if (fd >= 0) close(fd);
    return status;
}
