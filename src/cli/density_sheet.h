// Sheets of small binary pictures as PNG files, for `rlrun density`.
#pragma once

#include "base/err.h"

// gray: (count, h, w), 0..255, laid out with so many columns, each pixel scale x scale, thin lines
// between.
RL_CHECKED enum rl_status density_sheet_write(const char *path, const uint8_t *gray, int count,
                                              int h, int w, int columns, struct rl_error *err);
