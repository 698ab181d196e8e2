// Draws batches and makes their views, in buffers that are taken once. Random draws happen first,
// in order, from one stream; the pixels are then made on the pool.
#pragma once

#include "base/pool.h"
#include "ssl/ssl.h"
#include "ssl/views.h"

struct sample_spec {
    int dim[3];       // H, W, C of a stack
    int n_global;     // anchor and positives
    bool sequence;    // positives are the moments 1, 2, ... steps ahead; otherwise span ahead
    int n_local;      // local crops of the anchor
    bool next_view;   // a last view: the moment after the anchor (when no positive shows it)
    int action_dim;   // 0: images
    int span;         // steps between anchor and what follows it: at least 1
    bool conditioned; // batch.actions is given
    struct ssl_options options;
};

struct sampler {
    struct sample_spec spec;
    int n_views;
    struct ssl_batch batch;
    real *actions; // (n, span * action_dim), zero after an episode's end
    real *rewards; // (n): sum over the span
    // private
    uint8_t *pixels, *scratch;
    int64_t *entries; // (n, n_views): replay entry or image
    int64_t *index;
    real *valid;
    struct view_plan *plans; // (n, n_views)
    const struct ssl_source *source;
};

RL_CHECKED enum rl_status sampler_create(struct sampler *sampler, const struct sample_spec *spec,
                                         struct rl_error *err);
void sampler_release(struct sampler *sampler);
// Fills sampler->batch, actions and rewards.
void sampler_draw(struct sampler *sampler, const struct ssl_source *source, struct rng *rng,
                  struct pool *pool);
