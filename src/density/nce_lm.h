// A log-bilinear bigram model (Mnih and Teh 2012): the score of a word after another,
//   s(w | c) = r_c . q_w + b_w,   p(w | c) = exp s(w | c) / Z(c),
// trained by maximum likelihood (full softmax), by NCE (Z held at 1, so that the model learns to
// normalise itself) or by InfoNCE, NCE's k-way form (Z falls out). The noise is the unigram
// distribution of the training words.
#pragma once

#include <stdint.h>

#include "nn/optimizer.h"

enum nce_lm_loss { NCE_LM_SOFTMAX, NCE_LM_NCE, NCE_LM_INFONCE };
extern const char *const nce_lm_loss_names[]; // ends with NULL

struct nce_lm_spec {
    int vocabulary, dim;
    enum nce_lm_loss loss;
    int noise; // draws for each word
    int batch; // most words a step
    double lr;
    uint64_t seed;
};

struct nce_lm; // owns weights, optimizer, tape

// count (vocabulary): how often each word was seen; words never seen get no noise but half a count.
struct nce_lm *nce_lm_create(const struct nce_lm_spec *spec, const int64_t *count,
                             struct pool *pool, struct rl_error *err);
void nce_lm_destroy(struct nce_lm *lm);

// One step on n pairs (word before, word); *loss (may be NULL): mean before the step.
RL_CHECKED enum rl_status nce_lm_update(struct nce_lm *lm, int n, const int *before,
                                        const int *word, double lr_scale, double *loss,
                                        struct rl_error *err);
// out (vocabulary): log p(. | before), normalised; returns log Z(before).
double nce_lm_log_prob(const struct nce_lm *lm, int before, double *out);
// exp of the mean -log p over token (n), the first after the end of a line (0); log_z_mean and
// log_z_std (may be NULL): of log Z over those contexts.
double nce_lm_perplexity(const struct nce_lm *lm, const int *token, int64_t n, double *log_z_mean,
                         double *log_z_std);
