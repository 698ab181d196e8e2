#include "viewer/palette.h"

#include <string.h>

#include "base/mem.h"

enum { CUBE = 4, CUBE_COLOURS = CUBE * CUBE * CUBE, CUT_COLOURS = PALETTE_COLOURS - CUBE_COLOURS };

// Cells of the picture, as indices cell[begin..end) with how many pixels they hold.
struct box {
    int begin, end;
    int64_t pixels;
    int axis, extent; // the longest side
};

struct cut {
    int64_t count[PALETTE_CELLS];
    int cell[PALETTE_CELLS];
    struct box box[CUT_COLOURS];
    int n_boxes;
};

static int channel_of(int cell, int axis) {
    return cell >> (10 - 5 * axis) & 31;
}

static void measure(const struct cut *cut, struct box *box) {
    box->pixels = 0;
    box->extent = -1;
    for (int i = box->begin; i < box->end; i++) box->pixels += cut->count[cut->cell[i]];
    for (int axis = 0; axis < 3; axis++) {
        int low = 31, high = 0;
        for (int i = box->begin; i < box->end; i++) {
            int value = channel_of(cut->cell[i], axis);
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        if (high - low <= box->extent) continue;
        box->extent = high - low;
        box->axis = axis;
    }
}

// Where half of the box' pixels lie below, kept inside so that both parts have cells.
static int median_of(const struct cut *cut, const struct box *box) {
    int64_t along[32] = {0}, below = 0;
    int low = 31, high = 0, at = 0;
    for (int i = box->begin; i < box->end; i++) {
        int value = channel_of(cut->cell[i], box->axis);
        along[value] += cut->count[cut->cell[i]];
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    for (at = low; at < high - 1; at++) {
        below += along[at];
        if (2 * below >= box->pixels) break;
    }
    return at; // the lower part: value <= at
}

static void split(struct cut *cut, struct box *box) {
    int at = median_of(cut, box), middle = box->begin;
    for (int i = box->begin; i < box->end; i++) {
        int cell = cut->cell[i];
        if (channel_of(cell, box->axis) > at) continue;
        cut->cell[i] = cut->cell[middle];
        cut->cell[middle++] = cell;
    }
    struct box *other = &cut->box[cut->n_boxes++];
    *other = (struct box){.begin = middle, .end = box->end};
    box->end = middle;
    measure(cut, box);
    measure(cut, other);
}

static void mean_colour(const struct cut *cut, const struct box *box, uint8_t colour[3]) {
    for (int axis = 0; axis < 3; axis++) {
        int64_t sum = 0;
        for (int i = box->begin; i < box->end; i++) {
            sum += cut->count[cut->cell[i]] * channel_of(cut->cell[i], axis);
        }
        colour[axis] = (uint8_t)((sum * 255 + box->pixels * 31 / 2) / (box->pixels * 31));
    }
}

static void find_nearest(struct palette *palette) {
    static const int weight[3] = {2, 4, 3}; // of the eye
    for (int cell = 0; cell < PALETTE_CELLS; cell++) {
        int least = INT32_MAX;
        for (int i = 0; i < PALETTE_COLOURS; i++) {
            int distance = 0;
            for (int axis = 0; axis < 3; axis++) {
                int off = channel_of(cell, axis) * 255 / 31 - palette->colour[i][axis];
                distance += weight[axis] * off * off;
            }
            if (distance >= least) continue;
            least = distance;
            palette->nearest[cell] = (uint8_t)i;
        }
    }
}

void palette_make(struct palette *palette, const uint8_t *rgb, int n_pixels) {
    struct cut *cut = MEM_NEW(struct cut);
    int n_cells = 0;
    for (int i = 0; i < n_pixels; i++) {
        const uint8_t *pixel = rgb + 3 * (size_t)i;
        int cell = (pixel[0] >> 3) << 10 | (pixel[1] >> 3) << 5 | pixel[2] >> 3;
        if (cut->count[cell]++ == 0) cut->cell[n_cells++] = cell;
    }
    cut->box[0] = (struct box){.end = n_cells};
    cut->n_boxes = 1;
    measure(cut, &cut->box[0]);
    while (cut->n_boxes < CUT_COLOURS) {
        struct box *widest = NULL; // wide and full: both make errors that are seen
        int64_t most = 0;
        for (int i = 0; i < cut->n_boxes; i++) {
            struct box *box = &cut->box[i];
            int64_t worth = box->pixels * box->extent * box->extent;
            if (box->extent < 1 || worth <= most) continue;
            most = worth;
            widest = box;
        }
        if (!widest) break;
        split(cut, widest);
    }
    memset(palette->colour, 0, sizeof(palette->colour));
    for (int i = 0; i < cut->n_boxes; i++) mean_colour(cut, &cut->box[i], palette->colour[i]);
    for (int i = 0; i < CUBE_COLOURS; i++) {
        uint8_t *colour = palette->colour[CUT_COLOURS + i];
        for (int axis = 0, rest = i; axis < 3; axis++, rest /= CUBE) {
            colour[axis] = (uint8_t)(rest % CUBE * 255 / (CUBE - 1));
        }
    }
    mem_free(cut);
    find_nearest(palette);
}

void palette_apply(const struct palette *palette, const uint8_t *rgb, int width, int height,
                   uint8_t *out, int stride) {
    static const int8_t bayer[4][4] = {
        {0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const uint8_t *pixel = rgb + ((size_t)y * (size_t)width + (size_t)x) * 3;
            int cell = 0, shift = bayer[y % 4][x % 4] / 2 - 4; // half a cell up or down
            for (int axis = 0; axis < 3; axis++) {
                int value = pixel[axis] + shift;
                value = value < 0 ? 0 : value > 255 ? 255 : value;
                cell = cell << 5 | value >> 3;
            }
            out[(size_t)y * (size_t)stride + x] = palette->nearest[cell];
        }
    }
}
