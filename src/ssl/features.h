// Latents of many pictures under frozen weights: what probes look at.
#pragma once

#include "encoders/encoder.h"
#include "ssl/ssl.h"

// Rows (count, out_dim) into x: of the pictures begin, begin + 1, ... of a data set, or of the
// stacks that end at those entries of a replay.
RL_CHECKED enum rl_status features_encode(struct encoder *encoder, const struct ssl_source *source,
                                          int64_t begin, int64_t count, struct pool *pool, real *x,
                                          struct rl_error *err);

// Attention of the class token over the patches, mean over the heads: maps (count, tokens), each
// summing to 1 or less. Encoders with ops->attention only.
RL_CHECKED enum rl_status features_attention(struct encoder *encoder,
                                             const struct ssl_source *source, int64_t begin,
                                             int count, int tokens, real *maps,
                                             struct rl_error *err);

// The first two principal components of rows (n, d): plane (n, 2), each with unit deviation.
// share (2), unless NULL: the part of the variance along each.
void features_plane(const real *x, int n, int d, real *plane, double *share);
