// Projectors and predictors: linear layers with a norm and ReLU between.
#pragma once

#include "nn/layers.h"
#include "nn/ops.h"

#define HEAD_MAX_LAYERS 5

// HEAD_NORM_GROUP is group norm with standardised weights, which replaced batch norm in "BYOL works
// even without batch statistics" (Richemond et al. 2020).
enum head_norm { HEAD_NORM_NONE, HEAD_NORM_BATCH, HEAD_NORM_LAYER, HEAD_NORM_GROUP };
extern const char *const head_norm_names[]; // for OPT_CHOICE

struct head_spec {
    int n_sizes, sizes[HEAD_MAX_LAYERS + 1]; // in, hidden..., out
    enum head_norm norm;                     // after each hidden layer
    bool norm_last;                          // batch norm without affine part after the last layer
    bool last_bias;
    enum activation activation;
};

struct head {
    struct head_spec spec;
    struct linear linear[HEAD_MAX_LAYERS];
    struct norm norm[HEAD_MAX_LAYERS];
};

// n_layers linear layers: in, hidden, ..., out.
struct head_spec head_mlp(int n_layers, int in, int hidden, int out, enum head_norm norm);
struct head head_add(struct params *params, const char *prefix, const struct head_spec *spec);
// Batch norm uses the batch's own statistics.
struct tensor *head(struct tape *tape, const struct params *params, const struct head *layers,
                    struct tensor *x);
// The same by `groups` equal parts of the rows, each with batch statistics of its own, as on so
// many machines. order, unless NULL, puts the rows into another order first and back afterwards
// (MoCo's shuffled batch norm): a permutation of the rows that lives until the tape's reset.
struct tensor *head_in_groups(struct tape *tape, const struct params *params,
                              const struct head *layers, struct tensor *x, int groups,
                              const int *order);
