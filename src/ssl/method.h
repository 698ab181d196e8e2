// What the driver offers to methods.
#pragma once

#include "ssl/heads.h"
#include "ssl/losses.h"
#include "ssl/ssl.h"

// True when the positive is another moment: predictions then go one way, from anchor to positive.
bool ssl_temporal(const struct ssl *ssl);

// Latents (n, out_dim) of a view: computed once a step, then remembered. The target's carry no
// gradient.
struct tensor *ssl_online(struct ssl *ssl, const struct ssl_batch *batch, int view);
struct tensor *ssl_target(struct ssl *ssl, const struct ssl_batch *batch, int view);

// The online encoder's features of a view before they are projected (encoder_ops.local), to be
// asked for before ssl_online of the same view, which then gives the latents of the same pass.
struct tensor *ssl_local(struct ssl *ssl, const struct ssl_batch *batch, int view);
// Online latents of the method's own pictures (n, H, W, C), which must live until the step ends.
struct tensor *ssl_encode_pixels(struct ssl *ssl, const struct ssl_batch *batch,
                                 const uint8_t *pixels);

// Latents of the anchor moved by the actions to where the positive is expected: z + MLP(z,
// actions); just the anchor's latents when predictors are not conditioned.
struct tensor *ssl_query(struct ssl *ssl, const struct ssl_batch *batch);

// head() on the momentum copy of the heads, without gradient.
struct tensor *ssl_target_head(struct ssl *ssl, const struct head *layers, struct tensor *x);

// The embedding (n, d) that the monitors look at in this step; the first call counts.
void ssl_watch(struct ssl *ssl, const struct tensor *embedding);

// x with the batch's actions beside it; x itself when predictors are not conditioned.
struct tensor *ssl_with_actions(struct ssl *ssl, const struct ssl_batch *batch, struct tensor *x);

// Momentum that rises from target_decay to 1 along a cosine over total_steps (BYOL, DINO, MoCo v3).
double ssl_cosine_decay(const struct ssl *ssl);
