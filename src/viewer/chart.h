// Curves with intervals as a picture: SVG or PNG, by PLplot. Panels stand one below the other with
// one legend below them all.
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/file.h"

struct chart_curve {
    const double *x, *y;      // (count); borrowed
    const double *low, *high; // interval, or NULL; NaN where there is none
    int count;
    int colour; // number of a colour that all panels and the legend share; any
};

struct chart_panel {
    const char *title, *x_label, *y_label;
    const struct chart_curve *curves;
    int n_curves;
};

struct chart {
    const struct chart_panel *panels;
    int n_panels;
    const char *const *legend; // text of colour 0, 1, ...
    int n_legend;              // 0: none
    int width, height;         // of one panel with its axes, in pixels
};

enum chart_format { CHART_FORMAT_SVG, CHART_FORMAT_PNG };

bool chart_is_available(void);        // built with PLplot
int chart_max_colours(void);          // beyond these colours come again
const char *chart_colour(int colour); // "#1f77b4"

// The file's bytes, mem_free. RL_EUNAVAILABLE: built without PLplot, or PLplot cannot write the
// format here. Not to be called by two threads at once.
RL_CHECKED enum rl_status chart_draw(const struct chart *chart, enum chart_format format,
                                     struct bytes *out, struct rl_error *err);
