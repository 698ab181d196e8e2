#include "encoders/vit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define MLP_RATIO 4

struct vit_options {
    int64_t patch, width, depth, heads;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct vit_options, patch, "12", 1, 256, "side of a patch in pixels"),
    OPT_ROW_INT(struct vit_options, width, "96", 1, 4096, "width of a token"),
    OPT_ROW_INT(struct vit_options, depth, "4", 1, VIT_MAX_DEPTH, "blocks"),
    OPT_ROW_INT(struct vit_options, heads, "3", 1, 64, "attention heads; divides width"), OPT_END};

static struct linear add_linear(struct params *params, const char *prefix, const char *name, int in,
                                int out) {
    char full[PARAM_NAME_BYTES + 16];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    return linear_add(params, full, in, out, true, (struct init){INIT_TRUNC_NORMAL, 0.02});
}

static struct norm add_norm(struct params *params, const char *prefix, const char *name,
                            int width) {
    char full[PARAM_NAME_BYTES + 16];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    return layer_norm_add(params, full, width);
}

struct vit_stack vit_stack_add(struct params *params, const char *prefix, int depth, int width,
                               int heads) {
    struct vit_stack stack = {.depth = depth, .width = width, .heads = heads};
    for (int i = 0; i < depth; i++) {
        char name[PARAM_NAME_BYTES];
        snprintf(name, sizeof name, "%s.block%d", prefix, i);
        struct vit_block *block = &stack.blocks[i];
        block->norm1 = add_norm(params, name, "norm1", width);
        block->qkv = add_linear(params, name, "qkv", width, 3 * width);
        block->proj = add_linear(params, name, "proj", width, width);
        block->norm2 = add_norm(params, name, "norm2", width);
        block->fc1 = add_linear(params, name, "fc1", width, MLP_RATIO * width);
        block->fc2 = add_linear(params, name, "fc2", MLP_RATIO * width, width);
    }
    stack.norm = add_norm(params, prefix, "norm", width);
    return stack;
}

static struct tensor *attend(struct tape *tape, const struct params *params,
                             const struct vit_stack *stack, const struct vit_block *block,
                             struct tensor *x, int n, int tokens, real *weights) {
    int width = stack->width, dim[3] = {n, tokens, width};
    struct tensor *h = layer_norm(tape, params, &block->norm1, x);
    struct tensor *qkv = linear(tape, params, &block->qkv, h, false), *part[3];
    for (int i = 0; i < 3; i++)
        part[i] = op_reshape(tape, op_columns(tape, qkv, i * width, width), 3, dim);
    struct tensor *mixed = op_attention(tape, part[0], part[1], part[2], stack->heads, weights);
    int rows[2] = {n * tokens, width};
    return linear(tape, params, &block->proj, op_reshape(tape, mixed, 2, rows), false);
}

struct tensor *vit_stack(struct tape *tape, const struct params *params,
                         const struct vit_stack *stack, struct tensor *x, int n, int tokens,
                         real *last_weights) {
    for (int i = 0; i < stack->depth; i++) {
        const struct vit_block *block = &stack->blocks[i];
        real *weights = i == stack->depth - 1 ? last_weights : NULL;
        x = op_add(tape, x, attend(tape, params, stack, block, x, n, tokens, weights));
        struct tensor *h = layer_norm(tape, params, &block->norm2, x);
        h = op_gelu(tape, linear(tape, params, &block->fc1, h, false));
        x = op_add(tape, x, linear(tape, params, &block->fc2, h, false));
    }
    return layer_norm(tape, params, &stack->norm, x);
}

size_t vit_stack_tape_bytes(const struct vit_stack *stack, int n, int tokens) {
    // A block keeps, in widths: two norms, qkv and its parts, attention, proj, two sums, fc2, and
    // twice the hidden layer; and the attention weights.
    size_t rows = (size_t)n * tokens, widths = 12 + 2 * MLP_RATIO + 4;
    size_t block = latent_value_bytes(rows * widths * stack->width) +
                   latent_value_bytes((size_t)2 * n * stack->heads * tokens * tokens) + 20 * 1024;
    return (stack->depth + 1) * block;
}

static enum rl_status create(struct encoder *encoder, struct rl_error *err) {
    const struct vit_options *options = encoder->options;
    const int *in_dim = encoder->spec.in_dim;
    int patch = (int)options->patch, width = (int)options->width;
    if (in_dim[0] % patch || in_dim[1] % patch)
        return rl_fail(err, RL_EUSAGE, "vit.patch %d does not divide pictures of %d x %d", patch,
                       in_dim[0], in_dim[1]);
    if (width % options->heads)
        return rl_fail(err, RL_EUSAGE, "vit.heads %lld does not divide vit.width %d",
                       (long long)options->heads, width);
    struct params *params = &encoder->params;
    struct vit *vit = encoder->net = MEM_NEW(struct vit);
    vit->grid_h = in_dim[0] / patch;
    vit->grid_w = in_dim[1] / patch;
    vit->tokens = vit->grid_h * vit->grid_w;
    vit->patch = conv_add(params, "encoder.patch", in_dim[2], width, patch, patch, 0,
                          (struct init){INIT_XAVIER, 0});
    struct init init = {INIT_TRUNC_NORMAL, 0.02};
    vit->cls = params_add(params, "encoder.cls", 2, (int[]){1, width}, init, width, width);
    vit->pos =
        params_add(params, "encoder.pos", 2, (int[]){vit->tokens + 1, width}, init, width, width);
    vit->stack = vit_stack_add(params, "encoder", (int)options->depth, width, (int)options->heads);
    vit->latent = latent_add(encoder, width);
    return RL_OK;
}

// x (n, columns) + row (columns), both seen flat.
static struct tensor *add_to_each(struct tape *tape, struct tensor *x, struct tensor *row, int n) {
    int columns = (int)row->count;
    struct tensor *flat = op_reshape(tape, x, 2, (int[]){n, columns});
    return op_add_row(tape, flat, op_reshape(tape, row, 1, &columns));
}

struct tensor *vit_embed(const struct encoder *encoder, struct tape *tape,
                         const struct params *params, const struct encoder_input *input) {
    const struct vit *vit = encoder->net;
    const int *in_dim = encoder->spec.in_dim;
    int n = input->n, dim[4] = {n, in_dim[0], in_dim[1], in_dim[2]};
    struct tensor *x =
        conv_u8(tape, params, &vit->patch, input->pixels, dim, PIXEL_SCALE, PIXEL_SHIFT, false);
    struct tensor *pos = op_rows(tape, tape_param(tape, params, vit->pos), 1, vit->tokens);
    x = add_to_each(tape, x, pos, n);
    return op_reshape(tape, x, 2, (int[]){n * vit->tokens, vit->stack.width});
}

struct tensor *vit_run(const struct encoder *encoder, struct tape *tape,
                       const struct params *params, struct tensor *x, int n, int tokens,
                       real *last_weights) {
    const struct vit *vit = encoder->net;
    int width = vit->stack.width, *first = ARENA_ARRAY(tape_arena(tape), int, n);
    memset(first, 0, (size_t)n * sizeof *first);
    struct tensor *pos = op_rows(tape, tape_param(tape, params, vit->pos), 0, 1);
    struct tensor *cls = op_add(tape, tape_param(tape, params, vit->cls), pos);
    struct tensor *flat = op_reshape(tape, x, 2, (int[]){n, tokens * width});
    flat = op_concat(tape, op_gather_rows(tape, cls, first, n), flat);
    x = op_reshape(tape, flat, 2, (int[]){n * (tokens + 1), width});
    return vit_stack(tape, params, &vit->stack, x, n, tokens + 1, last_weights);
}

static struct tensor *class_rows(struct tape *tape, struct tensor *x, int n, int width) {
    int flat[2] = {n, (int)(x->count / n)};
    return op_columns(tape, op_reshape(tape, x, 2, flat), 0, width);
}

static struct tensor *forward(struct encoder *encoder, struct tape *tape,
                              const struct params *params, const struct encoder_input *input) {
    const struct vit *vit = encoder->net;
    struct tensor *x = vit_embed(encoder, tape, params, input);
    x = vit_run(encoder, tape, params, x, input->n, vit->tokens, NULL);
    return latent(tape, params, &vit->latent, class_rows(tape, x, input->n, vit->stack.width));
}

// Rows of the last block's attention that belong to the class token, without its weight on itself.
static struct tensor *attention(struct encoder *encoder, struct tape *tape,
                                const struct params *params, const struct encoder_input *input,
                                int *heads) {
    const struct vit *vit = encoder->net;
    int n = input->n, tokens = vit->tokens, all = tokens + 1;
    *heads = vit->stack.heads;
    real *weights = ARENA_ARRAY(tape_arena(tape), real, (size_t)n * *heads * all * all);
    struct tensor *x = vit_embed(encoder, tape, params, input);
    vit_run(encoder, tape, params, x, n, tokens, weights);
    struct tensor *maps = tape_new(tape, 2, (int[]){n, *heads * tokens}, false);
    for (int i = 0; i < n * *heads; i++) {
        memcpy(maps->data + (size_t)i * tokens, weights + (size_t)i * all * all + 1,
               (size_t)tokens * sizeof(real));
    }
    return maps;
}

const struct vit *vit_of(const struct encoder *encoder) {
    return encoder->ops == &encoder_vit ? encoder->net : NULL;
}

static size_t tape_bytes(const struct encoder *encoder, int n) {
    const struct vit *vit = encoder->net;
    const int *in_dim = encoder->spec.in_dim;
    struct conv_shape shape = {.batch = n,
                               .in_h = in_dim[0],
                               .in_w = in_dim[1],
                               .in_c = in_dim[2],
                               .out_c = vit->stack.width,
                               .kernel = vit->patch.kernel,
                               .stride = vit->patch.stride};
    return latent_tape_bytes(encoder, n) + 4 * latent_conv_bytes(&shape) +
           vit_stack_tape_bytes(&vit->stack, n, vit->tokens + 1);
}

static void destroy(struct encoder *encoder) {
    mem_free(encoder->net);
}

const struct encoder_ops encoder_vit = {
    .name = "vit",
    .summary = "small vision transformer: class token, attention maps",
    .opts = {"vit", specs},
    .options_bytes = sizeof(struct vit_options),
    .create = create,
    .forward = forward,
    .destroy = destroy,
    .attention = attention,
    .tape_bytes = tape_bytes,
};
