// One run on a terminal: how far it is, how fast, and its figures as sparklines.
#pragma once

#include <stdbool.h>

#include "base/text.h"
#include "train/run_dir.h"

struct run_screen_style {
    int width;   // of a sparkline, in characters
    bool blocks; // Unicode's eighths of a block, else ASCII
};

// Appends some lines. A run that has logged nothing yet is one line that says so.
RL_CHECKED enum rl_status run_screen_add(const struct run_dir *run,
                                         const struct run_screen_style *style, struct text *out,
                                         struct rl_error *err);

// count values as a line of `width` marks, the lowest and the highest value at its ends of height;
// more values than marks are averaged. NaN: a blank.
void run_screen_sparkline(const double *values, int count, const struct run_screen_style *style,
                          struct text *out);
