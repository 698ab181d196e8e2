// The residual encoder of IMPALA (Espeholt et al. 2018, figure 3, right): three sections of a 3x3
// convolution, a 3x3 max pool of stride 2 and two residual blocks of two 3x3 convolutions.
#include <stdio.h>

#include "base/mem.h"
#include "encoders/latent.h"

#define SECTIONS 3
#define BLOCKS   2

struct impala_options {
    int64_t width;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct impala_options, width, "1", 1, 16, "multiplies the channels 16, 32, 32"),
    OPT_END};

struct section {
    struct conv first, blocks[BLOCKS][2];
    int in_h, in_w; // before the pool
};

struct impala {
    struct section sections[SECTIONS];
    struct latent latent;
};

static void add_section(struct params *params, struct section *section, int index, int in_c,
                        int out_c) {
    struct init init = {INIT_ORTHOGONAL, RELU_GAIN};
    char name[48];
    snprintf(name, sizeof name, "encoder.section%d.conv", index);
    section->first = conv_add(params, name, in_c, out_c, 3, 1, 1, init);
    for (int b = 0; b < BLOCKS; b++) {
        for (int c = 0; c < 2; c++) {
            snprintf(name, sizeof name, "encoder.section%d.block%d.conv%d", index, b, c);
            section->blocks[b][c] = conv_add(params, name, out_c, out_c, 3, 1, 1, init);
        }
    }
}

static enum rl_status create(struct encoder *encoder, struct rl_error *err) {
    static const int channels[SECTIONS] = {16, 32, 32};
    const struct impala_options *options = encoder->options;
    struct impala *impala = encoder->net = MEM_NEW(struct impala);
    const int *in_dim = encoder->spec.in_dim;
    int height = in_dim[0], width = in_dim[1], in_c = in_dim[2];
    if (height < 8 || width < 8)
        return rl_fail(err, RL_EUSAGE, "pictures of %d x %d are too small for encoder 'impala'",
                       height, width);
    for (int i = 0; i < SECTIONS; i++) {
        int out_c = channels[i] * (int)options->width;
        impala->sections[i].in_h = height;
        impala->sections[i].in_w = width;
        add_section(&encoder->params, &impala->sections[i], i, in_c, out_c);
        height = (height + 1) / 2; // pool 3, stride 2, pad 1
        width = (width + 1) / 2;
        in_c = out_c;
    }
    impala->latent = latent_add(encoder, height * width * in_c);
    return RL_OK;
}

static struct tensor *forward_section(struct tape *tape, const struct params *params,
                                      const struct section *section, struct tensor *x) {
    x = op_max_pool(tape, x, 3, 2, 1);
    for (int b = 0; b < BLOCKS; b++) {
        struct tensor *h = conv(tape, params, &section->blocks[b][0], op_relu(tape, x), true);
        x = op_add(tape, x, conv(tape, params, &section->blocks[b][1], h, false));
    }
    return x;
}

static struct tensor *forward(struct encoder *encoder, struct tape *tape,
                              const struct params *params, const struct encoder_input *input) {
    const struct impala *impala = encoder->net;
    const int *in_dim = encoder->spec.in_dim;
    int dim[4] = {input->n, in_dim[0], in_dim[1], in_dim[2]};
    struct tensor *x = conv_u8(tape, params, &impala->sections[0].first, input->pixels, dim,
                               PIXEL_SCALE, PIXEL_SHIFT, false);
    x = forward_section(tape, params, &impala->sections[0], x);
    for (int i = 1; i < SECTIONS; i++) {
        x = conv(tape, params, &impala->sections[i].first, x, false);
        x = forward_section(tape, params, &impala->sections[i], x);
    }
    return latent(tape, params, &impala->latent, op_flatten(tape, op_relu(tape, x)));
}

static size_t tape_bytes(const struct encoder *encoder, int n) {
    const struct impala *impala = encoder->net;
    size_t total = latent_tape_bytes(encoder, n);
    for (int i = 0; i < SECTIONS; i++) {
        const struct section *section = &impala->sections[i];
        struct conv_shape shape = {.batch = n,
                                   .in_h = section->in_h,
                                   .in_w = section->in_w,
                                   .in_c = section->first.in_c,
                                   .out_c = section->first.out_c,
                                   .kernel = 3,
                                   .stride = 1,
                                   .pad = 1};
        total += latent_conv_bytes(&shape);
        shape.in_h = (shape.in_h + 1) / 2;
        shape.in_w = (shape.in_w + 1) / 2;
        shape.in_c = shape.out_c;
        // pool (with its argmax), then relu, conv, conv, add for each block, and the last relu
        total += (3 + 4 * BLOCKS) * latent_conv_bytes(&shape);
    }
    return total;
}

static void destroy(struct encoder *encoder) {
    mem_free(encoder->net);
}

const struct encoder_ops encoder_impala = {
    .name = "impala",
    .summary = "three residual sections with max pooling (IMPALA)",
    .opts = {"impala", specs},
    .options_bytes = sizeof(struct impala_options),
    .create = create,
    .forward = forward,
    .destroy = destroy,
    .tape_bytes = tape_bytes,
};
