#include "agents/net.h"

#include <stdio.h>

struct net net_add(struct params *params, const char *prefix, const struct net_spec *spec) {
    RL_ASSERT(spec->layers >= 1 && spec->layers < MLP_MAX_LAYERS);
    struct net net = {.n_layers = spec->layers + 1, .layer_norm = spec->layer_norm};
    int stride = spec->layer_norm ? 3 : 2; // linear, (norm,) relu
    int in = spec->in;
    for (int i = 0; i < net.n_layers; i++) {
        bool last = i == spec->layers;
        int out = last ? spec->out : spec->hidden;
        char name[PARAM_NAME_BYTES];
        snprintf(name, sizeof name, "%s.%d", prefix, i * stride);
        net.layers[i] = linear_add(params, name, in, out, true, last ? spec->last : spec->init);
        if (!last && spec->layer_norm) {
            snprintf(name, sizeof name, "%s.%d", prefix, i * stride + 1);
            net.norms[i] = layer_norm_add(params, name, out);
        }
        in = out;
    }
    return net;
}

struct tensor *net(struct tape *tape, const struct params *params, const struct net *net,
                   struct tensor *x) {
    int last = net->n_layers - 1;
    for (int i = 0; i < last; i++) {
        x = linear(tape, params, &net->layers[i], x, !net->layer_norm);
        if (net->layer_norm) x = op_relu(tape, layer_norm(tape, params, &net->norms[i], x));
    }
    return linear(tape, params, &net->layers[last], x, false);
}

struct trunk trunk_add(struct params *params, const char *prefix, int in, int dim,
                       struct init init) {
    struct trunk trunk = {.dim = dim};
    if (dim == 0) return trunk;
    char name[PARAM_NAME_BYTES];
    snprintf(name, sizeof name, "%s.0", prefix);
    trunk.linear = linear_add(params, name, in, dim, true, init);
    snprintf(name, sizeof name, "%s.1", prefix);
    trunk.norm = layer_norm_add(params, name, dim);
    return trunk;
}

struct tensor *trunk(struct tape *tape, const struct params *params, const struct trunk *trunk,
                     struct tensor *x) {
    if (trunk->dim == 0) return x;
    x = linear(tape, params, &trunk->linear, x, false);
    return op_tanh(tape, layer_norm(tape, params, &trunk->norm, x));
}

size_t net_row_reals(const struct net *net) {
    // Each layer: output, its gradient and the masked gradient of the ReLU; a norm and its ReLU
    // take as much again.
    size_t each = net->layer_norm ? 9 : 3, sum = 0;
    for (int i = 0; i < net->n_layers; i++) sum += each * (size_t)net->layers[i].out + 8;
    return sum;
}

size_t trunk_row_reals(const struct trunk *trunk) {
    return 9 * (size_t)trunk->dim + 8;
}
