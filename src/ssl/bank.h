// Stores of embeddings from earlier steps: the queue of MoCo (He et al. 2020) and the memory bank
// of instance discrimination (Wu et al. 2018) with its noise-contrastive and softmax losses.
#pragma once

#include "nn/ops.h"
#include "nn/state.h"

struct queue {
    real *rows; // (size, dim)
    int size, dim;
    int64_t at; // where the next row goes
};

// Random rows of length 1.
RL_CHECKED enum rl_status queue_create(struct queue *queue, int size, int dim, struct rng *rng,
                                       struct rl_error *err);
void queue_release(struct queue *queue);
void queue_push(struct queue *queue, const real *rows, int count);
void queue_visit(struct queue *queue, const char *name, struct state_visitor *visitor);

struct bank {
    real *rows; // (size, dim), one for each sample of the source
    int64_t size;
    int dim;
    double z; // NCE's partition constant, from the first batch; 0 = unset
};

// Rows uniform in +-1 / sqrt(dim / 3), as the official code.
RL_CHECKED enum rl_status bank_create(struct bank *bank, int64_t size, int dim, struct rng *rng,
                                      struct rl_error *err);
void bank_release(struct bank *bank);
void bank_visit(struct bank *bank, const char *name, struct state_visitor *visitor);

// index (n, count): positive[i] first, then uniform draws.
void bank_draw(const struct bank *bank, const int64_t *positive, int n, int count, struct rng *rng,
               int64_t *index);
// A copy of these rows, without gradient: (n, dim).
struct tensor *bank_rows(struct tape *tape, const struct bank *bank, const int64_t *index, int n);
// Rows index[i, j] of the bank dotted with x[i], over temperature: (B, count). Gradient to x only.
struct tensor *bank_scores(struct tape *tape, const struct bank *bank, struct tensor *x,
                           const int64_t *index, int count, double temperature);
// Noise-contrastive: column 0 of index (B, 1 + K) is the positive, the others are noise, uniform
// over the bank. p = exp(score) / z; -(log p0 / (p0 + K/N) + sum log (K/N) / (pk + K/N)).
struct tensor *bank_nce(struct tape *tape, struct bank *bank, struct tensor *x,
                        const int64_t *index, int count, double temperature);
// bank_nce of an embedding that knows nothing: p = 1 / N for the positive and all noise.
double bank_nce_chance(double noise);
// Cross-entropy of x's own row among all.
struct tensor *bank_softmax(struct tape *tape, const struct bank *bank, struct tensor *x,
                            const int64_t *index, double temperature);
// rows[index[i]] = normalise(momentum * row + (1 - momentum) * x[i]).
void bank_update(struct bank *bank, const real *x, const int64_t *index, int count,
                 double momentum);
