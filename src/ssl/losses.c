#include "ssl/losses.h"

#include <math.h>
#include <string.h>

#define NORM_EPS 1e-12

struct tensor *loss_unit(struct tape *tape, struct tensor *x) {
    return op_l2_normalize(tape, x, NORM_EPS);
}

// A constant of the tape's arena, unset.
static struct tensor *constant(struct tape *tape, int rows, int columns) {
    return tape_new(tape, 2, (int[]){rows, columns}, false);
}

// (rows, columns) of `other`, with `same` where row / row_group == column / column_group.
static struct tensor *blocks(struct tape *tape, int rows, int columns, int row_group,
                             int column_group, double same, double other) {
    struct tensor *mask = constant(tape, rows, columns);
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            bool own = i / row_group == j / column_group;
            mask->data[(size_t)i * columns + j] = (real)(own ? same : other);
        }
    }
    return mask;
}

static struct tensor *sum_of(struct tape *tape, struct tensor *total, struct tensor *term) {
    return total ? op_add(tape, total, term) : term;
}

// --- regression ---

struct tensor *loss_regression_rows(struct tape *tape, struct tensor *p, struct tensor *z) {
    struct tensor *difference = op_sub(tape, loss_unit(tape, p), loss_unit(tape, z));
    return op_sum_columns(tape, op_square(tape, difference));
}

// Numbers of the rows that are marked, or of all when none is; returns how many.
static int marked_rows(int n, const real *marks, int *pick) {
    int count = 0;
    for (int i = 0; i < n; i++) {
        if (!marks || marks[i] != 0) pick[count++] = i;
    }
    if (count > 0) return count;
    for (int i = 0; i < n; i++) pick[i] = i;
    return n;
}

struct tensor *loss_mean_rows(struct tape *tape, struct tensor *rows, const real *valid) {
    int n = rows->dim[0], *pick = ARENA_ARRAY(tape_arena(tape), int, n);
    int count = marked_rows(n, valid, pick);
    return op_mean(tape, count < n ? op_gather_rows(tape, rows, pick, count) : rows);
}

struct tensor *loss_negative_cosine(struct tape *tape, struct tensor *p, struct tensor *z) {
    struct tensor *cosine = op_row_dot(tape, loss_unit(tape, p), loss_unit(tape, z));
    return op_affine(tape, op_mean(tape, cosine), -1, 0);
}

// --- contrast ---

struct tensor *loss_diagonal(struct tape *tape, struct tensor *scores, const real *rows) {
    int n = scores->dim[0], *label = ARENA_ARRAY(tape_arena(tape), int, n);
    int count = marked_rows(n, rows, label);
    if (count < n) scores = op_gather_rows(tape, scores, label, count);
    return op_cross_entropy(tape, scores, label);
}

double loss_accuracy(const struct tensor *scores) {
    int n = scores->dim[0], columns = scores->dim[1], right = 0;
    for (int i = 0; i < n; i++) {
        const real *row = scores->data + (size_t)i * columns;
        bool largest = true;
        for (int j = 0; j < columns; j++) largest = largest && (j == i || row[j] < row[i]);
        right += largest;
    }
    return (double)right / n;
}

struct tensor *loss_infonce(struct tape *tape, struct tensor *q, struct tensor *k,
                            double temperature) {
    struct tensor *scores = op_matmul(tape, q, false, k, true);
    return loss_diagonal(tape, op_affine(tape, scores, 1 / temperature, 0), NULL);
}

struct tensor *loss_bilinear_scores(struct tape *tape, struct tensor *a, struct tensor *w,
                                    struct tensor *k) {
    return op_matmul(tape, op_matmul(tape, a, false, w, false), false, k, true);
}

struct tensor *loss_ntxent(struct tape *tape, struct tensor *z1, struct tensor *z2,
                           double temperature) {
    int n = z1->dim[0], *label = ARENA_ARRAY(tape_arena(tape), int, 2 * n);
    struct tensor *z = loss_unit(tape, op_concat_rows(tape, z1, z2));
    struct tensor *scores = op_matmul(tape, z, false, z, true);
    scores = op_affine(tape, scores, 1 / temperature, 0);
    scores = op_add(tape, scores, blocks(tape, 2 * n, 2 * n, 1, 1, -1e9, 0)); // not itself
    for (int i = 0; i < 2 * n; i++) label[i] = (i + n) % (2 * n);
    return op_cross_entropy(tape, scores, label);
}

struct tensor *loss_queue(struct tape *tape, struct tensor *q, struct tensor *k, const real *queue,
                          int size, double temperature) {
    struct tensor *others = tape_input_2d(tape, queue, size, q->dim[1]);
    struct tensor *scores =
        op_concat(tape, op_row_dot(tape, q, k), op_matmul(tape, q, false, others, true));
    int *label = ARENA_ARRAY(tape_arena(tape), int, q->dim[0]);
    memset(label, 0, (size_t)q->dim[0] * sizeof *label);
    return op_cross_entropy(tape, op_affine(tape, scores, 1 / temperature, 0), label);
}

struct tensor *loss_margin(struct tape *tape, struct tensor *x1, struct tensor *x2, const real *y,
                           double margin) {
    int n = x1->dim[0];
    struct tensor *square = op_sum_columns(tape, op_square(tape, op_sub(tape, x1, x2)));
    // The distance's slope at 0 is not defined: keep away from it.
    struct tensor *distance = op_sqrt(tape, op_affine(tape, square, 1, NORM_EPS));
    struct tensor *gap = op_relu(tape, op_affine(tape, distance, -1, margin));
    struct tensor *other = tape_input_2d(tape, y, n, 1);
    struct tensor *similar = op_affine(tape, other, -1, 1);
    struct tensor *pairs =
        op_add(tape, op_mul(tape, similar, square), op_mul(tape, other, op_square(tape, gap)));
    return op_affine(tape, op_mean(tape, pairs), 0.5, 0);
}

// --- statistics of the batch ---

struct tensor *loss_correlation(struct tape *tape, struct tensor *z1, struct tensor *z2) {
    z1 = op_batch_norm(tape, z1, NULL, NULL, NULL, NULL, true, 0, 1e-5);
    z2 = op_batch_norm(tape, z2, NULL, NULL, NULL, NULL, true, 0, 1e-5);
    struct tensor *product = op_matmul(tape, z1, true, z2, false);
    return op_affine(tape, product, 1.0 / z1->dim[0], 0);
}

struct tensor *loss_barlow(struct tape *tape, struct tensor *correlation, double lambda) {
    int d = correlation->dim[0];
    struct tensor *error = op_sub(tape, correlation, blocks(tape, d, d, 1, 1, 1, 0));
    struct tensor *weight = blocks(tape, d, d, 1, 1, 1, lambda);
    return op_sum(tape, op_mul(tape, weight, op_square(tape, error)));
}

// Variance hinge and off-diagonal covariance of one branch.
static struct tensor *vicreg_branch(struct tape *tape, struct tensor *z,
                                    const struct loss_vicreg *weight) {
    int n = z->dim[0], d = z->dim[1];
    struct tensor *mean = op_affine(tape, op_mean_rows(tape, z), -1, 0);
    struct tensor *centred = op_add_row(tape, z, mean);
    struct tensor *variance = op_mean_rows(tape, op_square(tape, centred));
    variance = op_affine(tape, variance, (double)n / (n - 1), 1e-4);
    struct tensor *hinge = op_relu(tape, op_affine(tape, op_sqrt(tape, variance), -1, 1));
    struct tensor *covariance = op_matmul(tape, centred, true, centred, false);
    covariance = op_affine(tape, covariance, 1.0 / (n - 1), 0);
    covariance = op_mul(tape, covariance, blocks(tape, d, d, 1, 1, 0, 1));
    struct tensor *spread = op_affine(tape, op_mean(tape, hinge), weight->variance / 2, 0);
    struct tensor *overlap = op_sum(tape, op_square(tape, covariance));
    return op_add(tape, spread, op_affine(tape, overlap, weight->covariance / d, 0));
}

struct tensor *loss_vicreg(struct tape *tape, struct tensor *z1, struct tensor *z2,
                           const struct loss_vicreg *weight) {
    struct tensor *distance = op_mean(tape, op_square(tape, op_sub(tape, z1, z2)));
    struct tensor *total = op_affine(tape, distance, weight->invariance, 0);
    total = op_add(tape, total, vicreg_branch(tape, z1, weight));
    return op_add(tape, total, vicreg_branch(tape, z2, weight));
}

// --- assignments ---

struct tensor *loss_assignments(struct tape *tape, struct tensor *const *target, int n_targets,
                                struct tensor *const *student, int n_students, double temperature) {
    struct tensor *total = NULL;
    int pairs = 0;
    for (int j = 0; j < n_students; j++) {
        if (!student[j]) continue;
        struct tensor *scores = op_affine(tape, student[j], 1 / temperature, 0);
        for (int i = 0; i < n_targets; i++) {
            if (i == j || !target[i]) continue;
            total = sum_of(tape, total, op_soft_cross_entropy(tape, scores, target[i]));
            pairs++;
        }
    }
    RL_ASSERT(pairs > 0);
    return op_affine(tape, total, 1.0 / pairs, 0);
}

struct tensor *loss_sharpen(struct tape *tape, struct tensor *t, const real *center,
                            double temperature) {
    int n = t->dim[0], k = t->dim[1];
    struct tensor *shifted = constant(tape, n, k);
    for (int i = 0; i < n * k; i++)
        shifted->data[i] = (t->data[i] - center[i % k]) / (real)temperature;
    return op_softmax(tape, shifted);
}

void loss_center(const struct tensor *t, const real *center, double momentum, real *next) {
    int n = t->dim[0], k = t->dim[1];
    for (int j = 0; j < k; j++) {
        double sum = 0;
        for (int i = 0; i < n; i++) sum += (double)t->data[(size_t)i * k + j];
        next[j] = (real)(momentum * (double)center[j] + (1 - momentum) * sum / n);
    }
}

struct tensor *loss_sinkhorn(struct tape *tape, struct tensor *scores, double epsilon,
                             int iterations) {
    int n = scores->dim[0], k = scores->dim[1];
    struct tensor *codes = constant(tape, n, k);
    real *q = codes->data, *column = ARENA_ARRAY(tape_arena(tape), real, k);
    real largest = scores->data[0]; // taken away: small epsilon overflows exp otherwise
    for (size_t i = 1; i < scores->count; i++) {
        if (scores->data[i] > largest) largest = scores->data[i];
    }
    for (size_t i = 0; i < scores->count; i++)
        q[i] = (real)exp(((double)scores->data[i] - (double)largest) / epsilon);
    for (int step = 0; step < iterations; step++) {
        memset(column, 0, (size_t)k * sizeof *column);
        for (int i = 0; i < n * k; i++) column[i % k] += q[i];
        // A prototype that nobody scores (sum 0 after underflow) stays empty.
        for (int i = 0; i < n * k; i++) q[i] = column[i % k] > 0 ? q[i] / (column[i % k] * k) : 0;
        for (int i = 0; i < n; i++) {
            real sum = 0;
            for (int j = 0; j < k; j++) sum += q[i * k + j];
            for (int j = 0; j < k; j++) q[i * k + j] = sum > 0 ? q[i * k + j] / sum : 1 / (real)k;
        }
    }
    return codes;
}

// --- prediction in time ---

struct tensor *loss_cpc(struct tape *tape, struct tensor *const *z, struct tensor *const *c,
                        int steps, struct tensor *const *w, int horizon, bool everything) {
    int n = z[0]->dim[0];
    struct tensor *total = NULL, *all = NULL;
    for (int t = 0; everything && t < steps; t++)
        all = all ? op_concat_rows(tape, all, z[t]) : z[t];
    int terms = 0;
    for (int k = 1; k <= horizon; k++) {
        for (int t = 0; t + k < steps; t++) {
            struct tensor *guess = op_matmul(tape, c[t], false, w[k - 1], true);
            struct tensor *scores =
                op_matmul(tape, guess, false, everything ? all : z[t + k], true);
            int *label = ARENA_ARRAY(tape_arena(tape), int, n);
            for (int i = 0; i < n; i++) label[i] = everything ? (t + k) * n + i : i;
            total = sum_of(tape, total, op_cross_entropy(tape, scores, label));
            terms++;
        }
    }
    RL_ASSERT(terms > 0);
    return op_affine(tape, total, 1.0 / terms, 0);
}

// --- Deep InfoMax ---

// Scores of (picture i, place b of the global side) with its own picture's places: (B * M, L).
static struct tensor *own_scores(struct tape *tape, struct tensor *scores, int pictures) {
    int rows = scores->dim[0], places = scores->dim[1] / pictures, each = rows / pictures;
    int *pick = ARENA_ARRAY(tape_arena(tape), int, rows);
    for (int r = 0; r < rows; r++) pick[r] = r * pictures + r / each;
    struct tensor *split = op_reshape(tape, scores, 2, (int[]){rows * pictures, places});
    return op_gather_rows(tape, split, pick, rows);
}

static struct tensor *infomax_nce(struct tape *tape, struct tensor *scores, int pictures) {
    int rows = scores->dim[0], columns = scores->dim[1], places = columns / pictures,
        each = rows / pictures;
    struct tensor *own = own_scores(tape, scores, pictures);
    // As the official code has it, the own picture's scores stay among the negatives as -10.
    struct tensor *others = op_mul(tape, scores, blocks(tape, rows, columns, each, places, 0, 1));
    others = op_add(tape, others, blocks(tape, rows, columns, each, places, -10, 0));
    struct tensor *ones = blocks(tape, 1, places, 1, places, 1, 1);
    struct tensor *rest = op_matmul(tape, op_logsumexp(tape, others), false, ones, false);
    // -log(exp(own) / (exp(own) + exp(rest)))
    return op_mean(tape, op_softplus(tape, op_sub(tape, rest, own)));
}

struct tensor *loss_infomax(struct tape *tape, struct tensor *local, struct tensor *global,
                            int pictures, enum loss_measure measure, struct tensor **positive,
                            struct tensor **negative) {
    struct tensor *scores = op_matmul(tape, global, false, local, true);
    if (measure == LOSS_NCE) return infomax_nce(tape, scores, pictures);
    int rows = scores->dim[0], columns = scores->dim[1], places = columns / pictures,
        each = rows / pictures;
    double n_others = (double)rows * columns * (pictures - 1) / pictures;
    struct tensor *own = own_scores(tape, scores, pictures), *e_own, *e_other;
    if (measure == LOSS_JSD) {
        // log 2 - softplus(-u), and softplus(-u) + u - log 2 = softplus(u) - log 2
        struct tensor *soft = op_softplus(tape, op_affine(tape, own, -1, 0));
        e_own = op_affine(tape, op_mean(tape, soft), -1, M_LN2);
        struct tensor *mask = blocks(tape, rows, columns, each, places, 0, 1 / n_others);
        struct tensor *other = op_sum(tape, op_mul(tape, op_softplus(tape, scores), mask));
        e_other = op_affine(tape, other, 1, -M_LN2);
    } else { // log of the mean of exp(u)
        e_own = op_mean(tape, own);
        struct tensor *mask = blocks(tape, rows, columns, each, places, -1e9, 0);
        struct tensor *flat =
            op_reshape(tape, op_add(tape, scores, mask), 2, (int[]){1, rows * columns});
        e_other = op_reshape(tape, op_logsumexp(tape, flat), 1, (int[]){1});
        e_other = op_affine(tape, e_other, 1, -log(n_others));
    }
    if (positive) *positive = e_own;
    if (negative) *negative = e_other;
    return op_sub(tape, e_other, e_own);
}
