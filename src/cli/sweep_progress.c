#include "cli/sweep_progress.h"

#include <math.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "train/progress.h"
#include "train/sweep_cost.h"
#include "train/sweep_table.h"

#define TERMINAL_PERIOD_S 2.0
#define PLAIN_PERIOD_S    60.0
#define ETA_PERIOD_S      10.0
#define ETA_SHARE         100 // an estimate may take this fraction of the time

void sweep_progress_start(struct sweep_progress *progress, FILE *out) {
    *progress = (struct sweep_progress){.out = out, .terminal = isatty(fileno(out))};
    progress->next_show_s = clock_now_s() + TERMINAL_PERIOD_S;
    progress->left_s = NAN;
}

void sweep_progress_clear(struct sweep_progress *progress) {
    if (progress->terminal && progress->shown_width)
        fprintf(progress->out, "\r%*s\r", progress->shown_width, "");
    progress->shown_width = 0;
}

void sweep_progress_stop(struct sweep_progress *progress) {
    sweep_progress_clear(progress);
    fflush(progress->out);
}

// Reads all logs, so that a large sweep is looked at less often.
static void estimate(struct sweep_progress *progress, const struct sweep *sweep) {
    double now_s = clock_now_s();
    if (now_s < progress->next_eta_s) return;
    struct sweep_cost *cost = MEM_ARRAY(struct sweep_cost, sweep->n_rows);
    sweep_costs(sweep, cost);
    progress->left_s = sweep_seconds_left(sweep, cost);
    progress->left_at_s = clock_now_s();
    mem_free(cost);
    double spent_s = progress->left_at_s - now_s;
    progress->next_eta_s = progress->left_at_s + fmax(ETA_PERIOD_S, ETA_SHARE * spent_s);
}

static void add_running(const struct sweep *sweep, const struct sweep_progress_state *state,
                        struct text *line) {
    text_add(line, "%d running", state->n_running);
    for (int i = 0; i < state->n_shown; i++) {
        const struct sweep_trial *trial = &sweep->trials[state->running[i]];
        struct sweep_result result;
        sweep_result_read(sweep, trial, &result);
        double steps = (double)sweep_trial_steps(trial);
        text_add(line, "%s%s %.0f%%", i ? ", " : " (", trial->name,
                 steps > 0 ? 100 * (double)result.steps / steps : 0);
    }
    if (state->n_shown) text_add(line, ")");
}

static void show(struct sweep_progress *progress, const struct text *line) {
    int length = (int)line->length;
    struct winsize window;
    if (!progress->terminal) {
        fprintf(progress->out, "%s\n", line->data);
    } else {
        if (ioctl(fileno(progress->out), TIOCGWINSZ, &window) == 0 && window.ws_col > 1 &&
            length >= window.ws_col)
            length = window.ws_col - 1;
        sweep_progress_clear(progress);
        fprintf(progress->out, "%.*s", length, line->data);
        progress->shown_width = length;
    }
    fflush(progress->out);
}

void sweep_progress_update(struct sweep_progress *progress, const struct sweep *sweep,
                           const struct sweep_progress_state *state) {
    double now_s = clock_now_s();
    if (now_s < progress->next_show_s) return;
    progress->next_show_s = now_s + (progress->terminal ? TERMINAL_PERIOD_S : PLAIN_PERIOD_S);
    estimate(progress, sweep);
    struct text line = {0};
    char left[32];
    progress_format_time(left, sizeof left,
                         progress->left_s / state->jobs - (now_s - progress->left_at_s));
    text_add(&line, "%s: %d/%d trials over, ", sweep->name, state->settled, sweep->n_trials);
    add_running(sweep, state, &line);
    if (state->n_elsewhere) text_add(&line, ", %d in other processes", state->n_elsewhere);
    text_add(&line, state->stopping ? "; saving" : ", ETA %s", left);
    show(progress, &line);
    text_release(&line);
}
