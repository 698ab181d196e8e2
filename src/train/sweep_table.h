// What the trials of a sweep have come to, read from their folders, and the tables made of it:
// FOLDER/results.csv (a line a trial) and FOLDER/results.md (a line a row: IQM of the last
// evaluation's return over seeds, its 95% bootstrap interval, the probability to beat the first
// row, each seed). Nothing but the folders decides their content, so that it does not matter who
// ran which trial when, or how often it was killed: wall time alone differs, in the last column of
// results.csv and the last line of results.md.
#pragma once

#include "train/sweep.h"

enum sweep_state {
    SWEEP_STATE_WAITING, // not begun, or stopped before its end
    SWEEP_STATE_DONE,    // ended, with an evaluation
    SWEEP_STATE_FAILED,
};
extern const char *const sweep_state_names[];

struct sweep_result {
    enum sweep_state state;
    double score;                   // return of the last evaluation; NaN when there is none
    int64_t frames, steps, updates; // of the newest row of the log
    double wall_s;
    char error[512]; // of a failed trial: its one line
};

void sweep_result_read(const struct sweep *sweep, const struct sweep_trial *trial,
                       struct sweep_result *result);

// Cheap: whether the trial needs no more work.
bool sweep_is_settled(const struct sweep *sweep, const struct sweep_trial *trial);

// Notes that the trial failed, or (line NULL) that it may be tried again.
RL_CHECKED enum rl_status sweep_set_failed(const struct sweep *sweep,
                                           const struct sweep_trial *trial, const char *line,
                                           struct rl_error *err);

// Waits until no other sweep writes what all share in the folder (it has trials/); *fd: -1 after a
// failure, else close it to let the next one in.
RL_CHECKED enum rl_status sweep_lock_folder(const struct sweep *sweep, int *fd, struct rl_error *err);

// Writes both files, each atomically; sweeps that share the folder take turns.
RL_CHECKED enum rl_status sweep_write_tables(const struct sweep *sweep, struct rl_error *err);
