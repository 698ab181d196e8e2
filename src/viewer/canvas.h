// Drawing on a picture in memory: what `rlrun record` lays over frames. Everything is clipped to
// the picture, so any position is fine.
#pragma once

#include <stdint.h>

struct canvas {
    int width, height;
    uint8_t *rgb; // (height, width, 3), borrowed
};

struct canvas_rect {
    int x, y, width, height; // from the top left
};

// alpha in 0..256: how much of the colour (0xRRGGBB) covers what is there.
void canvas_fill(struct canvas *canvas, struct canvas_rect rect, uint32_t colour, int alpha);
// Glyphs of 5x7 pixels times scale, 6 * scale apart; small letters are drawn as capitals, unknown
// ones as '?'.
void canvas_text(struct canvas *canvas, int x, int y, int scale, uint32_t colour, const char *text);
int canvas_text_width(int scale, const char *text);
// Puts a picture into rect, nearest pixels.
void canvas_picture(struct canvas *canvas, struct canvas_rect rect, const uint8_t *rgb, int width,
                    int height);
// Turns the rows upside down: OpenGL counts them from the bottom.
void canvas_flip(struct canvas *canvas);
