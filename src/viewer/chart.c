#include "viewer/chart.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// Okabe and Ito's palette, which people with any kind of colour vision can tell apart, its yellow
// darkened for white paper, and two more.
static const uint8_t palette[][3] = {
    {0, 114, 178}, {230, 120, 0},  {0, 158, 115}, {204, 60, 120}, {86, 180, 233},
    {190, 160, 0}, {120, 80, 200}, {90, 90, 90},  {160, 80, 40},  {0, 170, 170},
};
enum { N_COLOURS = sizeof(palette) / sizeof(*palette) };

int chart_max_colours(void) {
    return N_COLOURS;
}

const char *chart_colour(int colour) {
    static char text[N_COLOURS][8];
    const uint8_t *rgb = palette[colour % N_COLOURS];
    char *out = text[colour % N_COLOURS];
    snprintf(out, 8, "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
    return out;
}

#if RLRUN_HAVE_PLPLOT

#include <plplot/plplot.h>
#include <setjmp.h>

// Entries of PLplot's colour map.
enum { PAPER, INK, GRID, FIRST_LINE, FIRST_BAND = FIRST_LINE + N_COLOURS };
enum { N_MAP = FIRST_BAND + N_COLOURS };
#define LETTERS 540.0 // gives 13 pixels
enum { LEGEND_ROW = 20, LEGEND_PAD = 10, RIGHT = 20, TOP = 30, BOTTOM = 46 };
enum { LEFT = 82, Y_LABEL = 13 }; // between the y label's middle and the axis: ticks of 8 letters

bool chart_is_available(void) {
    return true;
}

// --- PLplot's manners: it exits on errors and speaks on stderr, unless told otherwise ---

static jmp_buf plplot_failed;
static char plplot_message[200];

static int on_exit_request(const char *message) {
    snprintf(plplot_message, sizeof(plplot_message), "%s", message);
    longjmp(plplot_failed, 1);
}

static void on_abort(const char *message) {
    snprintf(plplot_message, sizeof(plplot_message), "%s", message);
}

static bool has_device(const char *name) {
    enum { MAX_DEVICES = 128 };
    const char *menu_entries[MAX_DEVICES], *device_names[MAX_DEVICES];
    const char **menu = menu_entries, **devices = device_names;
    int count = MAX_DEVICES; // room, then how many there are
    plgDevs(&menu, &devices, &count);
    for (int i = 0; i < count; i++) {
        if (!strcmp(devices[i], name)) return true;
    }
    return false;
}

// --- axes ---

struct range {
    double low, high;
};

static void widen(struct range *range, double value) {
    if (!isfinite(value)) return;
    range->low = fmin(range->low, value);
    range->high = fmax(range->high, value);
}

static struct range padded(struct range range, bool from_zero) {
    if (range.low > range.high) return (struct range){0, 1};
    if (from_zero && range.low > 0 && range.low < 0.5 * range.high) range.low = 0;
    double span = range.high - range.low;
    if (span == 0) span = fabs(range.high) > 0 ? fabs(range.high) : 1;
    if (range.low != 0) range.low -= 0.04 * span;
    range.high += 0.04 * span;
    return range;
}

static void ranges_of(const struct chart_panel *panel, struct range *x, struct range *y) {
    *x = *y = (struct range){INFINITY, -INFINITY};
    for (int c = 0; c < panel->n_curves; c++) {
        const struct chart_curve *curve = &panel->curves[c];
        for (int i = 0; i < curve->count; i++) {
            widen(x, curve->x[i]);
            widen(y, curve->y[i]);
            if (curve->low) widen(y, curve->low[i]);
            if (curve->high) widen(y, curve->high[i]);
        }
    }
    *y = padded(*y, true);
    if (x->low > x->high) *x = (struct range){0, 1};
    if (x->low > 0) x->low = 0; // time begins at zero
    if (x->low == x->high) x->high = x->low + 1;
}

// "250k", "1.5M", "2.5e-4": short labels that need no factor beside the axis.
static void label_tick(PLINT axis, PLFLT value, char *text, PLINT length, PLPointer data) {
    (void)axis;
    double span = *(const double *)data;
    char unit[16] = "";
    if (span < 1e-3) {
        int exponent = (int)floor(log10(span));
        value /= pow(10, exponent);
        snprintf(unit, sizeof unit, "e%d", exponent);
    } else if (span >= 2e6) {
        value /= 1e6;
        strcpy(unit, "M");
    } else if (span >= 5e3) {
        value /= 1e3;
        strcpy(unit, "k");
    }
    if (fabs(value) < 1e-9) value = 0;
    snprintf(text, (size_t)length, "%.4g%s", value, value == 0 ? "" : unit);
}

static void draw_axes(const struct chart_panel *panel, struct range x, struct range y) {
    plcol0(GRID);
    plwidth(1);
    plbox("g", 0, 0, "g", 0, 0);
    plcol0(INK);
    // The labels of each axis are scaled by that axis' own span, hence two calls.
    double span = x.high - x.low;
    plslabelfunc(label_tick, &span);
    plbox("bnsto", 0, 0, "", 0, 0);
    span = fmax(fabs(y.low), fabs(y.high));
    plbox("", 0, 0, "bnstvo", 0, 0);
    plslabelfunc(NULL, NULL);
    plmtex("b", 2.9, 0.5, 0.5, panel->x_label);
    plmtex("t", 0.9, 0, 0, panel->title);
}

// --- curves ---

static int colour_of(const struct chart_curve *curve) {
    return curve->colour % N_COLOURS;
}

// The interval as one shape for each stretch of points that have it.
static void draw_band(const struct chart_curve *curve) {
    double *x = MEM_ARRAY(double, 2 * curve->count), *y = MEM_ARRAY(double, 2 * curve->count);
    plcol0(FIRST_BAND + colour_of(curve));
    for (int begin = 0, end; begin < curve->count; begin = end + 1) {
        for (end = begin; end < curve->count; end++) {
            if (!isfinite(curve->low[end]) || !isfinite(curve->high[end])) break;
        }
        int n = end - begin;
        for (int i = 0; i < n; i++) {
            x[i] = x[2 * n - 1 - i] = curve->x[begin + i];
            y[i] = curve->high[begin + i];
            y[2 * n - 1 - i] = curve->low[begin + i];
        }
        if (n > 1) plfill(2 * n, x, y);
    }
    mem_free(x);
    mem_free(y);
}

static void draw_line(const struct chart_curve *curve) {
    plcol0(FIRST_LINE + colour_of(curve));
    plwidth(2);
    pllsty(curve->colour < N_COLOURS ? 1 : 2); // the palette's second round is dashed
    if (curve->count > 1) plline(curve->count, curve->x, curve->y);
    pllsty(1);
    if (curve->count == 1) plstring(1, curve->x, curve->y, "#(727)"); // a lone point: a disc
}

// A window in pixels of the whole page, y upwards.
static void open_page(const struct chart *chart, int total_height) {
    plvpor(0, 1, 0, 1);
    plwind(0, chart->width, 0, total_height);
}

static void draw_panel(const struct chart *chart, const struct chart_panel *panel, int index,
                       int total_height) {
    double bottom = total_height - (index + 1) * chart->height;
    plvpor((double)LEFT / chart->width, 1 - (double)RIGHT / chart->width,
           (bottom + BOTTOM) / total_height, (bottom + chart->height - TOP) / total_height);
    struct range x, y;
    ranges_of(panel, &x, &y);
    plwind(x.low, x.high, y.low, y.high);
    draw_axes(panel, x, y);
    for (int c = 0; c < panel->n_curves; c++) {
        if (panel->curves[c].low && panel->curves[c].high) draw_band(&panel->curves[c]);
    }
    for (int c = 0; c < panel->n_curves; c++) draw_line(&panel->curves[c]);
    open_page(chart, total_height);
    plcol0(INK);
    // Upwards, at a fixed distance from the page's edge and so from ticks of any length.
    plptex(Y_LABEL, bottom + (chart->height - TOP + BOTTOM) / 2.0, 0, 1, 0.5, panel->y_label);
}

// --- legend ---

static int legend_columns(const struct chart *chart) {
    size_t longest = 1;
    for (int i = 0; i < chart->n_legend; i++) {
        size_t length = strlen(chart->legend[i]);
        longest = length > longest ? length : longest;
    }
    int columns = (chart->width - LEFT) / (int)(40 + 7 * longest);
    return columns < 1 ? 1 : columns;
}

static int legend_height(const struct chart *chart) {
    if (chart->n_legend == 0) return 0;
    int columns = legend_columns(chart);
    return (chart->n_legend + columns - 1) / columns * LEGEND_ROW + LEGEND_PAD;
}

static void draw_legend(const struct chart *chart, int total_height) {
    int columns = legend_columns(chart), step = (chart->width - LEFT) / columns;
    open_page(chart, total_height);
    for (int i = 0; i < chart->n_legend; i++) {
        double x = LEFT + i % columns * step;
        double y = legend_height(chart) - LEGEND_PAD / 2.0 - (i / columns + 0.5) * LEGEND_ROW;
        double line_x[2] = {x, x + 22}, line_y[2] = {y, y};
        struct chart_curve sample = {.x = line_x, .y = line_y, .count = 2, .colour = i};
        draw_line(&sample);
        plcol0(INK);
        plptex(x + 30, y, 1, 0, 0, chart->legend[i]);
    }
}

// --- the page ---

static void set_colours(void) {
    PLINT r[N_MAP] = {255, 55, 226}, g[N_MAP] = {255, 60, 228}, b[N_MAP] = {255, 66, 232};
    PLFLT alpha[N_MAP] = {1, 1, 1};
    for (int i = 0; i < N_COLOURS; i++) {
        r[FIRST_LINE + i] = r[FIRST_BAND + i] = palette[i][0];
        g[FIRST_LINE + i] = g[FIRST_BAND + i] = palette[i][1];
        b[FIRST_LINE + i] = b[FIRST_BAND + i] = palette[i][2];
        alpha[FIRST_LINE + i] = 1;
        alpha[FIRST_BAND + i] = 0.2;
    }
    plscmap0a(r, g, b, alpha, N_MAP);
}

static void draw_page(const struct chart *chart, const char *device, FILE *file) {
    int height = chart->n_panels * chart->height + legend_height(chart);
    plsdev(device);
    plsfile(file);
    plspage(0, 0, chart->width, height, 0, 0);
    set_colours();
    plsesc('#');
    plinit();
    pladv(0);
    plschr(0, LETTERS / fmax(chart->width, height)); // PLplot measures letters by the longer side
    for (int i = 0; i < chart->n_panels; i++) draw_panel(chart, &chart->panels[i], i, height);
    if (chart->n_legend) draw_legend(chart, height);
    plend1();
}

enum rl_status chart_draw(const struct chart *chart, enum chart_format format, struct bytes *out,
                          struct rl_error *err) {
    const char *device = format == CHART_FORMAT_SVG ? "svg" : "pngcairo";
    *out = (struct bytes){0};
    if (!has_device(device)) {
        return rl_fail(err, RL_EUNAVAILABLE, "PLplot has no driver '%s' here (%s)", device,
                       format == CHART_FORMAT_SVG ? "libplplot17" : "plplot-driver-cairo");
    }
    char *data = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&data, &size);
    if (!file) return rl_fail(err, RL_ENOMEM, "out of memory: chart");
    plplot_message[0] = 0;
    plsexit(on_exit_request);
    plsabort(on_abort);
    if (setjmp(plplot_failed)) return rl_fail(err, RL_EIO, "PLplot: %s", plplot_message);
    draw_page(chart, device, file); // closes the file
    if (plplot_message[0] || size == 0) {
        free(data);
        return rl_fail(err, RL_EIO, "PLplot: %s",
                       plplot_message[0] ? plplot_message : "nothing written");
    }
    out->data = mem_alloc(size + 1);
    memcpy(out->data, data, size);
    out->data[size] = 0;
    out->size = size;
    free(data);
    return RL_OK;
}

#else

bool chart_is_available(void) {
    return false;
}

enum rl_status chart_draw(const struct chart *chart, enum chart_format format, struct bytes *out,
                          struct rl_error *err) {
    (void)chart;
    (void)format;
    *out = (struct bytes){0};
    return rl_fail(
        err, RL_EUNAVAILABLE,
        "rlrun was built without PLplot (libplplot-dev); without -o the curve is drawn in "
        "the terminal");
}

#endif
