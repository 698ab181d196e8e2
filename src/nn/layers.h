// Layers: a struct of parameter ids, registered once (*_add), applied to any block of the same
// layout, so that online and target networks share one definition. Names become "prefix.weight",
// "prefix.bias", as in PyTorch's state dicts.
#pragma once

#include "nn/ops.h"

struct linear {
    int weight, bias; // ids; bias -1 for none
    int in, out;
};
struct linear linear_add(struct params *params, const char *prefix, int in, int out, bool bias,
                         struct init init);
struct tensor *linear(struct tape *tape, const struct params *params, const struct linear *layer,
                      struct tensor *x, bool relu);

struct conv {
    int weight, bias;
    int in_c, out_c, kernel, stride, pad;
};
struct conv conv_add(struct params *params, const char *prefix, int in_c, int out_c, int kernel,
                     int stride, int pad, struct init init);
struct tensor *conv(struct tape *tape, const struct params *params, const struct conv *layer,
                    struct tensor *x, bool relu);
struct tensor *conv_u8(struct tape *tape, const struct params *params, const struct conv *layer,
                       const uint8_t *x, const int *dim, double scale, double shift, bool relu);

struct norm {                      // layer, group or batch norm
    int weight, bias;              // -1: no affine part
    int running_mean, running_var; // batch norm only, else -1
    int size, groups;
    double eps; // 1e-5 (torch's default); change it after *_add where a network has another
};
struct norm layer_norm_add(struct params *params, const char *prefix, int size);
struct norm group_norm_add(struct params *params, const char *prefix, int size, int groups);
struct norm batch_norm_add(struct params *params, const char *prefix, int size, bool affine);
struct tensor *layer_norm(struct tape *tape, const struct params *params, const struct norm *layer,
                          struct tensor *x);
struct tensor *group_norm(struct tape *tape, const struct params *params, const struct norm *layer,
                          struct tensor *x);
struct tensor *batch_norm(struct tape *tape, const struct params *params, const struct norm *layer,
                          struct tensor *x, bool train);

// Linear layers with an activation between, none after the last.
enum activation {
    ACTIVATION_RELU,
    ACTIVATION_ELU,
    ACTIVATION_SILU,
    ACTIVATION_GELU,
    ACTIVATION_TANH
};
#define MLP_MAX_LAYERS 6
struct mlp {
    struct linear layers[MLP_MAX_LAYERS];
    int n_layers;
    enum activation activation;
};
// sizes: in, hidden..., out (n_sizes of them). Names: prefix.0, prefix.2, ... as
// torch.nn.Sequential.
struct mlp mlp_add(struct params *params, const char *prefix, int n_sizes, const int *sizes,
                   enum activation activation, struct init init);
struct tensor *mlp(struct tape *tape, const struct params *params, const struct mlp *net,
                   struct tensor *x);
struct tensor *activate(struct tape *tape, enum activation activation, struct tensor *x);
