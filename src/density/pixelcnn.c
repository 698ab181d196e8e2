// PixelCNN (van den Oord et al. 2016): masked convolutions over the picture, so that a pixel's
// logit sees those above it and to its left. 7x7 mask A (without the pixel itself), residual blocks
// 1x1 2h->h, 3x3 mask B h->h, 1x1 h->2h, then two layers of 1x1. Each place adds a row
// of its own to the first layer's outputs (centred pictures are not the same everywhere), a label
// one for all places.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "density/density.h"
#include "math/gemm.h"
#include "nn/layers.h"

#define MAX_BLOCKS 15
#define FIRST      7 // kernel of the first layer

struct pixelcnn_options {
    int64_t channels, blocks;
};
static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct pixelcnn_options, channels, "16", 1, 256,
                "channels of the 3x3 layers; the others have twice as many"),
    OPT_ROW_INT(struct pixelcnn_options, blocks, "5", 0, MAX_BLOCKS, "residual blocks"),
    OPT_END,
};

struct pixelcnn {
    int h, blocks;
    int in_weight, place, label; // (7, 7, 1, 2h), (D, 2h), (2h, classes) or -1
    struct linear down[MAX_BLOCKS], up[MAX_BLOCKS], out[2];
    int conv_weight[MAX_BLOCKS], conv_bias[MAX_BLOCKS]; // (3, 3, h, h), (h)
    real *first_mask, *mask;
};

// (k, k, in, out): 1 above the middle and to its left, and in the middle itself when own.
static real *make_mask(int k, int in, int out, bool own) {
    real *mask = MEM_ARRAY(real, k * k * in * out);
    int open = k / 2 * k + k / 2 + own;
    for (int i = 0; i < open * in * out; i++) mask[i] = 1;
    return mask;
}

static void add_block(struct density *density, int i) {
    struct pixelcnn *net = density->state;
    struct params *params = &density->params;
    struct init spread = {INIT_FAN_IN, 0}, zero = {INIT_ZERO, 0};
    int h = net->h;
    char name[PARAM_NAME_BYTES];
    snprintf(name, sizeof name, "block%d.down", i);
    net->down[i] = linear_add(params, name, 2 * h, h, true, spread);
    snprintf(name, sizeof name, "block%d.conv.weight", i);
    net->conv_weight[i] = params_add(params, name, 4, (int[]){3, 3, h, h}, spread, 5 * h, 5 * h);
    snprintf(name, sizeof name, "block%d.conv.bias", i);
    net->conv_bias[i] = params_add(params, name, 1, &h, zero, 1, 1);
    snprintf(name, sizeof name, "block%d.up", i);
    net->up[i] = linear_add(params, name, h, 2 * h, true, spread);
}

static enum rl_status create(struct density *density, struct rl_error *err) {
    (void)err;
    struct pixelcnn *net = density->state;
    const struct pixelcnn_options *options = density->options;
    struct params *params = &density->params;
    struct init spread = {INIT_FAN_IN, 0}, zero = {INIT_ZERO, 0};
    int h = net->h = (int)options->channels, wide = 2 * h, classes = density->spec.classes;
    net->blocks = (int)options->blocks;
    int dim[4] = {FIRST, FIRST, 1, wide};
    net->in_weight = params_add(params, "in.weight", 4, dim, spread, FIRST * FIRST / 2, wide);
    net->place = params_add(params, "in.place", 2, (int[]){density->size, wide}, zero, 1, 1);
    for (int i = 0; i < net->blocks; i++) add_block(density, i);
    net->out[0] = linear_add(params, "out.0", wide, wide, true, spread);
    net->out[1] = linear_add(params, "out.1", wide, 1, true, spread);
    net->label =
        classes ? params_add(params, "in.label", 2, (int[]){wide, classes}, zero, classes, wide)
                : -1;
    net->first_mask = make_mask(FIRST, 1, wide, false);
    net->mask = make_mask(3, h, h, true);
    return RL_OK;
}

static void destroy(struct density *density) {
    struct pixelcnn *net = density->state;
    mem_free(net->first_mask);
    mem_free(net->mask);
}

static struct tensor *masked_conv(struct tape *tape, struct tensor *x, struct tensor *w,
                                  const real *mask, struct tensor *b, bool relu) {
    struct tensor *open = tape_input(tape, mask, w->ndim, w->dim);
    return op_conv(tape, x, op_mul(tape, w, open), b, 1, w->dim[0] / 2, relu);
}

// y's row for every pixel of its picture.
static struct tensor *spread_label(const struct density *density, struct tape *tape, int pixels,
                                   struct tensor *y) {
    const struct pixelcnn *net = density->state;
    int count = y->dim[0] * pixels, *row = ARENA_ARRAY(tape_arena(tape), int, count);
    for (int i = 0; i < count; i++) row[i] = i / pixels;
    struct tensor *own = tape_param(tape, &density->params, net->label);
    return op_gather_rows(tape, op_linear(tape, y, own, NULL, false), row, count);
}

static struct tensor *logits(struct density *density, struct tape *tape, int order,
                             struct tensor *x, struct tensor *y) {
    (void)order;
    const struct pixelcnn *net = density->state;
    const struct params *params = &density->params;
    int n = x->dim[0], height = density->spec.height, width = density->spec.width;
    int flat[2] = {n * height * width, 2 * net->h}, map[4] = {n, height, width, net->h};
    struct tensor *picture = op_reshape(tape, x, 4, (int[]){n, height, width, 1});
    struct tensor *h = masked_conv(tape, picture, tape_param(tape, params, net->in_weight),
                                   net->first_mask, NULL, false);
    int row = height * width * 2 * net->h;
    struct tensor *place = op_reshape(tape, tape_param(tape, params, net->place), 1, &row);
    h = op_add_row(tape, op_reshape(tape, h, 2, (int[]){n, row}), place);
    h = op_reshape(tape, h, 2, flat);
    if (y) h = op_add(tape, h, spread_label(density, tape, height * width, y));
    for (int i = 0; i < net->blocks; i++) {
        struct tensor *t = linear(tape, params, &net->down[i], op_relu(tape, h), true);
        t = masked_conv(tape, op_reshape(tape, t, 4, map),
                        tape_param(tape, params, net->conv_weight[i]), net->mask,
                        tape_param(tape, params, net->conv_bias[i]), true);
        t = op_reshape(tape, t, 2, (int[]){flat[0], net->h});
        h = op_add(tape, h, linear(tape, params, &net->up[i], t, false));
    }
    h = linear(tape, params, &net->out[0], op_relu(tape, h), true);
    h = linear(tape, params, &net->out[1], h, false);
    return op_reshape(tape, h, 2, (int[]){n, height * width});
}

static size_t tape_bytes(const struct density *density, int n) {
    const struct pixelcnn *net = density->state;
    size_t pixels = (size_t)n * (size_t)density->size, h = (size_t)net->h;
    // A block: relu 2h, down h, conv h, up 2h, sum 2h, with gradients; workspaces of convolutions.
    size_t numbers = pixels * h * (size_t)(16 * net->blocks + 24) + pixels * 16;
    return (numbers + (size_t)(net->blocks + 1) * 40 * h * h + ((size_t)1 << 20)) * sizeof(real) *
           2;
}

// --- one pixel at a time ---

// Inputs of the blocks' 3x3 layers at the pixels done: (blocks, n, pixels, h); scratch after them.
static size_t chain_bytes(const struct density *density, int n) {
    const struct pixelcnn *net = density->state;
    size_t done = (size_t)net->blocks * (size_t)density->size * (size_t)net->h;
    return (size_t)n * (done + 6 * (size_t)net->h) * sizeof(real);
}

static const real *value_of(const struct density *density, int id) {
    return density->params.value + density->params.items[id].offset;
}

static void relu(real *x, int count) {
    for (int i = 0; i < count; i++) x[i] = x[i] > 0 ? x[i] : 0;
}

// y (n, out) with rows ld apart = [y +] x (n, in) w' + b.
static void apply(const struct density *density, const struct linear *layer, int n, const real *x,
                  real *y, int ld, bool add) {
    const real *b = value_of(density, layer->bias);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < layer->out; j++)
            y[(size_t)i * ld + j] = b[j] + (add ? y[(size_t)i * ld + j] : 0);
    }
    gemm(NULL, false, true, n, layer->out, layer->in, 1, x, layer->in,
         value_of(density, layer->weight), layer->in, 1, y, ld);
}

// The first layer at one pixel: h (n, 2h).
static void first_layer(const struct density *density, const struct density_chain *chain, int row,
                        int column, real *h) {
    const struct pixelcnn *net = density->state;
    int height = density->spec.height, width = density->spec.width, wide = 2 * net->h;
    int classes = density->spec.classes;
    const real *w = value_of(density, net->in_weight), *b = value_of(density, net->place);
    b += (size_t)(row * width + column) * wide;
    for (int i = 0; i < chain->n; i++, h += wide) {
        const real *x = chain->x + (size_t)i * height * width;
        memcpy(h, b, (size_t)wide * sizeof *h);
        for (int tap = 0; tap < FIRST * FIRST / 2; tap++) {
            int r = row + tap / FIRST - FIRST / 2, c = column + tap % FIRST - FIRST / 2;
            if (r < 0 || c < 0 || c >= width || x[r * width + c] == 0) continue;
            for (int k = 0; k < wide; k++) h[k] += w[tap * wide + k];
        }
        for (int k = 0; chain->y && k < classes; k++) {
            if (chain->y[i * classes + k] == 0) continue;
            const real *own = value_of(density, net->label);
            for (int j = 0; j < wide; j++) h[j] += own[j * classes + k];
        }
    }
}

// One block's 3x3 layer at one pixel: y (n, h) from the inputs done (n, pixels, h).
static void masked_pixel(const struct density *density, int block, int n, const real *done, int row,
                         int column, real *y) {
    const struct pixelcnn *net = density->state;
    int h = net->h, width = density->spec.width;
    const real *w = value_of(density, net->conv_weight[block]);
    for (int i = 0; i < n; i++)
        memcpy(y + (size_t)i * h, value_of(density, net->conv_bias[block]), (size_t)h * sizeof *y);
    for (int tap = 0; tap < 5; tap++) {
        int r = row + tap / 3 - 1, c = column + tap % 3 - 1;
        if (r < 0 || c < 0 || c >= width) continue;
        gemm(NULL, false, false, n, h, h, 1, done + (size_t)(r * width + c) * h, density->size * h,
             w + (size_t)tap * h * h, h, 1, y, h);
    }
}

static void chain_logits(struct density *density, struct density_chain *chain, int step,
                         real *out) {
    const struct pixelcnn *net = density->state;
    int n = chain->n, h = net->h, width = density->spec.width;
    size_t each = (size_t)n * (size_t)density->size * (size_t)h;
    real *done = chain->state, *sum = done + (size_t)net->blocks * each;
    real *wide = sum + (size_t)n * 2 * h, *narrow = wide + (size_t)n * 2 * h;
    first_layer(density, chain, step / width, step % width, sum);
    for (int i = 0; i < net->blocks; i++, done += each) {
        memcpy(wide, sum, (size_t)n * 2 * h * sizeof *wide);
        relu(wide, n * 2 * h);
        apply(density, &net->down[i], n, wide, narrow, h, false);
        relu(narrow, n * h);
        for (int j = 0; j < n; j++)
            memcpy(done + ((size_t)j * density->size + step) * h, narrow + (size_t)j * h,
                   (size_t)h * sizeof *done);
        masked_pixel(density, i, n, done, step / width, step % width, narrow);
        relu(narrow, n * h);
        apply(density, &net->up[i], n, narrow, sum, 2 * h, true);
    }
    relu(sum, n * 2 * h);
    apply(density, &net->out[0], n, sum, wide, 2 * h, false);
    relu(wide, n * 2 * h);
    apply(density, &net->out[1], n, wide, out, 1, false);
}

const struct density_ops density_pixelcnn = {
    .name = "pixelcnn",
    .summary = "masked convolutions over a picture",
    .paper = "van den Oord et al. 2016",
    .opts = {"pixelcnn", specs},
    .options_bytes = sizeof(struct pixelcnn_options),
    .state_bytes = sizeof(struct pixelcnn),
    .create = create,
    .logits = logits,
    .tape_bytes = tape_bytes,
    .chain_logits = chain_logits,
    .chain_bytes = chain_bytes,
    .destroy = destroy,
};
