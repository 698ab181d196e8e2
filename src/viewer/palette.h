// 256 colours for a GIF: most are cut from a picture by its own colours (median cut, Heckbert
// 1982), the rest is a coarse cube for what later pictures may bring.
#pragma once

#include <stdint.h>

enum { PALETTE_COLOURS = 256, PALETTE_CELLS = 32 * 32 * 32 };

struct palette {
    uint8_t colour[PALETTE_COLOURS][3];
    uint8_t nearest[PALETTE_CELLS]; // of the cell r5 g5 b5
};

void palette_make(struct palette *palette, const uint8_t *rgb, int n_pixels);
// Indices of a picture (height, stride) with ordered dithering (Bayer's 4x4 matrix), which stays
// still from picture to picture where the scene does.
void palette_apply(const struct palette *palette, const uint8_t *rgb, int width, int height,
                   uint8_t *out, int stride);
