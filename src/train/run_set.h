// Runs to compare, read from their folders: what each is set to, what it has come to, and which of
// them differ in nothing but the seed. Such runs are one group: one curve, one row of a table.
// Options that decide no result (name, run_dir, threads, time_limit, clip_every) do not set runs
// apart.
#pragma once

#include <stdint.h>

#include "base/config.h"
#include "base/metrics.h"
#include "train/run_dir.h"
#include "train/statistics.h"

enum run_state { RUN_STATE_ENDED, RUN_STATE_RUNNING, RUN_STATE_STOPPED, RUN_STATE_FAILED };
extern const char *const run_state_names[]; // "ended", "running", "stopped", "failed"

struct run_info {
    char path[RUN_DIR_PATH_BYTES];
    char name[160]; // the end of path
    enum run_state state;
    char error[512]; // FAILED: the line that a sweep has kept
    struct config config;
    int64_t seed, frames, steps, updates;
    double wall_s;
    double score, best;  // return of the last evaluation, and of the best one; NaN: none yet
    struct metrics last; // the newest value of each figure of the log
    int group;
};

// A trial of a sweep that failed before it had a run folder.
struct run_failure {
    char name[160], error[512];
};

struct run_group {
    char label[160]; // what sets it apart: "byol, tau 0.01"
    int *run;        // indices of its runs, by seed
    int n_runs;
};

struct run_set {
    struct run_info *runs;
    int n_runs, capacity;
    struct run_group *groups; // in the order of their first runs
    int n_groups;
    struct run_failure *failures;
    int n_failures;
};

// Each word is a run (its folder, or its name under runs/) or a folder of runs, such as a sweep's.
// each: every run is a group of its own. The set must be released also after a failure. RL_EUSAGE:
// nothing there.
RL_CHECKED enum rl_status run_set_read(struct run_set *set, const char *const *words, int n_words,
                                       bool each, struct rl_error *err);
void run_set_release(struct run_set *set);

// The runs of a group that statistics count: those that have ended; when none has, all of them.
// Into out (group->n_runs); returns how many.
int run_set_counted(const struct run_set *set, const struct run_group *group, int *out);

// Statistic over the counted runs' scores, 95% bootstrap interval. Runs without an evaluation are
// left out; NaN without any.
struct estimate run_set_score(const struct run_set *set, const struct run_group *group,
                              enum statistic statistic);

// Options whose values differ between groups, as "key" or "section.key", in the order of the
// configurations. value(s) by run_set_option. Returns the count; at most max.
struct option_name {
    char section[64], key[64];
};
int run_set_differences(const struct run_set *set, struct option_name *out, int max);
// The value in a group's configuration, or "" where it does not have the option.
const char *run_set_option(const struct run_set *set, const struct run_group *group,
                           const struct option_name *name);

// A figure of a group over frames, steps, updates or wall_s: at each x the statistic over the seeds
// that have come so far (values between their rows by linear interpolation). It goes on as long as
// half of the counted runs do.
struct curve {
    double *x;
    struct estimate *y; // low and high NaN where only one seed is
    int count;
    int seeds; // counted runs that have the figure
};
// kind "": rows of the kind eval, and where those do not have the figure, of the kind train. A
// group without the figure gives an empty curve. At most CURVE_POINTS points.
enum { CURVE_POINTS = 160 };
RL_CHECKED enum rl_status run_set_curve(const struct run_set *set, const struct run_group *group,
                                        const char *kind, const char *key, const char *x_key,
                                        enum statistic statistic, struct curve *curve,
                                        struct rl_error *err);
void curve_release(struct curve *curve);
