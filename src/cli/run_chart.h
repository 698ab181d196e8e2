// Figures of a set of runs as curves: what `rlrun plot` and `rlrun report` draw.
#pragma once

#include "train/run_set.h"
#include "viewer/chart.h"

extern const char *const run_chart_x_names[]; // "frames", "steps", "updates", "wall_s", NULL

struct run_chart_request {
    const char *kind;        // "" = whichever has the figure
    const char *const *keys; // a panel each
    int n_keys;
    const char *x_key;
    enum statistic statistic;
};

enum { RUN_CHART_MAX_KEYS = 12 };

struct run_chart {
    const struct run_set *set; // borrowed
    struct curve *curves;      // (n_keys, n_groups)
    struct chart_curve *lines; // the same, those with points first in each panel
    double *values;            // of all lines
    const char **legend;       // (n_groups)
    char (*labels)[200];       // "byol (3 seeds)"
    char title[RUN_CHART_MAX_KEYS][96];
    struct chart_panel panels[RUN_CHART_MAX_KEYS];
    struct chart chart;     // ready to draw
    int n_curves, n_points; // of all curves
};

// Reads the figures. run_chart must be released also after a failure.
RL_CHECKED enum rl_status run_chart_make(struct run_chart *run_chart, const struct run_set *set,
                                         const struct run_chart_request *request,
                                         struct rl_error *err);
void run_chart_release(struct run_chart *run_chart);

// "frames", "agent steps", ...: what an axis says.
const char *run_chart_axis(const char *x_key);
