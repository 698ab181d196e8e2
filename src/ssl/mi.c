#include "ssl/mi.h"

#include <math.h>

#include "ssl/losses.h"

double mi_gaussian(double correlation) {
    return -0.5 * log(1 - correlation * correlation);
}

// (n, n): same on the diagonal, other elsewhere.
static struct tensor *diagonal(struct tape *tape, int n, double same, double other) {
    struct tensor *mask = tape_new(tape, 2, (int[]){n, n}, false);
    for (int i = 0; i < n * n; i++) mask->data[i] = (real)(i % (n + 1) == 0 ? same : other);
    return mask;
}

static struct tensor *weighted_sum(struct tape *tape, struct tensor *x, struct tensor *weight) {
    return op_sum(tape, op_mul(tape, x, weight));
}

struct tensor *mi_bound(struct tape *tape, struct tensor *scores, enum mi_bound kind) {
    int n = scores->dim[0];
    RL_ASSERT(scores->ndim == 2 && scores->dim[1] == n && n > 1);
    double n_apart = (double)n * (n - 1);
    if (kind == MI_INFONCE) return op_affine(tape, loss_diagonal(tape, scores, NULL), -1, log(n));
    struct tensor *apart = diagonal(tape, n, 0, 1 / n_apart);
    struct tensor *together = diagonal(tape, n, 1.0 / n, 0);
    if (kind == MI_JSD) {
        struct tensor *own = op_softplus(tape, op_affine(tape, scores, -1, 0));
        struct tensor *cost = op_add(tape, weighted_sum(tape, own, together),
                                     weighted_sum(tape, op_softplus(tape, scores), apart));
        return op_affine(tape, cost, -1, 2 * M_LN2);
    }
    // The pairs drawn together are kept out of the exponentials by a large negative number.
    struct tensor *others = op_add(tape, scores, diagonal(tape, n, -1e9, 0));
    struct tensor *mean = weighted_sum(tape, scores, together), *cost;
    if (kind == MI_NWJ) {
        struct tensor *e = op_exp(tape, op_affine(tape, others, 1, -1));
        cost = op_affine(tape, op_sum(tape, e), 1 / n_apart, 0);
    } else {
        struct tensor *flat = op_reshape(tape, others, 2, (int[]){1, n * n});
        cost = op_reshape(tape, op_logsumexp(tape, flat), 1, (int[]){1});
        cost = op_affine(tape, cost, 1, -log(n_apart));
    }
    return op_sub(tape, mean, cost);
}
