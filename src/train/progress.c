#include "train/progress.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

#define TERMINAL_PERIOD_S 1.0
#define PLAIN_PERIOD_S    10.0
#define RATE_PERIOD_S     0.5
#define RATE_SMOOTHING    0.7 // weight of the older rate, each RATE_PERIOD_S

void progress_format_time(char *out, size_t size, double seconds) {
    if (!isfinite(seconds) || seconds < 0) {
        snprintf(out, size, "?");
        return;
    }
    int64_t s = (int64_t)(seconds + 0.5);
    if (s >= 3600) {
        snprintf(out, size, "%" PRId64 "h%02dm", s / 3600, (int)(s / 60 % 60));
    } else if (s >= 60) {
        snprintf(out, size, "%dm%02ds", (int)(s / 60), (int)(s % 60));
    } else {
        snprintf(out, size, "%ds", (int)s);
    }
}

// The figures worth a place on one line, in this order, where the run has them.
static const struct {
    const char *metric, *label, *format;
} figures[] = {
    {"return", "return", "%.1f"},      {"eval_return", "eval", "%.1f"},
    {"critic_loss", "critic", "%.3g"}, {"actor_loss", "actor", "%.3g"},
    {"ssl/loss", "ssl", "%.3g"},
};

static void add_figures(struct text *line, const struct metrics *metrics) {
    for (size_t i = 0; metrics && i < sizeof figures / sizeof *figures; i++) {
        double value = metrics_get(metrics, figures[i].metric);
        if (isnan(value)) continue;
        char number[32];
        snprintf(number, sizeof number, figures[i].format, value);
        text_add(line, "  %s %s", figures[i].label, number);
    }
}

static void format_line(struct progress *progress, const struct progress_state *state) {
    char left[32];
    double steps_per_s = state->frames > 0
                             ? progress->frames_per_s * (double)state->steps / (double)state->frames
                             : 0;
    progress_format_time(left, sizeof left,
                         (double)(state->total_steps - state->steps) / steps_per_s);
    struct text *line = &progress->line;
    line->length = 0;
    text_add(line, "%3.0f%%  %" PRId64 " frames  %" PRId64 " steps",
             100.0 * (double)state->steps / (double)(state->total_steps ? state->total_steps : 1),
             state->frames, state->steps);
    add_figures(line, state->metrics);
    text_add(line, "  %.0f frames/s  %.0f updates/s  ETA %s", progress->frames_per_s,
             progress->updates_per_s, left);
}

static void show(struct progress *progress, const struct progress_state *state) {
    format_line(progress, state);
    int length = (int)progress->line.length;
    if (!progress->terminal) {
        fprintf(progress->out, "%s\n", progress->line.data);
    } else {
        struct winsize window;
        bool known = ioctl(fileno(progress->out), TIOCGWINSZ, &window) == 0 && window.ws_col > 1;
        if (known && length >= window.ws_col) length = window.ws_col - 1; // a wrapped line stays
        int wipe = progress->shown_width > length ? progress->shown_width - length : 0;
        fprintf(progress->out, "\r%.*s%*s", length, progress->line.data, wipe, "");
        progress->shown_width = length;
    }
    fflush(progress->out);
}

void progress_start(struct progress *progress, FILE *out, const struct progress_state *state) {
    double now_s = clock_now_s();
    *progress = (struct progress){
        .out = out,
        .quiet = !out,
        .terminal = out && isatty(fileno(out)),
        .last_shown_s = now_s,
        .last_rate_s = now_s,
        .last_frames = state->frames,
        .last_updates = state->updates,
    };
}

static void update_rates(struct progress *progress, const struct progress_state *state,
                         double now_s) {
    double elapsed_s = now_s - progress->last_rate_s;
    if (elapsed_s < RATE_PERIOD_S) return;
    double frames = (double)(state->frames - progress->last_frames) / elapsed_s;
    double updates = (double)(state->updates - progress->last_updates) / elapsed_s;
    double old = progress->frames_per_s > 0 ? pow(RATE_SMOOTHING, elapsed_s / RATE_PERIOD_S) : 0;
    progress->frames_per_s = old * progress->frames_per_s + (1 - old) * frames;
    progress->updates_per_s = old * progress->updates_per_s + (1 - old) * updates;
    progress->last_rate_s = now_s;
    progress->last_frames = state->frames;
    progress->last_updates = state->updates;
}

void progress_update(struct progress *progress, const struct progress_state *state) {
    double now_s = clock_now_s();
    update_rates(progress, state, now_s);
    double period_s = progress->terminal ? TERMINAL_PERIOD_S : PLAIN_PERIOD_S;
    if (progress->quiet || now_s - progress->last_shown_s < period_s) return;
    progress->last_shown_s = now_s;
    show(progress, state);
}

void progress_clear(struct progress *progress) {
    if (progress->quiet || !progress->terminal || !progress->shown_width) return;
    fprintf(progress->out, "\r%*s\r", progress->shown_width, "");
    fflush(progress->out);
    progress->shown_width = 0;
    progress->last_shown_s = 0;
}

void progress_stop(struct progress *progress) {
    if (progress->terminal && progress->shown_width) fputc('\n', progress->out);
    text_release(&progress->line);
    progress->shown_width = 0;
}
