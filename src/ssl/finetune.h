// Supervised learning with few labels, from pre-trained weights or from scratch: encoder and a new
// linear classifier learn together (cross-entropy, Adam, cosine rate).
#pragma once

#include "encoders/encoder.h"
#include "replay/dataset.h"

struct finetune_options {
    double share; // of each class's training labels, at least one
    int steps, batch;
    double lr, head_lr; // of the encoder, and of what is above it
    const char *heads;  // file of an SSL method's heads; NULL without kept layers
    int head_layers;    // layers of its "projector" kept below the classifier (SimCLR v2 keeps 1)
    uint64_t seed;      // which labels, and the order
};

// Accuracy on the data set's test part. encoder's weights are changed while it runs and put back. A
// kept batch norm uses the statistics of each batch, in the test too.
RL_CHECKED enum rl_status finetune(struct encoder *encoder, const struct dataset *set,
                                   const struct finetune_options *options, struct pool *pool,
                                   double *accuracy, struct rl_error *err);
