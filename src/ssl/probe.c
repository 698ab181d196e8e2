#include "ssl/probe.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "math/gemm.h"
#include "math/linalg.h"
#include "nn/layers.h"
#include "nn/optimizer.h"

// --- nearest neighbours ---

static real *unit_rows(const struct probe_set *set) {
    real *rows = MEM_ARRAY(real, mem_size(set->n, set->d));
    for (int i = 0; i < set->n; i++) {
        const real *x = set->x + (size_t)i * set->d;
        double square = 0;
        for (int j = 0; j < set->d; j++) square += (double)x[j] * (double)x[j];
        double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (int j = 0; j < set->d; j++)
            rows[(size_t)i * set->d + j] = (real)((double)x[j] * scale);
    }
    return rows;
}

// Class with the largest vote of the k best; ties by order of the rows.
static int vote(const real *cosine, const struct probe_set *train, int k, double temperature,
                int *best, double *votes) {
    int count = 0;
    for (int i = 0; i < train->n; i++) {
        if (count == k && cosine[i] <= cosine[best[k - 1]]) continue;
        int at = count < k ? count++ : k - 1;
        for (; at > 0 && cosine[best[at - 1]] < cosine[i]; at--) best[at] = best[at - 1];
        best[at] = i;
    }
    memset(votes, 0, (size_t)train->n_classes * sizeof *votes);
    int winner = 0;
    for (int i = 0; i < count; i++)
        votes[train->label[best[i]]] += exp((double)cosine[best[i]] / temperature);
    for (int c = 1; c < train->n_classes; c++) winner = votes[c] > votes[winner] ? c : winner;
    return winner;
}

double probe_knn(const struct probe_set *train, const struct probe_set *test, int k,
                 double temperature, struct pool *pool) {
    const int block = 64;
    RL_ASSERT(train->d == test->d && train->label && test->label && k >= 1);
    real *from = unit_rows(train), *to = unit_rows(test);
    real *cosine = MEM_ARRAY(real, mem_size(block, train->n));
    int *best = MEM_ARRAY(int, k), right = 0;
    double *votes = MEM_ARRAY(double, train->n_classes);
    for (int begin = 0; begin < test->n; begin += block) {
        int rows = test->n - begin < block ? test->n - begin : block;
        gemm(pool, false, true, rows, train->n, train->d, 1, to + (size_t)begin * test->d, test->d,
             from, train->d, 0, cosine, train->n);
        for (int i = 0; i < rows; i++) {
            int winner = vote(cosine + (size_t)i * train->n, train, k, temperature, best, votes);
            right += winner == test->label[begin + i];
        }
    }
    mem_free(from);
    mem_free(to);
    mem_free(cosine);
    mem_free(best);
    mem_free(votes);
    return (double)right / test->n;
}

// --- standardised features, with a 1 at the end ---

// Mean and 1 / deviation (0 where nothing varies) of each column.
static void column_moments(const struct probe_set *set, double *mean, double *scale) {
    int d = set->d;
    for (int i = 0; i < set->n; i++)
        for (int j = 0; j < d; j++) mean[j] += (double)set->x[(size_t)i * d + j];
    for (int j = 0; j < d; j++) mean[j] /= set->n;
    for (int i = 0; i < set->n; i++) {
        for (int j = 0; j < d; j++) {
            double x = (double)set->x[(size_t)i * d + j] - mean[j];
            scale[j] += x * x;
        }
    }
    for (int j = 0; j < d; j++) scale[j] = scale[j] > 0 ? 1 / sqrt(scale[j] / set->n) : 0;
}

static real *standardized(const struct probe_set *train, const struct probe_set *set) {
    int d = train->d;
    real *rows = MEM_ARRAY(real, mem_size(set->n, d + 1));
    double *mean = MEM_ARRAY(double, d), *scale = MEM_ARRAY(double, d);
    column_moments(train, mean, scale);
    for (int i = 0; i < set->n; i++) {
        const real *x = set->x + (size_t)i * d;
        real *row = rows + (size_t)i * (d + 1);
        for (int j = 0; j < d; j++) row[j] = (real)(((double)x[j] - mean[j]) * scale[j]);
        row[d] = 1;
    }
    mem_free(mean);
    mem_free(scale);
    return rows;
}

// --- linear classifier ---

#define BATCH 256

static enum rl_status train_linear(const struct probe_set *train, const real *rows, int epochs,
                                   struct rng *rng, struct tape *tape, struct params *params,
                                   const struct linear *layer, struct rl_error *err) {
    struct optimizer optimizer;
    optimizer_init(&optimizer, params, optimizer_adam(1e-3));
    int batch = train->n < BATCH ? train->n : BATCH, d = train->d + 1, label[BATCH];
    real *x = MEM_ARRAY(real, batch * d);
    enum rl_status status = RL_OK;
    int64_t steps = (int64_t)epochs * train->n / batch;
    for (int64_t step = 0; step < steps && status == RL_OK; step++) {
        for (int i = 0; i < batch; i++) {
            uint32_t at = rng_below(rng, (uint32_t)train->n);
            memcpy(x + (size_t)i * d, rows + (size_t)at * d, (size_t)d * sizeof(real));
            label[i] = train->label[at];
        }
        tape_reset(tape);
        struct tensor *logits =
            linear(tape, params, layer, tape_input_2d(tape, x, batch, d), false);
        tape_backward(tape, op_cross_entropy(tape, logits, label));
        double scale = schedule_cosine(1, 0, steps, step);
        status = optimizer_step(&optimizer, NULL, scale, NULL, err);
    }
    mem_free(x);
    optimizer_release(&optimizer);
    return status;
}

static double linear_accuracy(const struct probe_set *test, const real *rows,
                              const struct params *params, int n_classes) {
    int d = test->d + 1, right = 0;
    real *scores = MEM_ARRAY(real, n_classes);
    for (int i = 0; i < test->n; i++) {
        gemm(NULL, false, true, 1, n_classes, d, 1, rows + (size_t)i * d, d, params->value, d, 0,
             scores, n_classes);
        int best = 0;
        for (int c = 1; c < n_classes; c++) best = scores[c] > scores[best] ? c : best;
        right += best == test->label[i];
    }
    mem_free(scores);
    return (double)right / test->n;
}

enum rl_status probe_linear(const struct probe_set *train, const struct probe_set *test, int epochs,
                            uint64_t seed, double *accuracy, struct rl_error *err) {
    RL_ASSERT(train->d == test->d && train->label && test->label);
    struct rng rng = rng_fork(seed, "probe");
    struct params params = {0};
    struct linear layer = linear_add(&params, "probe", train->d + 1, train->n_classes, false,
                                     (struct init){INIT_ZERO, 0});
    params_finish(&params, true, &rng);
    size_t bytes = (size_t)BATCH * 16 * (train->d + train->n_classes) * sizeof(real) + (1 << 20);
    struct tape *tape = tape_create(bytes, NULL, err);
    enum rl_status status = tape ? RL_OK : RL_ENOMEM;
    if (tape) {
        real *from = standardized(train, train), *to = standardized(train, test);
        status = train_linear(train, from, epochs, &rng, tape, &params, &layer, err);
        if (status == RL_OK) *accuracy = linear_accuracy(test, to, &params, train->n_classes);
        mem_free(from);
        mem_free(to);
    }
    tape_destroy(tape);
    params_release(&params);
    return status;
}

// --- regression ---

// Normal equations: a = X'X + ridge n I (the constant's column not shrunk), b = X'Y.
static void solve_ridge(const struct probe_set *train, const real *rows, double ridge, double *a,
                        double *b) {
    int d = train->d + 1, m = train->m;
    for (int i = 0; i < train->n; i++) {
        const real *x = rows + (size_t)i * d, *y = train->y + (size_t)i * m;
        for (int j = 0; j < d; j++) {
            double xj = (double)x[j];
            for (int k = 0; k <= j; k++) a[j * d + k] += xj * (double)x[k];
            for (int t = 0; t < m; t++) b[j * m + t] += xj * (double)y[t];
        }
    }
    for (int j = 0; j < d; j++) a[j * d + j] += ridge * train->n * (j + 1 < d) + 1e-9 * train->n;
    bool solved = linalg_solve(d, a, m, b);
    RL_ASSERT(solved); // positive definite by the terms just added
}

void probe_regression(const struct probe_set *train, const struct probe_set *test, double ridge,
                      double *r2) {
    RL_ASSERT(train->d == test->d && train->m == test->m && train->y && test->y);
    int d = train->d + 1, m = train->m;
    real *from = standardized(train, train), *to = standardized(train, test);
    double *a = MEM_ARRAY(double, d *d), *b = MEM_ARRAY(double, d *m);
    solve_ridge(train, from, ridge, a, b);
    for (int t = 0; t < m; t++) {
        double mean = 0, error = 0, total = 0;
        for (int i = 0; i < test->n; i++) mean += (double)test->y[(size_t)i * m + t] / test->n;
        for (int i = 0; i < test->n; i++) {
            double y = (double)test->y[(size_t)i * m + t], guess = 0;
            for (int j = 0; j < d; j++) guess += (double)to[(size_t)i * d + j] * b[j * m + t];
            error += (y - guess) * (y - guess);
            total += (y - mean) * (y - mean);
        }
        r2[t] = total > 1e-12 * test->n ? 1 - error / total : NAN;
    }
    mem_free(from);
    mem_free(to);
    mem_free(a);
    mem_free(b);
}
