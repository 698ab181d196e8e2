// Pieces of autoregressive models of binary rows x (B, D), p(x) = prod_i p(x_i | x_<i), and
// noise-contrastive estimation.
#pragma once

#include "nn/ops.h"

// log p(x) of independent Bernoullis with these logits: (B, 1), nats.
struct tensor *density_log_likelihood(struct tape *tape, struct tensor *logits, struct tensor *x);

// MADE's masks (Germain et al. 2015, eq. 8-9): mask (n_out, n_in) is 1 where an input of that
// degree may reach an output of that degree: out >= in, for the output layer out > in.
void density_mask(int n_out, const int *out_degree, int n_in, const int *in_degree,
                  bool output_layer, real *mask);
// x (w * mask)^T + b.
struct tensor *density_masked_linear(struct tape *tape, struct tensor *x, struct tensor *w,
                                     const real *mask, struct tensor *b);

// Noise-contrastive estimation (Gutmann and Hyvaerinen 2010; Mnih and Teh 2012): scores of data (B,
// 1) and of K noise draws each (B, K), with the noise's log probabilities: (B, 1), to be averaged.
struct tensor *density_nce(struct tape *tape, struct tensor *data, struct tensor *noise,
                           struct tensor *data_log_noise, struct tensor *noise_log_noise);

// InfoNCE (van den Oord et al. 2018), NCE's k-way form, over the same arguments: -log of the chance
// that the datum is the one of the 1 + K draws that does not come from the noise, exp(score) /
// noise as the ratio: (B, 1). By Bayes P(i) is in proportion to p(w_i) / noise(w_i), so that scores
// are log p up to a constant of the context.
struct tensor *density_infonce(struct tape *tape, struct tensor *data, struct tensor *noise,
                               struct tensor *data_log_noise, struct tensor *noise_log_noise);
