// Pictures as PNG files (libpng).
#pragma once

#include <stdint.h>

#include "base/err.h"

// channels: 1 (gray) or 3 (RGB). Written atomically.
RL_CHECKED enum rl_status png_write(const char *path, const uint8_t *pixels, int width, int height,
                                    int channels, struct rl_error *err);

struct png_image {
    int width, height, channels; // 1 or 3 after conversion
    uint8_t *pixels;             // mem_free
};
// At most 16384 on a side and 64 M pixels; hostile files are refused.
RL_CHECKED enum rl_status png_read(const char *path, struct png_image *image, struct rl_error *err);
