// Training a density model on rows in memory: epochs in a random order, validation after each, the
// best weights kept.
#pragma once

#include "density/density.h"

struct density_data {
    int64_t n;
    const uint8_t *x; // (n, D), 0 or 1
    const int *label; // (n); NULL for a model without classes
};

struct density_fit_options {
    int64_t epochs, batch; // batch <= density->spec.batch
    double time_limit;     // seconds of wall time, 0 = none; checked after each step
    double final_lr;       // share of the rate that is left at the end (cosine)
};

struct density_fit_state {
    int64_t epoch, epochs, steps, total_steps;
    double train_nll; // mean over the epoch so far
    double valid_nll; // of the last validation, NaN before the first
    double best_nll;
    int64_t best_epoch;
};

// Mean of -log p(x), or with classes of -log p(x, y): what training lowers. n > 0.
double density_mean_nll(struct density *density, const struct density_data *data);

// on_progress (may be NULL) is called after every step and every validation. *stop (stop may be
// NULL) not 0 ends early, with the best weights so far. valid->n may be 0: then the last weights
// stay.
RL_CHECKED enum rl_status density_fit(
    struct density *density, const struct density_data *train, const struct density_data *valid,
    const struct density_fit_options *options,
    void (*on_progress)(void *context, const struct density_fit_state *), void *context,
    const volatile int *stop, struct density_fit_state *result, struct rl_error *err);

// Multinomial logistic regression on the same rows (Adam, cosine rate): the share of test rows
// whose class it names. What a classifier by Bayes is held against.
RL_CHECKED enum rl_status density_regression_accuracy(const struct density_data *train,
                                                      const struct density_data *test, int d,
                                                      int classes, int64_t epochs, uint64_t seed,
                                                      struct pool *pool, double *accuracy,
                                                      struct rl_error *err);
