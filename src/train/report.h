// The page of `rlrun report`: one HTML file that needs no network: results, curves, clips, what
// differs between settings, how the encoders' latents are, machines. Pictures and clips come from
// the caller as bytes and are put into the page.
#pragma once

#include "base/file.h"
#include "train/run_set.h"

struct report_chart {
    const char *title, *note; // note may be NULL
    struct bytes svg;         // without data: text instead
    const char *text;         // preformatted, or NULL
};

struct report_clip {
    const char *type;  // "video/mp4", "image/gif", "image/png"
    struct bytes file; // size 0: none
    char caption[160];
};

struct report {
    const struct run_set *set;
    const struct report_chart *charts;
    int n_charts;
    const struct report_clip *clips; // (set->n_runs)
    const char *const *colours;      // (set->n_groups) of the groups in charts: "#0072b2"
    const char *title, *command;
};

void report_html(const struct report *report, struct text *out);
