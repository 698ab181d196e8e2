// A sweep on paper, before or instead of running it.
#pragma once

#include "train/sweep.h"

// Rows, trials, hours, disk, wrong options, and where the rates come from; on stdout.
void sweep_plan_print(const struct sweep *sweep, int jobs);

// A command a line for each trial that is not over, for GNU parallel: `prefix --only NAME`.
void sweep_plan_list(const struct sweep *sweep, const char *prefix);

// FOLDER/slurm.sh: an array job with a task for each trial that is not over. hours: the limit of a
// task; 0 = from the plan's estimate, twice that, and 24 when nothing is known. A task that Slurm
// stops has saved; the same script goes on.
RL_CHECKED enum rl_status sweep_plan_slurm(const struct sweep *sweep, const char *prefix, int jobs,
                                           int64_t threads, double hours, struct rl_error *err);
