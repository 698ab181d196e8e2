#include "cli/run_screen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "train/logger.h"
#include "train/metrics_file.h"
#include "train/progress.h"

enum { LEVELS = 8 };
static const char *const blocks[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const ascii[LEVELS] = {"_", ".", "-", "~", "=", "+", "*", "#"};

void run_screen_sparkline(const double *values, int count, const struct run_screen_style *style,
                          struct text *out) {
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < count; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    int marks = count < style->width ? count : style->width;
    for (int m = 0; m < marks; m++) {
        double sum = 0;
        int from = (int)((int64_t)m * count / marks), to = (int)((int64_t)(m + 1) * count / marks);
        for (int i = from; i < to; i++) sum += values[i];
        double share = high > low ? (sum / (to - from) - low) / (high - low) : 0.5;
        int level = isnan(share) ? -1 : (int)fmin(LEVELS - 1, share * LEVELS);
        text_add(out, "%s", level < 0 ? " " : (style->blocks ? blocks : ascii)[level]);
    }
    for (int m = marks; m < style->width; m++) text_add_bytes(out, " ", 1);
}

// What a screen shows, in this order; those that a run does not have are left out.
static const struct {
    const char *kind, *key, *note;
} figures[] = {
    {"eval", "return_mean", "return of evaluations"},
    {"train", "episode_return", "return of training episodes"},
    {"train", "critic_loss", ""},
    {"train", "q_mean", "what the critic expects"},
    {"train", "saturation", "share of actions at their limits"},
    {"train", "ssl/loss", ""},
    {"train", "ssl/std", "near 0: collapsed"},
    {"train", "ssl/latent_rank", "near 1: collapsed"},
    {"train", "ssl/cosine", "near 1: collapsed"},
    {"train", "ssl/publish_correlation", "latents of a publish with those before"},
};

struct position {
    int64_t frames, steps, updates;
    double wall_s;
    double rate_frames, rate_updates; // a second, over the newest two rows of training
    struct {
        int64_t frames, updates;
        double wall_s;
    } before;
    int rows;
};

static void note_position(void *context, const struct metrics_row *row) {
    struct position *p = context;
    p->frames = row->frames;
    p->steps = row->steps;
    p->updates = row->updates;
    p->wall_s = row->wall_s;
    p->rows++;
    if (strcmp(row->kind, "train")) return;
    double spent_s = row->wall_s - p->before.wall_s;
    if (spent_s > 0) {
        p->rate_frames = (double)(row->frames - p->before.frames) / spent_s;
        p->rate_updates = (double)(row->updates - p->before.updates) / spent_s;
    }
    p->before.frames = row->frames;
    p->before.updates = row->updates;
    p->before.wall_s = row->wall_s;
}

static double number_option(const struct run_dir *run, const char *key) {
    char path[RUN_DIR_PATH_BYTES + 64];
    struct config config = {0};
    double value = 0;
    run_dir_file(run, path, RUN_DIR_CONFIG);
    if (config_add_yaml_file(&config, path, NULL) == RL_OK) {
        const char *text = config_get(&config, "", key);
        if (text) value = strtod(text, NULL);
    }
    config_release(&config);
    return value;
}

static void add_head(const struct run_dir *run, const struct position *p, struct text *out) {
    char path[RUN_DIR_PATH_BYTES + 64], trained[32], left[32];
    double total = number_option(run, "steps");
    bool busy = run_dir_is_busy(run);
    run_dir_file(run, path, RUN_DIR_FINAL);
    progress_format_time(trained, sizeof(trained), p->wall_s);
    text_add(out, "%s: %s, step %lld", run->path,
             busy                ? "runs"
             : file_exists(path) ? "ended"
                                 : "stopped",
             (long long)p->steps);
    if (total > 0) {
        text_add(out, " of %.0f (%.0f%%)", total, 100 * (double)p->steps / total);
    }
    text_add(out, ", %lld frames, %lld updates, %s", (long long)p->frames, (long long)p->updates,
             trained);
    if (busy && p->steps > 0 && total > (double)p->steps) {
        double per_step_s = p->wall_s / (double)p->steps;
        progress_format_time(left, sizeof(left), per_step_s * (total - (double)p->steps));
        text_add(out, ", about %s left", left);
    }
    text_add(out, "\n%.0f frames/s, %.0f updates/s\n", p->rate_frames, p->rate_updates);
}

enum rl_status run_screen_add(const struct run_dir *run, const struct run_screen_style *style,
                              struct text *out, struct rl_error *err) {
    char path[RUN_DIR_PATH_BYTES + 64];
    struct position position = {0};
    run_dir_file(run, path, LOGGER_METRICS_FILE);
    if (file_exists(path)) {
        enum rl_status status = metrics_file_read(path, note_position, &position, err);
        if (status != RL_OK) return status;
    }
    if (position.rows == 0) {
        text_add(out, "%s: nothing logged yet\n", run->path);
        return RL_OK;
    }
    add_head(run, &position, out);
    for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++) {
        struct metrics_series series;
        enum rl_status status =
            metrics_file_series(path, figures[i].kind, figures[i].key, "frames", &series, err);
        if (status != RL_OK) return status;
        if (series.count) {
            text_add(out, "%-24s ", figures[i].key);
            run_screen_sparkline(series.y, series.count, style, out);
            text_add(out, " %10.4g  %s\n", series.y[series.count - 1], figures[i].note);
        }
        metrics_series_release(&series);
    }
    return RL_OK;
}
