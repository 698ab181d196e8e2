#include "cli/probe_pictures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/png_file.h"
#include "encoders/vit.h"
#include "ssl/features.h"
#include "viewer/canvas.h"

#define TILE       64 // pixels of a picture on a sheet, its gap with it
#define ROWS       10
#define NEIGHBOURS 8
#define SIDE       640
#define MAX_POINTS 20000

static struct canvas canvas_create(int width, int height, uint8_t shade) {
    struct canvas canvas = {width, height, mem_alloc(mem_size((size_t)width * 3, (size_t)height))};
    memset(canvas.rgb, shade, (size_t)width * (size_t)height * 3);
    return canvas;
}

static enum rl_status write_sheet(const struct probe_pictures *pictures, const char *kind,
                                  struct canvas *canvas, struct rl_error *err) {
    char name[256], path[4096];
    snprintf(name, sizeof name, "%s-%s.png", pictures->name, kind);
    file_join(path, sizeof path, pictures->dir, name);
    enum rl_status status = png_write(path, canvas->rgb, canvas->width, canvas->height, 3, err);
    mem_free(canvas->rgb);
    return status;
}

// The newest frame of a stack, or a picture, as RGB (mem_free).
static uint8_t *as_rgb(const struct probe_pictures *pictures, int64_t at) {
    const int *dim = pictures->encoder->spec.in_dim;
    size_t pixels = (size_t)dim[0] * dim[1];
    uint8_t *rgb = mem_alloc(pixels * 3), *stack = mem_alloc(pixels * dim[2]);
    const uint8_t *in = stack;
    if (pictures->source->replay)
        replay_stack(pictures->source->replay, at, stack);
    else
        in = pictures->source->images + (size_t)at * pixels * dim[2];
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *last = in + (i + 1) * dim[2];
        for (int c = 0; c < 3; c++) rgb[3 * i + c] = dim[2] < 3 ? last[-1] : last[c - 3];
    }
    mem_free(stack);
    return rgb;
}

static void put_picture(struct canvas *canvas, const struct probe_pictures *pictures, int64_t at,
                        int column, int row) {
    const int *dim = pictures->encoder->spec.in_dim;
    uint8_t *rgb = as_rgb(pictures, at);
    struct canvas_rect rect = {column * TILE + 2, row * TILE + 2, TILE - 4, TILE - 4};
    canvas_picture(canvas, rect, rgb, dim[1], dim[0]);
    mem_free(rgb);
}

static double cosine(const real *a, const real *b, int d) {
    double ab = 0, aa = 0, bb = 0;
    for (int j = 0; j < d; j++) {
        ab += (double)a[j] * (double)b[j];
        aa += (double)a[j] * (double)a[j];
        bb += (double)b[j] * (double)b[j];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

// The NEIGHBOURS nearest of row at, best first.
static void nearest(const struct probe_pictures *pictures, int64_t at, int64_t *best) {
    int d = pictures->encoder->out_dim, count = 0;
    double score[NEIGHBOURS];
    for (int64_t i = 0; i < pictures->n; i++) {
        if (i == at) continue;
        double now = cosine(pictures->x + (size_t)at * d, pictures->x + (size_t)i * d, d);
        if (count == NEIGHBOURS && now <= score[count - 1]) continue;
        int slot = count < NEIGHBOURS ? count++ : count - 1;
        for (; slot > 0 && score[slot - 1] < now; slot--)
            score[slot] = score[slot - 1], best[slot] = best[slot - 1];
        score[slot] = now;
        best[slot] = i;
    }
}

static enum rl_status draw_neighbours(const struct probe_pictures *pictures, struct rl_error *err) {
    if (pictures->n <= NEIGHBOURS) return RL_OK;
    struct canvas canvas = canvas_create((NEIGHBOURS + 1) * TILE + TILE / 4, ROWS * TILE, 24);
    for (int row = 0; row < ROWS; row++) {
        int64_t at = row * pictures->n / ROWS, best[NEIGHBOURS] = {0};
        nearest(pictures, at, best);
        put_picture(&canvas, pictures, at, 0, row);
        for (int k = 0; k < NEIGHBOURS; k++) put_picture(&canvas, pictures, best[k], k + 1, row);
    }
    return write_sheet(pictures, "neighbours", &canvas, err);
}

// 0..1 from dark blue over green to yellow; or a hue around the circle.
static uint32_t colour_of(double t, bool hue) {
    double r, g, b;
    t = fmin(fmax(t, 0), 1);
    if (hue) {
        r = 0.55 + 0.45 * cos(2 * M_PI * t);
        g = 0.55 + 0.45 * cos(2 * M_PI * (t - 1.0 / 3));
        b = 0.55 + 0.45 * cos(2 * M_PI * (t - 2.0 / 3));
    } else {
        r = t * t;
        g = 0.1 + 0.8 * t;
        b = 0.6 * (1 - t) + 0.1;
    }
    return (uint32_t)(255 * r) << 16 | (uint32_t)(255 * g) << 8 | (uint32_t)(255 * b);
}

// Where a row lies between the least and the largest colour.
static double shade_of(const struct probe_pictures *pictures, int64_t i, double low, double high) {
    double value = pictures->label ? pictures->label[i] : pictures->value[i];
    return high > low ? (value - low) / (high - low + (pictures->label ? 1 : 0)) : 0.5;
}

static enum rl_status draw_plane(const struct probe_pictures *pictures, struct rl_error *err) {
    int n = pictures->n < MAX_POINTS ? (int)pictures->n : MAX_POINTS;
    double low = INFINITY, high = -INFINITY, share[2];
    real *plane = MEM_ARRAY(real, 2 * n);
    features_plane(pictures->x, n, pictures->encoder->out_dim, plane, share);
    for (int i = 0; i < n; i++) {
        double value = pictures->label ? pictures->label[i] : pictures->value[i];
        low = fmin(low, value), high = fmax(high, value);
    }
    struct canvas canvas = canvas_create(SIDE, SIDE, 16);
    for (int i = 0; i < n; i++) { // three deviations each way
        int px = (int)(SIDE / 2 + (double)plane[2 * i] * SIDE / 6.5),
            py = (int)(SIDE / 2 - (double)plane[2 * i + 1] * SIDE / 6.5);
        uint32_t colour = colour_of(shade_of(pictures, i, low, high), pictures->label != NULL);
        canvas_fill(&canvas, (struct canvas_rect){px - 1, py - 1, 3, 3}, colour, 160);
    }
    char text[128];
    snprintf(text, sizeof text, "PCA: %.0f%% AND %.0f%% OF THE VARIANCE", 100 * share[0],
             100 * share[1]);
    canvas_text(&canvas, 8, 8, 1, 0xffffff, text);
    snprintf(text, sizeof text, "COLOUR: %s %.3g TO %.3g", pictures->label ? "LABEL" : "REWARD",
             low, high);
    canvas_text(&canvas, 8, 20, 1, 0xffffff, text);
    mem_free(plane);
    return write_sheet(pictures, "plane", &canvas, err);
}

static void put_map(struct canvas *canvas, const real *map, int grid_h, int grid_w, int row) {
    real most = 0;
    uint8_t *rgb = mem_alloc((size_t)grid_h * grid_w * 3);
    for (int t = 0; t < grid_h * grid_w; t++) most = map[t] > most ? map[t] : most;
    for (int t = 0; t < grid_h * grid_w; t++) {
        uint32_t colour = colour_of(most > 0 ? (double)(map[t] / most) : 0, false);
        rgb[3 * t] = (uint8_t)(colour >> 16);
        rgb[3 * t + 1] = (uint8_t)(colour >> 8);
        rgb[3 * t + 2] = (uint8_t)colour;
    }
    struct canvas_rect rect = {TILE + 2, row * TILE + 2, TILE - 4, TILE - 4};
    canvas_picture(canvas, rect, rgb, grid_w, grid_h);
    mem_free(rgb);
}

static enum rl_status draw_attention(const struct probe_pictures *pictures, struct rl_error *err) {
    const struct vit *vit = vit_of(pictures->encoder);
    if (!vit) return RL_OK;
    struct canvas canvas = canvas_create(2 * TILE, ROWS * TILE, 24);
    real *map = MEM_ARRAY(real, vit->tokens);
    enum rl_status status = RL_OK;
    for (int row = 0; row < ROWS && status == RL_OK; row++) {
        int64_t at = row * pictures->n / ROWS;
        status =
            features_attention(pictures->encoder, pictures->source, at, 1, vit->tokens, map, err);
        if (status != RL_OK) break;
        put_picture(&canvas, pictures, at, 0, row);
        put_map(&canvas, map, vit->grid_h, vit->grid_w, row);
    }
    mem_free(map);
    if (status == RL_OK) return write_sheet(pictures, "attention", &canvas, err);
    mem_free(canvas.rgb);
    return status;
}

enum rl_status probe_pictures_draw(const struct probe_pictures *pictures, struct rl_error *err) {
    enum rl_status status = file_make_dirs(pictures->dir, err);
    if (status == RL_OK) status = draw_neighbours(pictures, err);
    if (status == RL_OK) status = draw_plane(pictures, err);
    return status == RL_OK ? draw_attention(pictures, err) : status;
}
