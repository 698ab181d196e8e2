// Pretext tasks: each picture is changed in one of several ways, and the latents must tell which.
#pragma once

#include "ssl/method.h"

struct pretext {
    int classes;
    uint8_t *pixels; // (batch, H, W, C)
    int *label;
    struct mlp head;
};

// Writes the picture in (H, W, C) changed in way `label`.
typedef void (*pretext_change_fn)(const struct ssl *ssl, const uint8_t *in, int label,
                                  uint8_t *out);

void pretext_create(struct pretext *pretext, struct ssl *ssl, int classes);
void pretext_release(struct pretext *pretext);
// Draws labels, changes the anchors, classifies. Adds "accuracy".
struct tensor *pretext_loss(struct pretext *pretext, struct ssl *ssl, const struct ssl_batch *batch,
                            pretext_change_fn change, struct metrics *metrics);
