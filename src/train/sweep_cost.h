// What a sweep costs: hours and disk, row by row. Rates are measured where any trial of the row, or
// of the sweep, has run; else the configuration's sweep.steps_per_s; else unknown.
#pragma once

#include "train/sweep.h"

enum sweep_rate {
    SWEEP_RATE_UNKNOWN,
    SWEEP_RATE_CONFIG, // sweep.steps_per_s
    SWEEP_RATE_SWEEP,  // mean over the rows that are measured
    SWEEP_RATE_ROW,    // measured on this row's trials
};
extern const char *const sweep_rate_names[];

struct sweep_cost {     // of a row
    int64_t steps;      // of all its trials
    int64_t steps_left; // that are not run yet
    double steps_per_s; // of one trial, as trials ran (with -j N: beside others); 0: unknown
    enum sweep_rate rate;
    int64_t run_bytes;  // of one trial's replay while it runs: measured, or frames uncompressed
    int64_t kept_bytes; // of one trial that has ended: measured, or SWEEP_KEPT_BYTES
};
#define SWEEP_KEPT_BYTES (25 << 20) // two checkpoints and the weights, pixels

// cost has n_rows places. Reads the logs of all trials.
void sweep_costs(const struct sweep *sweep, struct sweep_cost *cost);

// Agent steps of a trial.
int64_t sweep_trial_steps(const struct sweep_trial *trial);

// Seconds of one process for what is left of all rows; NaN when a rate is unknown.
double sweep_seconds_left(const struct sweep *sweep, const struct sweep_cost *cost);
