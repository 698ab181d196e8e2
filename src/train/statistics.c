#include "train/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"

const char *const statistic_names[STATISTIC_COUNT + 1] = {"iqm", "mean", "median", "optimality_gap",
                                                          NULL};
const struct bootstrap bootstrap_default = {
    .confidence = 0.95, .gap_target = 1, .resamples = 50000};

// --- scores of a task side by side, without the missing ones
// --------------------------------------

struct sample {
    double *value; // of all tasks, one task after another
    int *begin;    // (tasks + 1): task t has begin[t] .. begin[t + 1]
    int tasks;
    double *sorted; // scratch of value's size
    double *means;  // scratch (tasks)
};

static struct sample sample_create(const struct scores *scores) {
    RL_ASSERT(scores->runs > 0 && scores->tasks > 0);
    struct sample sample = {
        .value = MEM_ARRAY(double, (size_t)scores->runs *(size_t)scores->tasks),
        .sorted = MEM_ARRAY(double, (size_t)scores->runs *(size_t)scores->tasks),
        .begin = MEM_ARRAY(int, scores->tasks + 1),
        .means = MEM_ARRAY(double, scores->tasks),
        .tasks = scores->tasks,
    };
    int count = 0;
    for (int task = 0; task < scores->tasks; task++) {
        sample.begin[task] = count;
        for (int run = 0; run < scores->runs; run++) {
            double value = scores->value[run * scores->tasks + task];
            if (!isnan(value)) sample.value[count++] = value;
        }
    }
    sample.begin[scores->tasks] = count;
    return sample;
}

static void sample_release(struct sample *sample) {
    mem_free(sample->value);
    mem_free(sample->begin);
    mem_free(sample->sorted);
    mem_free(sample->means);
}

// Draws into, which has from's shape: each task's runs with replacement.
static void resample(struct sample *into, const struct sample *from, struct rng *rng) {
    for (int task = 0; task < from->tasks; task++) {
        int begin = from->begin[task], end = from->begin[task + 1];
        for (int i = begin; i < end; i++)
            into->value[i] = from->value[begin + (int)rng_below(rng, (uint32_t)(end - begin))];
    }
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Few scores are the rule, and a bootstrap sorts them tens of thousands of times.
static void sort(double *value, int count) {
    if (count > 32) {
        qsort(value, (size_t)count, sizeof *value, compare_doubles);
        return;
    }
    for (int i = 1; i < count; i++) {
        double moved = value[i];
        int at = i;
        for (; at > 0 && value[at - 1] > moved; at--) value[at] = value[at - 1];
        value[at] = moved;
    }
}

static double mean_of(const double *value, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += value[i];
    return sum / count; // NaN for none
}

// --- the figures of one sample
// ---------------------------------------------------------------------

static double iqm_of(const struct sample *sample) {
    int count = sample->begin[sample->tasks], cut = count / 4;
    if (!count) return NAN;
    memcpy(sample->sorted, sample->value, (size_t)count * sizeof *sample->value);
    sort(sample->sorted, count);
    return mean_of(sample->sorted + cut, count - 2 * cut);
}

static double median_of_means(const struct sample *sample) {
    int n = sample->tasks;
    for (int task = 0; task < n; task++) {
        int begin = sample->begin[task];
        sample->means[task] = mean_of(sample->value + begin, sample->begin[task + 1] - begin);
        if (isnan(sample->means[task])) return NAN;
    }
    sort(sample->means, n);
    return (sample->means[(n - 1) / 2] + sample->means[n / 2]) / 2;
}

// Mean over tasks of the mean of min(score, cap): with an infinite cap the plain mean.
static double capped_mean(const struct sample *sample, double cap) {
    double sum = 0;
    for (int task = 0; task < sample->tasks; task++) {
        double task_sum = 0;
        int begin = sample->begin[task], end = sample->begin[task + 1];
        for (int i = begin; i < end; i++) task_sum += fmin(sample->value[i], cap);
        sum += task_sum / (end - begin);
    }
    return sum / sample->tasks;
}

static double value_of(enum statistic statistic, const struct sample *sample, double gap_target) {
    switch (statistic) {
    case STATISTIC_IQM: return iqm_of(sample);
    case STATISTIC_MEAN: return capped_mean(sample, INFINITY);
    case STATISTIC_MEDIAN: return median_of_means(sample);
    case STATISTIC_OPTIMALITY_GAP: return gap_target - capped_mean(sample, gap_target);
    case STATISTIC_COUNT: break;
    }
    RL_ASSERT(false);
    return NAN;
}

static double improvement_of(const struct sample *x, const struct sample *y) {
    double sum = 0;
    for (int task = 0; task < x->tasks; task++) {
        double won = 0;
        for (int i = x->begin[task]; i < x->begin[task + 1]; i++) {
            for (int j = y->begin[task]; j < y->begin[task + 1]; j++)
                won += x->value[i] > y->value[j] ? 1 : x->value[i] == y->value[j] ? 0.5 : 0;
        }
        double pairs = (double)(x->begin[task + 1] - x->begin[task]) *
                       (double)(y->begin[task + 1] - y->begin[task]);
        sum += won / pairs;
    }
    return sum / x->tasks;
}

// Share of the scores above tau: each task weighs the same, as its runs are equally many when none
// is missing.
static double share_above(const struct sample *sample, double tau) {
    double sum = 0;
    for (int task = 0; task < sample->tasks; task++) {
        int begin = sample->begin[task], end = sample->begin[task + 1], above = 0;
        for (int i = begin; i < end; i++) above += sample->value[i] > tau;
        sum += (double)above / (end - begin);
    }
    return sum / sample->tasks;
}

// --- intervals ---------------------------------------------------------------------------------

// Percentile with linear interpolation between the sorted values, numpy's default.
static double percentile(const double *sorted, int64_t count, double share) {
    double at = share * (double)(count - 1);
    int64_t below = (int64_t)at;
    if (below + 1 >= count) return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

static bool has_spread(const struct sample *sample) {
    for (int task = 0; task < sample->tasks; task++) {
        if (sample->begin[task + 1] - sample->begin[task] > 1) return true;
    }
    return false;
}

static void set_interval(struct estimate *estimate, double *drawn,
                         const struct bootstrap *bootstrap, bool known) {
    estimate->low = estimate->high = NAN;
    if (!known || isnan(estimate->value)) return;
    double tail = (1 - bootstrap->confidence) / 2;
    qsort(drawn, (size_t)bootstrap->resamples, sizeof *drawn, compare_doubles);
    estimate->low = percentile(drawn, bootstrap->resamples, tail);
    estimate->high = percentile(drawn, bootstrap->resamples, 1 - tail);
}

static void check(const struct bootstrap *bootstrap) {
    RL_ASSERT(bootstrap->resamples > 0);
    RL_ASSERT(bootstrap->confidence > 0 && bootstrap->confidence < 1);
}

int scores_count(const struct scores *scores) {
    int count = 0;
    for (int i = 0; i < scores->runs * scores->tasks; i++) count += !isnan(scores->value[i]);
    return count;
}

double statistics_value(enum statistic statistic, const struct scores *scores, double gap_target) {
    struct sample sample = sample_create(scores);
    double value = value_of(statistic, &sample, gap_target);
    sample_release(&sample);
    return value;
}

struct estimate statistics_estimate(enum statistic statistic, const struct scores *scores,
                                    const struct bootstrap *bootstrap) {
    check(bootstrap);
    struct sample sample = sample_create(scores), drawn = sample_create(scores);
    struct estimate estimate = {.value = value_of(statistic, &sample, bootstrap->gap_target)};
    double *values = MEM_ARRAY(double, bootstrap->resamples);
    struct rng rng = rng_fork(bootstrap->seed, "bootstrap");
    bool known = has_spread(&sample);
    for (int64_t i = 0; known && i < bootstrap->resamples; i++) {
        resample(&drawn, &sample, &rng);
        values[i] = value_of(statistic, &drawn, bootstrap->gap_target);
    }
    set_interval(&estimate, values, bootstrap, known);
    mem_free(values);
    sample_release(&sample);
    sample_release(&drawn);
    return estimate;
}

struct estimate statistics_improvement(const struct scores *x, const struct scores *y,
                                       const struct bootstrap *bootstrap) {
    check(bootstrap);
    RL_ASSERT(x->tasks == y->tasks);
    struct sample of[2] = {sample_create(x), sample_create(y)};
    struct sample drawn[2] = {sample_create(x), sample_create(y)};
    struct estimate estimate = {.value = improvement_of(&of[0], &of[1])};
    double *values = MEM_ARRAY(double, bootstrap->resamples);
    struct rng rng = rng_fork(bootstrap->seed, "bootstrap");
    bool known = has_spread(&of[0]) && has_spread(&of[1]);
    for (int64_t i = 0; known && i < bootstrap->resamples; i++) {
        for (int k = 0; k < 2; k++) resample(&drawn[k], &of[k], &rng);
        values[i] = improvement_of(&drawn[0], &drawn[1]);
    }
    set_interval(&estimate, values, bootstrap, known);
    mem_free(values);
    for (int k = 0; k < 2; k++) {
        sample_release(&of[k]);
        sample_release(&drawn[k]);
    }
    return estimate;
}

void statistics_profile(const struct scores *scores, const double *tau, int count,
                        const struct bootstrap *bootstrap, struct estimate *profile) {
    check(bootstrap);
    struct sample sample = sample_create(scores), drawn = sample_create(scores);
    size_t n = (size_t)bootstrap->resamples;
    double *values = MEM_ARRAY(double, mem_size(n, (size_t)count)); // (count, resamples)
    struct rng rng = rng_fork(bootstrap->seed, "bootstrap");
    bool known = has_spread(&sample);
    for (size_t i = 0; known && i < n; i++) {
        resample(&drawn, &sample, &rng);
        for (int k = 0; k < count; k++) values[(size_t)k * n + i] = share_above(&drawn, tau[k]);
    }
    for (int k = 0; k < count; k++) {
        profile[k].value = share_above(&sample, tau[k]);
        set_interval(&profile[k], values + (size_t)k * n, bootstrap, known);
    }
    mem_free(values);
    sample_release(&sample);
    sample_release(&drawn);
}
