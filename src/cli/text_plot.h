// Curves drawn with characters, for a terminal.
#pragma once

#include "base/text.h"
#include "train/metrics_file.h"

#define TEXT_PLOT_CURVES 8

struct text_plot {
    const char *label[TEXT_PLOT_CURVES]; // beside the curve's mark, below the picture
    struct metrics_series series[TEXT_PLOT_CURVES];
    int n_curves;
    const char *x_label, *y_label;
    int width, height; // of the picture in characters, without its axes
};

// Adds the picture, its axes and the legend. Curves without points are only in the legend.
void text_plot_draw(const struct text_plot *plot, struct text *out);
