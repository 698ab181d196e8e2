#include "nn/layers.h"

#include <stdio.h>

#define MOMENTUM 0.1 // of batch norm's running statistics: torch's default

static int add(struct params *params, const char *prefix, const char *part, int ndim,
               const int *dim, struct init init, int fan_in, int fan_out) {
    char name[PARAM_NAME_BYTES];
    int length = snprintf(name, sizeof name, "%s.%s", prefix, part);
    RL_ASSERT(length > 0 && (size_t)length < sizeof name);
    return params_add(params, name, ndim, dim, init, fan_in, fan_out);
}

// Weights of all of torch's layers but the default one go with a zero bias in the papers that use
// them.
static int add_bias(struct params *params, const char *prefix, int size, struct init weight_init,
                    int fan_in) {
    struct init init = {weight_init.kind == INIT_FAN_IN ? INIT_FAN_IN : INIT_ZERO, 0};
    int id = add(params, prefix, "bias", 1, &size, init, fan_in, 0);
    params->items[id].no_decay = true;
    return id;
}

static struct tensor *param_or_null(struct tape *tape, const struct params *params, int id) {
    return id < 0 ? NULL : tape_param(tape, params, id);
}

struct linear linear_add(struct params *params, const char *prefix, int in, int out, bool bias,
                         struct init init) {
    struct linear layer = {.in = in, .out = out, .bias = -1};
    layer.weight = add(params, prefix, "weight", 2, (int[]){out, in}, init, in, out);
    if (bias) layer.bias = add_bias(params, prefix, out, init, in);
    return layer;
}

struct tensor *linear(struct tape *tape, const struct params *params, const struct linear *layer,
                      struct tensor *x, bool relu) {
    return op_linear(tape, x, tape_param(tape, params, layer->weight),
                     param_or_null(tape, params, layer->bias), relu);
}

struct conv conv_add(struct params *params, const char *prefix, int in_c, int out_c, int kernel,
                     int stride, int pad, struct init init) {
    struct conv layer = {
        .in_c = in_c, .out_c = out_c, .kernel = kernel, .stride = stride, .pad = pad};
    int spots = kernel * kernel;
    layer.weight = add(params, prefix, "weight", 4, (int[]){kernel, kernel, in_c, out_c}, init,
                       in_c * spots, out_c * spots);
    layer.bias = add_bias(params, prefix, out_c, init, in_c * spots);
    return layer;
}

struct tensor *conv(struct tape *tape, const struct params *params, const struct conv *layer,
                    struct tensor *x, bool relu) {
    return op_conv(tape, x, tape_param(tape, params, layer->weight),
                   param_or_null(tape, params, layer->bias), layer->stride, layer->pad, relu);
}

struct tensor *conv_u8(struct tape *tape, const struct params *params, const struct conv *layer,
                       const uint8_t *x, const int *dim, double scale, double shift, bool relu) {
    return op_conv_u8(tape, x, dim, scale, shift, tape_param(tape, params, layer->weight),
                      param_or_null(tape, params, layer->bias), layer->stride, layer->pad, relu);
}

static struct norm norm_add(struct params *params, const char *prefix, int size, bool affine) {
    struct norm layer = {.weight = -1,
                         .bias = -1,
                         .running_mean = -1,
                         .running_var = -1,
                         .size = size,
                         .groups = 1,
                         .eps = 1e-5};
    if (!affine) return layer;
    layer.weight = add(params, prefix, "weight", 1, &size, (struct init){INIT_ONE, 0}, 0, 0);
    layer.bias = add(params, prefix, "bias", 1, &size, (struct init){INIT_ZERO, 0}, 0, 0);
    params->items[layer.weight].no_decay = params->items[layer.bias].no_decay = true;
    return layer;
}

struct norm layer_norm_add(struct params *params, const char *prefix, int size) {
    return norm_add(params, prefix, size, true);
}

struct norm group_norm_add(struct params *params, const char *prefix, int size, int groups) {
    struct norm layer = norm_add(params, prefix, size, true);
    layer.groups = groups;
    return layer;
}

struct norm batch_norm_add(struct params *params, const char *prefix, int size, bool affine) {
    struct norm layer = norm_add(params, prefix, size, affine);
    char name[PARAM_NAME_BYTES];
    snprintf(name, sizeof name, "%s.running_mean", prefix);
    layer.running_mean = params_add_buffer(params, name, size, 0);
    snprintf(name, sizeof name, "%s.running_var", prefix);
    layer.running_var = params_add_buffer(params, name, size, 1);
    return layer;
}

struct tensor *layer_norm(struct tape *tape, const struct params *params, const struct norm *layer,
                          struct tensor *x) {
    return op_layer_norm(tape, x, param_or_null(tape, params, layer->weight),
                         param_or_null(tape, params, layer->bias), layer->eps);
}

struct tensor *group_norm(struct tape *tape, const struct params *params, const struct norm *layer,
                          struct tensor *x) {
    return op_group_norm(tape, x, layer->groups, param_or_null(tape, params, layer->weight),
                         param_or_null(tape, params, layer->bias), layer->eps);
}

struct tensor *batch_norm(struct tape *tape, const struct params *params, const struct norm *layer,
                          struct tensor *x, bool train) {
    real *mean = params->value + params->items[layer->running_mean].offset;
    real *var = params->value + params->items[layer->running_var].offset;
    return op_batch_norm(tape, x, param_or_null(tape, params, layer->weight),
                         param_or_null(tape, params, layer->bias), mean, var, train, MOMENTUM,
                         layer->eps);
}

struct mlp mlp_add(struct params *params, const char *prefix, int n_sizes, const int *sizes,
                   enum activation activation, struct init init) {
    RL_ASSERT(n_sizes >= 2 && n_sizes - 1 <= MLP_MAX_LAYERS);
    struct mlp net = {.n_layers = n_sizes - 1, .activation = activation};
    for (int i = 0; i < net.n_layers; i++) {
        char name[PARAM_NAME_BYTES];
        snprintf(name, sizeof name, "%s.%d", prefix, 2 * i); // activations take the odd places
        net.layers[i] = linear_add(params, name, sizes[i], sizes[i + 1], true, init);
    }
    return net;
}

struct tensor *mlp(struct tape *tape, const struct params *params, const struct mlp *net,
                   struct tensor *x) {
    for (int i = 0; i < net->n_layers; i++) {
        bool last = i + 1 == net->n_layers, relu = net->activation == ACTIVATION_RELU;
        x = linear(tape, params, &net->layers[i], x, relu && !last);
        if (!relu && !last) x = activate(tape, net->activation, x);
    }
    return x;
}

struct tensor *activate(struct tape *tape, enum activation activation, struct tensor *x) {
    switch (activation) {
    case ACTIVATION_RELU: return op_relu(tape, x);
    case ACTIVATION_ELU: return op_elu(tape, x);
    case ACTIVATION_SILU: return op_silu(tape, x);
    case ACTIVATION_GELU: return op_gelu(tape, x);
    case ACTIVATION_TANH: return op_tanh(tape, x);
    }
    RL_ASSERT(false);
    return NULL;
}
