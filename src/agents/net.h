// The networks of actors and critics: linear layers with ReLU between (and, where asked, layer norm
// before each ReLU), and DrQ-v2's trunk in front of wide features: linear, layer norm, tanh (Yarats
// 2021). Parameters are named as in torch.nn.Sequential: prefix.0, prefix.2, ...
#pragma once

#include "nn/layers.h"

struct net {
    struct linear layers[MLP_MAX_LAYERS];
    struct norm norms[MLP_MAX_LAYERS]; // of the hidden layers, when layer_norm
    int n_layers;
    bool layer_norm;
};

struct net_spec {
    int in, hidden, layers, out; // layers: hidden ones
    bool layer_norm;
    struct init init, last; // hidden layers, output layer
};

struct net net_add(struct params *params, const char *prefix, const struct net_spec *spec);
struct tensor *net(struct tape *tape, const struct params *params, const struct net *net,
                   struct tensor *x); // (B, in) -> (B, out), no activation at the end

struct trunk {
    struct linear linear;
    struct norm norm;
    int dim; // 0: no trunk, features pass unchanged
};

// dim 0 registers nothing.
struct trunk trunk_add(struct params *params, const char *prefix, int in, int dim,
                       struct init init);
struct tensor *trunk(struct tape *tape, const struct params *params, const struct trunk *trunk,
                     struct tensor *x);

// Bound on the reals of the tape's arena that one row takes forward and backward.
size_t net_row_reals(const struct net *net);
size_t trunk_row_reals(const struct trunk *trunk);
