#include "cli/text_plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char marks[TEXT_PLOT_CURVES + 1] = "*+ox#@%&";

struct range {
    double low, high;
};

static void widen(struct range *range, double value) {
    if (value < range->low) range->low = value;
    if (value > range->high) range->high = value;
}

static struct range range_of(const struct text_plot *plot, bool vertical) {
    struct range range = {INFINITY, -INFINITY};
    for (int c = 0; c < plot->n_curves; c++) {
        const struct metrics_series *series = &plot->series[c];
        for (int i = 0; i < series->count; i++) {
            widen(&range, vertical ? series->y[i] : series->x[i]);
        }
    }
    if (range.low > range.high) return (struct range){0, 1};
    widen(&range, 0); // both axes begin at zero, so that curves of different runs look alike
    if (range.low == range.high) range.high = range.low + 1;
    return range;
}

static int cell_of(struct range range, double value, int cells) {
    return (int)lround((value - range.low) / (range.high - range.low) * (cells - 1));
}

// A straight line of marks from one cell to the next.
static void draw_segment(const struct text_plot *plot, char *grid, char mark, const int from[2],
                         const int to[2]) {
    int dx = to[0] - from[0], dy = to[1] - from[1];
    int n = abs(dx) > abs(dy) ? abs(dx) : abs(dy);
    for (int i = 0; i <= n; i++) {
        int x = from[0] + (n ? (int)lround((double)dx * i / n) : 0);
        int y = from[1] + (n ? (int)lround((double)dy * i / n) : 0);
        grid[(plot->height - 1 - y) * plot->width + x] = mark;
    }
}

static void draw_curve(const struct text_plot *plot, char *grid, int curve, struct range x_range,
                       struct range y_range) {
    const struct metrics_series *series = &plot->series[curve];
    int last[2] = {0};
    for (int i = 0; i < series->count; i++) {
        int cell[2] = {cell_of(x_range, series->x[i], plot->width),
                       cell_of(y_range, series->y[i], plot->height)};
        draw_segment(plot, grid, marks[curve], i ? last : cell, cell);
        memcpy(last, cell, sizeof last);
    }
}

static void add_rows(const struct text_plot *plot, const char *grid, struct range y_range,
                     struct text *out) {
    for (int row = 0; row < plot->height; row++) {
        char label[16] = "";
        double share = 1 - (double)row / (plot->height - 1);
        bool labelled = row % 4 == 0 || row == plot->height - 1;
        if (labelled) {
            snprintf(label, sizeof label, "%.4g",
                     y_range.low + share * (y_range.high - y_range.low));
        }
        text_add(out, "%9s %c%.*s\n", label, labelled ? '+' : '|', plot->width,
                 grid + row * plot->width);
    }
}

void text_plot_draw(const struct text_plot *plot, struct text *out) {
    RL_ASSERT(plot->width > 1 && plot->height > 1 && plot->n_curves <= TEXT_PLOT_CURVES);
    struct range x_range = range_of(plot, false), y_range = range_of(plot, true);
    char *grid = mem_alloc((size_t)(plot->width * plot->height));
    memset(grid, ' ', (size_t)(plot->width * plot->height));
    for (int c = 0; c < plot->n_curves; c++) draw_curve(plot, grid, c, x_range, y_range);
    text_add(out, "%s\n", plot->y_label);
    add_rows(plot, grid, y_range, out);
    mem_free(grid);
    char ends[2][16];
    snprintf(ends[0], sizeof ends[0], "%.4g", x_range.low);
    snprintf(ends[1], sizeof ends[1], "%.6g", x_range.high);
    text_add(out, "%10s+", "");
    for (int i = 0; i < plot->width; i++) text_add_bytes(out, "-", 1);
    int gap = plot->width - (int)strlen(ends[0]) - (int)strlen(ends[1]);
    text_add(out, "\n%11s%s%*s%s  %s\n", "", ends[0], gap > 1 ? gap : 1, "", ends[1],
             plot->x_label);
    for (int c = 0; c < plot->n_curves; c++) {
        const struct metrics_series *series = &plot->series[c];
        text_add(out, "  %c %s", marks[c], plot->label[c]);
        if (series->count) {
            text_add(out, "  (%d points, last %.4g)\n", series->count,
                     series->y[series->count - 1]);
        } else {
            text_add(out, "  (no points yet)\n");
        }
    }
}
