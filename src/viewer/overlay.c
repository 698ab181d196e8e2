#include "viewer/overlay.h"

#include <math.h>
#include <stdio.h>

#define INK   0xffffffu
#define SHADE 0x101418u
#define BAR   0x4fc3f7u

// Everything is laid out in units that grow with the picture.
static int unit_of(const struct canvas *canvas) {
    int unit = canvas->height / 240;
    return unit < 1 ? 1 : unit;
}

static void draw_figures(struct canvas *canvas, const struct overlay *overlay, int unit) {
    char lines[4][64];
    int count = isnan(overlay->value) ? 3 : 4, width = 0;
    snprintf(lines[0], sizeof(lines[0]), "%s", overlay->name);
    snprintf(lines[1], sizeof(lines[1]), "return %.1f", overlay->episode_return);
    snprintf(lines[2], sizeof(lines[2]), "frame %lld", (long long)overlay->frame);
    snprintf(lines[3], sizeof(lines[3]), "Q %.1f", overlay->value);
    for (int i = 0; i < count; i++) {
        int line = canvas_text_width(unit, lines[i]);
        width = line > width ? line : width;
    }
    struct canvas_rect back = {4 * unit, 4 * unit, width + 8 * unit, (6 + 10 * count) * unit};
    canvas_fill(canvas, back, SHADE, 150);
    for (int i = 0; i < count; i++) {
        canvas_text(canvas, 8 * unit, (8 + 10 * i) * unit, unit, INK, lines[i]);
    }
}

// One column an action: up from the middle is positive.
static void draw_action(struct canvas *canvas, const struct overlay *overlay, int unit) {
    int half = 20 * unit, step = 6 * unit;
    int left = 4 * unit, top = canvas->height - 2 * half - 8 * unit;
    struct canvas_rect back = {left, top, overlay->action_dim * step + 4 * unit,
                               2 * half + 4 * unit};
    canvas_fill(canvas, back, SHADE, 150);
    int middle = top + half + 2 * unit;
    for (int i = 0; i < overlay->action_dim; i++) {
        double value = fmin(fmax(overlay->action[i], -1), 1);
        int length = (int)lround(fabs(value) * half);
        struct canvas_rect bar = {left + 2 * unit + i * step + unit / 2,
                                  value > 0 ? middle - length : middle, step - unit, length};
        canvas_fill(canvas, bar, BAR, 256);
    }
    struct canvas_rect line = {left, middle, back.width, 1};
    canvas_fill(canvas, line, INK, 160);
}

static void draw_seen(struct canvas *canvas, const struct overlay *overlay, int unit) {
    double scale = fmin(canvas->height / 4.0 / overlay->seen_height,
                        (canvas->width - 16.0 * unit) / 2.0 / overlay->seen_width);
    int height = (int)(scale * overlay->seen_height), width = (int)(scale * overlay->seen_width);
    if (width < 1 || height < 1) return;
    struct canvas_rect place = {canvas->width - width - 6 * unit, 6 * unit, width, height};
    struct canvas_rect back = {place.x - unit, place.y - unit, width + 2 * unit, height + 2 * unit};
    canvas_fill(canvas, back, INK, 256);
    canvas_picture(canvas, place, overlay->seen, overlay->seen_width, overlay->seen_height);
}

void overlay_draw(struct canvas *canvas, const struct overlay *overlay) {
    int unit = unit_of(canvas);
    draw_figures(canvas, overlay, unit);
    if (overlay->action_dim > 0) draw_action(canvas, overlay, unit);
    if (overlay->seen) draw_seen(canvas, overlay, unit);
}
