// The residual encoder of IMPALA (Espeholt et al. 2018, figure 3, right): three sections of a 3x3
// convolution, a 3x3 max pool of stride 2 and two residual blocks of two 3x3 convolutions.
#include <stdio.h>

#include "base/mem.h"
#include "encoders/latent.h"
#include "nn/blocks.h"

#define STAGES 3

struct impala_options {
    int64_t width;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct impala_options, width, "1", 1, 16, "multiplies the channels 16, 32, 32"),
    OPT_END};

struct impala {
    struct impala_stage stages[STAGES];
    int in_h[STAGES], in_w[STAGES]; // before the pool
    struct latent latent;
};

static enum rl_status create(struct encoder *encoder, struct rl_error *err) {
    static const int channels[STAGES] = {16, 32, 32};
    const struct impala_options *options = encoder->options;
    struct impala *impala = encoder->net = MEM_NEW(struct impala);
    const int *in_dim = encoder->spec.in_dim;
    int height = in_dim[0], width = in_dim[1], in_c = in_dim[2];
    if (height < 8 || width < 8)
        return rl_fail(err, RL_EUSAGE, "pictures of %d x %d are too small for encoder 'impala'",
                       height, width);
    for (int i = 0; i < STAGES; i++) {
        char name[32];
        snprintf(name, sizeof name, "encoder.stage%d", i);
        int out_c = channels[i] * (int)options->width;
        impala->in_h[i] = height;
        impala->in_w[i] = width;
        impala->stages[i] = impala_stage_add(&encoder->params, name, in_c, out_c,
                                             (struct init){INIT_ORTHOGONAL, RELU_GAIN});
        height = (height + 1) / 2; // pool 3, stride 2, pad 1
        width = (width + 1) / 2;
        in_c = out_c;
    }
    impala->latent = latent_add(encoder, height * width * in_c);
    return RL_OK;
}

// The map of features before it is flattened: (n, H / 8, W / 8, C).
static struct tensor *local(struct encoder *encoder, struct tape *tape, const struct params *params,
                            const struct encoder_input *input, struct tensor **latents) {
    const struct impala *impala = encoder->net;
    const int *in_dim = encoder->spec.in_dim;
    int dim[4] = {input->n, in_dim[0], in_dim[1], in_dim[2]};
    struct tensor *x = impala_stage_u8(tape, params, &impala->stages[0], input->pixels, dim,
                                       PIXEL_SCALE, PIXEL_SHIFT);
    for (int i = 1; i < STAGES; i++) x = impala_stage(tape, params, &impala->stages[i], x);
    x = op_relu(tape, x);
    *latents = latent(tape, params, &impala->latent, op_flatten(tape, x));
    return x;
}

static struct tensor *forward(struct encoder *encoder, struct tape *tape,
                              const struct params *params, const struct encoder_input *input) {
    struct tensor *latents;
    local(encoder, tape, params, input, &latents);
    return latents;
}

static size_t tape_bytes(const struct encoder *encoder, int n) {
    const struct impala *impala = encoder->net;
    size_t total = latent_tape_bytes(encoder, n);
    for (int i = 0; i < STAGES; i++) {
        struct conv_shape shape = {.batch = n,
                                   .in_h = impala->in_h[i],
                                   .in_w = impala->in_w[i],
                                   .in_c = impala->stages[i].conv.in_c,
                                   .out_c = impala->stages[i].conv.out_c,
                                   .kernel = 3,
                                   .stride = 1,
                                   .pad = 1};
        total += latent_conv_bytes(&shape);
        shape.in_h = (shape.in_h + 1) / 2;
        shape.in_w = (shape.in_w + 1) / 2;
        shape.in_c = shape.out_c;
        // pool (with its argmax), then relu, conv, conv, add for each block, and the last relu
        total += 11 * latent_conv_bytes(&shape);
    }
    return total;
}

const struct encoder_ops encoder_impala = {
    .name = "impala",
    .summary = "three residual sections with max pooling (IMPALA)",
    .opts = {"impala", specs},
    .options_bytes = sizeof(struct impala_options),
    .create = create,
    .forward = forward,
    .local = local,
    .tape_bytes = tape_bytes,
};
