// Statistics of few runs on several tasks, as the rliable package defines them: Agarwal, Schwarzer,
// Castro, Courville, Bellemare, "Deep Reinforcement Learning at the Edge of the Statistical
// Precipice", NeurIPS 2021. Names below are that paper's. With scores x[run][task]:
//   IQM                  mean of the middle half of all scores: with n scores sorted, those from
//                        floor(n/4) up to n - floor(n/4)
//   mean, median         of the tasks' means over runs
//   optimality gap       gap_target - mean of min(score, gap_target)
//   improvement          P(X > Y): share of the pairs (run of X, run of Y) that X wins, a tie
//   counts
//                        a half; mean over tasks (Mann and Whitney's U / pairs)
//   performance profile  share of all scores above tau, for each tau
// Intervals are percentiles of a stratified bootstrap: each task's runs are drawn with replacement
// from that task's runs, as many as there are. They follow from (scores, seed) alone: the same on
// every machine and in every order of calls.
//
// A missing run (a failed seed) is NaN: it is left out of its task, and nothing else changes.
// Without missing runs all figures are rliable's. Scores are in the caller's unit; to average over
// tasks they should be normalised (the control suite: return / 1000).
#pragma once

#include <stdint.h>

enum statistic {
    STATISTIC_IQM,
    STATISTIC_MEAN,
    STATISTIC_MEDIAN,
    STATISTIC_OPTIMALITY_GAP,
    STATISTIC_COUNT,
};
extern const char *const statistic_names[STATISTIC_COUNT + 1]; // "iqm", ..., NULL

struct scores {
    const double *value; // (runs, tasks), borrowed; finite, or NaN for a run that is missing
    int runs, tasks;
};

struct bootstrap {
    double confidence; // 0.95
    double gap_target; // of the optimality gap; 1 for normalised scores
    int64_t resamples; // 50000 in rliable
    uint64_t seed;
};
extern const struct bootstrap bootstrap_default; // 0.95, 1, 50000, 0

struct estimate {
    double value;
    // Interval. NaN when no task has two runs: nothing is known of the spread. The bootstrap of
    // two or three runs is narrower than the truth, whatever the method.
    double low, high;
};

int scores_count(const struct scores *scores); // runs that are not missing, over all tasks

// NaN when a task has no run at all (iqm: when there is no run at all).
struct estimate statistics_estimate(enum statistic statistic, const struct scores *scores,
                                    const struct bootstrap *bootstrap);

// The value without its interval: cheap.
double statistics_value(enum statistic statistic, const struct scores *scores, double gap_target);

// P(x > y); both with the same tasks.
struct estimate statistics_improvement(const struct scores *x, const struct scores *y,
                                       const struct bootstrap *bootstrap);

// profile[i] for tau[i], i < count. Intervals are pointwise.
void statistics_profile(const struct scores *scores, const double *tau, int count,
                        const struct bootstrap *bootstrap, struct estimate *profile);
