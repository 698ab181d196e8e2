// Reading metrics.jsonl back: for the commands that show runs, while the run may be writing.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/metrics.h"

struct metrics_row {
    char kind[32];
    int64_t frames, steps, updates;
    double wall_s;
    struct metrics values; // figures that are not null
};

typedef void (*metrics_row_fn)(void *context, const struct metrics_row *row);

// Calls visit for each row in order. A last line without its end is still being written, and is
// left out; any other line that is not a row is RL_EFORMAT with its number. A missing file:
// RL_ENOTFOUND.
RL_CHECKED enum rl_status metrics_file_read(const char *path, metrics_row_fn visit, void *context,
                                            struct rl_error *err);

// A curve: one figure over frames, steps or wall_s.
struct metrics_series {
    double *x, *y; // owned
    int count, capacity;
};
// key: the figure's name; x_key: "frames", "steps", "updates" or "wall_s".
RL_CHECKED enum rl_status metrics_file_series(const char *path, const char *kind, const char *key,
                                              const char *x_key, struct metrics_series *series,
                                              struct rl_error *err);
void metrics_series_release(struct metrics_series *series);
