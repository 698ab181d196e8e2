// What frozen features are good for: nearest neighbours, a linear classifier, regression of states.
// Features are rows (n, d); nothing here changes the encoder that made them.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/real.h"

struct probe_set {
    int n, d;
    const real *x;    // (n, d)
    const int *label; // (n), below n_classes; NULL for regression
    const real *y;    // (n, m) targets of regression; NULL for classes
    int n_classes, m;
};

// Share of test rows classified right by the k nearest training rows by cosine, each voting with
// exp(cosine / temperature) (Wu et al. 2018; k 20 and temperature 0.07 are DINO's).
double probe_knn(const struct probe_set *train, const struct probe_set *test, int k,
                 double temperature, struct pool *pool);

// Share classified right by softmax regression on standardised features, Adam 1e-3, batches of 256.
RL_CHECKED enum rl_status probe_linear(const struct probe_set *train, const struct probe_set *test,
                                       int epochs, uint64_t seed, double *accuracy,
                                       struct rl_error *err);

// Ridge regression on standardised features; r2 (m): share of each target's variance on test that
// is explained (1 = all, below 0: worse than the mean). NaN for a target that does not vary.
void probe_regression(const struct probe_set *train, const struct probe_set *test, double ridge,
                      double *r2);
