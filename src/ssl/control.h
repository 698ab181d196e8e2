// Optional heads for control, trained beside any method: inverse dynamics (Agrawal et al. 2016;
// SGI), reward and next-latent prediction. With temporal positives "next" is the positive and what
// lies between are all actions and the sum of rewards; otherwise it is one step ahead.
#pragma once

#include "ssl/method.h"
#include "ssl/sample.h"

struct control {
    struct mlp inverse, reward, forward;
    bool needs_next;
};

void control_create(struct control *control, struct ssl *ssl, int span);
// Weighted sum of the heads' losses, or NULL when all weights are 0. next: the view that shows what
// follows the anchor.
struct tensor *control_loss(const struct control *control, struct ssl *ssl,
                            const struct sampler *sampler, int next, struct metrics *metrics);
