// The losses of the methods as functions of embeddings: (B, D) rows unless said; all are scalars,
// means over the batch. What must carry no gradient (targets, keys, codes) comes detached from the
// caller.
#pragma once

#include "nn/ops.h"

struct tensor *loss_unit(struct tape *tape, struct tensor *x); // rows of length 1

// --- regression ---

// |n(p) - n(z)|^2 = 2 - 2 cos of each row: (B, 1). BYOL (Grill et al. 2020, eq. 2), SPR.
struct tensor *loss_regression_rows(struct tape *tape, struct tensor *p, struct tensor *z);
// Mean of rows (B, 1) over those not marked 0 (over all when none is marked 1).
struct tensor *loss_mean_rows(struct tape *tape, struct tensor *rows, const real *valid);
// -cos, the mean over rows: one half of SimSiam's loss (Chen and He 2021, eq. 1).
struct tensor *loss_negative_cosine(struct tape *tape, struct tensor *p, struct tensor *z);

// --- contrast ---

// Row i of the scores (B, B) should choose column i: cross-entropy (van den Oord et al. 2018, eq.
// 4). rows, unless NULL, marks with 0 the rows that do not count (all count when none is marked 1).
struct tensor *loss_diagonal(struct tape *tape, struct tensor *scores, const real *rows);
// Share of rows whose largest score is their own column's.
double loss_accuracy(const struct tensor *scores);
struct tensor *loss_infonce(struct tape *tape, struct tensor *q, struct tensor *k,
                            double temperature);
// a W k^T (CURL, ATC; their subtraction of the row maximum changes neither loss nor gradient).
struct tensor *loss_bilinear_scores(struct tape *tape, struct tensor *a, struct tensor *w,
                                    struct tensor *k);
// NT-Xent (Chen et al. 2020, eq. 1): 2 B anchors, each against the other view and 2 B - 2 others.
struct tensor *loss_ntxent(struct tape *tape, struct tensor *z1, struct tensor *z2,
                           double temperature);
// MoCo (He et al. 2020, eq. 1) for rows of length 1: the key against the queue's rows (size, D).
struct tensor *loss_queue(struct tape *tape, struct tensor *q, struct tensor *k, const real *queue,
                          int size, double temperature);
// Hadsell, Chopra and LeCun 2006, eq. 4: y (B) is 0 for similar pairs, 1 for others.
struct tensor *loss_margin(struct tape *tape, struct tensor *x1, struct tensor *x2, const real *y,
                           double margin);

// --- statistics of the batch ---

// Cross-correlation (D, D) of batch-normalised rows, and Zbontar et al. 2021, eq. 1 on it.
struct tensor *loss_correlation(struct tape *tape, struct tensor *z1, struct tensor *z2);
struct tensor *loss_barlow(struct tape *tape, struct tensor *correlation, double lambda);
// Bardes et al. 2022, eq. 6: weights of invariance, variance, covariance.
struct loss_vicreg {
    double invariance, variance, covariance;
};
struct tensor *loss_vicreg(struct tape *tape, struct tensor *z1, struct tensor *z2,
                           const struct loss_vicreg *weight);

// --- assignments ---

// Cross-entropy of every target against every student but the one of the same view; target[i] (B,
// K) sums to 1 over rows, student[j] (B, K) are scores. Mean over the pairs: DINO (Caron et al.
// 2021, eq. 3), and SwAV (Caron et al. 2020, eq. 2) on its scores with prototypes.
struct tensor *loss_assignments(struct tape *tape, struct tensor *const *target, int n_targets,
                                struct tensor *const *student, int n_students, double temperature);
// softmax((t - center) / temperature); center (K). No gradient.
struct tensor *loss_sharpen(struct tape *tape, struct tensor *t, const real *center,
                            double temperature);
// next (K) = momentum * center + (1 - momentum) * mean of t's rows; next may be center.
void loss_center(const struct tensor *t, const real *center, double momentum, real *next);
// Sinkhorn-Knopp codes of scores (B, K): exp(scores / epsilon) with columns made even and rows made
// 1, iterations times. No gradient.
struct tensor *loss_sinkhorn(struct tape *tape, struct tensor *scores, double epsilon,
                             int iterations);

// --- prediction in time ---

// CPC: z[t] (B, Dz), c[t] (B, Dc) for steps t, w[k - 1] (Dz, Dc). For each k >= 1 and t: w c[t]
// should choose its own z[t + k] among the batch's at that time, or among all B * steps latents
// (everything).
struct tensor *loss_cpc(struct tape *tape, struct tensor *const *z, struct tensor *const *c,
                        int steps, struct tensor *const *w, int horizon, bool everything);

// --- Deep InfoMax (Hjelm et al. 2019) ---

enum loss_measure { LOSS_JSD, LOSS_DV, LOSS_NCE };
// local (B * L, U) features of B pictures at L places, global (B * M, U): score = product. Minus
// the bound on the mutual information of pictures' local and global features. positive and
// negative, unless NULL, receive the two expectations (not of NCE).
struct tensor *loss_infomax(struct tape *tape, struct tensor *local, struct tensor *global,
                            int pictures, enum loss_measure measure, struct tensor **positive,
                            struct tensor **negative);
