// A sweep's progress for people: on a terminal one line rewritten every two seconds, elsewhere a
// plain line a minute.
#pragma once

#include <stdio.h>

#include "train/sweep.h"

#define SWEEP_PROGRESS_SHOWN 4 // trials named in the line

struct sweep_progress {
    FILE *out;
    bool terminal;
    double next_show_s, next_eta_s; // monotonic clock
    double left_s, left_at_s;       // estimate for one process, and when it was made
    int shown_width;
};

struct sweep_progress_state {
    int settled, n_running, n_elsewhere; // trials; elsewhere: other processes hold them
    const int *running;                  // (n_shown) indices
    int n_shown, jobs;
    bool stopping;
};

void sweep_progress_start(struct sweep_progress *progress, FILE *out);
void sweep_progress_update(struct sweep_progress *progress, const struct sweep *sweep,
                           const struct sweep_progress_state *state); // shows when it is time
void sweep_progress_clear(struct sweep_progress *progress);           // wipes the terminal's line
void sweep_progress_stop(struct sweep_progress *progress);
