// Progress of a run for people: on a terminal one line rewritten once a second, elsewhere a plain
// line every ten seconds. Writes to stderr-like streams only what it is given; stdout stays for
// results.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/metrics.h"
#include "base/text.h"

struct progress {
    FILE *out; // borrowed
    bool terminal, quiet;
    double last_shown_s, last_rate_s; // monotonic clock
    int64_t last_frames, last_updates;
    double frames_per_s, updates_per_s; // over the last while, smoothed
    int shown_width;                    // characters to wipe on a terminal
    struct text line;
};

struct progress_state {
    int64_t frames, steps, updates; // so far
    int64_t total_steps;
    // The newest figures: of them return, eval_return, critic_loss, actor_loss and ssl/loss are
    // shown; NULL: none yet.
    const struct metrics *metrics;
};

// out NULL: quiet, only rates are kept.
void progress_start(struct progress *progress, FILE *out, const struct progress_state *state);
// Call once a tick; shows when it is time. Cheap.
void progress_update(struct progress *progress, const struct progress_state *state);
// Wipes the terminal's line, so that another message can be printed; the next update shows again.
void progress_clear(struct progress *progress);
void progress_stop(struct progress *progress); // ends the terminal's line, frees

// "1h02m", "3m20s", "41s".
void progress_format_time(char *out, size_t size, double seconds);
