// For observations that are vectors already: a multi-layer perceptron with ReLU.
#include "base/mem.h"
#include "encoders/latent.h"

struct mlp_options {
    int64_t hidden, layers;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct mlp_options, hidden, "256", 1, 65536, "units of each hidden layer"),
    OPT_ROW_INT(struct mlp_options, layers, "2", 1, MLP_MAX_LAYERS, "hidden layers"), OPT_END};

struct net {
    struct mlp layers;
    struct latent latent;
};

static enum rl_status create(struct encoder *encoder, struct rl_error *err) {
    (void)err;
    const struct mlp_options *options = encoder->options;
    struct net *net = encoder->net = MEM_NEW(struct net);
    int sizes[MLP_MAX_LAYERS + 1] = {encoder->spec.obs_dim};
    for (int i = 1; i <= options->layers; i++) sizes[i] = (int)options->hidden;
    net->layers = mlp_add(&encoder->params, "encoder.trunk", (int)options->layers + 1, sizes,
                          ACTIVATION_RELU, (struct init){INIT_ORTHOGONAL, RELU_GAIN});
    net->latent = latent_add(encoder, (int)options->hidden);
    return RL_OK;
}

static struct tensor *forward(struct encoder *encoder, struct tape *tape,
                              const struct params *params, const struct encoder_input *input) {
    const struct net *net = encoder->net;
    struct tensor *x = tape_input_2d(tape, input->rows, input->n, encoder->spec.obs_dim);
    x = op_relu(tape, mlp(tape, params, &net->layers, x));
    return latent(tape, params, &net->latent, x);
}

static size_t tape_bytes(const struct encoder *encoder, int n) {
    const struct mlp_options *options = encoder->options;
    return latent_tape_bytes(encoder, n) +
           2 * options->layers * latent_value_bytes((size_t)n * options->hidden);
}

const struct encoder_ops encoder_mlp = {
    .name = "mlp",
    .summary = "perceptron for vector observations",
    .opts = {"mlp", specs},
    .options_bytes = sizeof(struct mlp_options),
    .vector_input = true,
    .create = create,
    .forward = forward,
    .tape_bytes = tape_bytes,
};
