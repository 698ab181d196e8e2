#include "encoders/vit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define MLP_RATIO 4

enum summary { POOL_CLS, POOL_MEAN };
static const char *const pool_names[] = {"cls", "mean", NULL};

struct vit_options {
    int64_t patch, width, depth, heads;
    int pool;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct vit_options, patch, "12", 1, 256, "side of a patch in pixels"),
    OPT_ROW_INT(struct vit_options, width, "96", 1, 4096, "width of a token"),
    OPT_ROW_INT(struct vit_options, depth, "4", 1, VIT_MAX_DEPTH, "blocks"),
    OPT_ROW_INT(struct vit_options, heads, "3", 1, 64, "attention heads; divides width"),
    OPT_ROW_CHOICE(struct vit_options, pool, "cls", pool_names,
                   "latents from the class token or the patches' mean (better for mae)"),
    OPT_END};

struct vit_stack vit_stack_add(struct params *params, const char *prefix, int depth, int width,
                               int heads) {
    struct vit_stack stack = {.depth = depth, .width = width, .heads = heads};
    char name[PARAM_NAME_BYTES];
    for (int i = 0; i < depth; i++) {
        snprintf(name, sizeof name, "%s.blocks.%d", prefix, i);
        stack.blocks[i] = transformer_add(params, name, width, heads, MLP_RATIO * width,
                                          (struct init){INIT_TRUNC_NORMAL, 0.02});
    }
    snprintf(name, sizeof name, "%s.norm", prefix);
    stack.norm = layer_norm_add(params, name, width);
    return stack;
}

struct tensor *vit_stack(struct tape *tape, const struct params *params,
                         const struct vit_stack *stack, struct tensor *x, real *last_weights) {
    for (int i = 0; i < stack->depth; i++) {
        real *weights = i == stack->depth - 1 ? last_weights : NULL;
        x = transformer(tape, params, &stack->blocks[i], x, weights);
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
    vit->patch = conv_add(params, "encoder.patch_embed", in_dim[2], width, patch, patch, 0,
                          (struct init){INIT_XAVIER, 0});
    struct init init = {INIT_TRUNC_NORMAL, 0.02};
    vit->cls = params_add(params, "encoder.cls_token", 2, (int[]){1, width}, init, width, width);
    vit->pos = params_add(params, "encoder.pos_embed", 2, (int[]){vit->tokens + 1, width}, init,
                          width, width);
    vit->stack = vit_stack_add(params, "encoder", (int)options->depth, width, (int)options->heads);
    vit->latent = latent_add(encoder, width);
    return RL_OK;
}

struct tensor *vit_embed(const struct encoder *encoder, struct tape *tape,
                         const struct params *params, const struct encoder_input *input) {
    const struct vit *vit = encoder->net;
    const int *in_dim = encoder->spec.in_dim;
    int dim[4] = {input->n, in_dim[0], in_dim[1], in_dim[2]};
    struct tensor *x =
        conv_u8(tape, params, &vit->patch, input->pixels, dim, PIXEL_SCALE, PIXEL_SHIFT, false);
    x = op_reshape(tape, x, 3, (int[]){input->n, vit->tokens, vit->stack.width});
    struct tensor *pos = op_rows(tape, tape_param(tape, params, vit->pos), 1, vit->tokens);
    return tokens_embed(tape, x, NULL, pos);
}

struct tensor *vit_run(const struct encoder *encoder, struct tape *tape,
                       const struct params *params, struct tensor *x, real *last_weights) {
    const struct vit *vit = encoder->net;
    int n = x->dim[0], tokens = x->dim[1], width = vit->stack.width;
    int *first = ARENA_ARRAY(tape_arena(tape), int, n);
    memset(first, 0, (size_t)n * sizeof *first);
    struct tensor *pos = op_rows(tape, tape_param(tape, params, vit->pos), 0, 1);
    struct tensor *cls = op_add(tape, tape_param(tape, params, vit->cls), pos);
    struct tensor *flat = op_reshape(tape, x, 2, (int[]){n, tokens * width});
    flat = op_concat(tape, op_gather_rows(tape, cls, first, n), flat);
    x = op_reshape(tape, flat, 3, (int[]){n, tokens + 1, width});
    return vit_stack(tape, params, &vit->stack, x, last_weights);
}

struct tensor *vit_latents(const struct encoder *encoder, struct tape *tape,
                           const struct params *params, struct tensor *x) {
    const struct vit *vit = encoder->net;
    const struct vit_options *options = encoder->options;
    int n = x->dim[0], tokens = x->dim[1] - 1, width = x->dim[2];
    struct tensor *row = tokens_pick(tape, x, 0);
    if (options->pool == POOL_MEAN) {
        struct tensor *flat = op_reshape(tape, x, 2, (int[]){n, (tokens + 1) * width});
        flat = op_columns(tape, flat, width, tokens * width);
        row = op_mean_pool(tape, op_reshape(tape, flat, 4, (int[]){n, 1, tokens, width}));
    }
    return latent(tape, params, &vit->latent, row);
}

static struct tensor *local(struct encoder *encoder, struct tape *tape, const struct params *params,
                            const struct encoder_input *input, struct tensor **latents) {
    struct tensor *x =
        vit_run(encoder, tape, params, vit_embed(encoder, tape, params, input), NULL);
    *latents = vit_latents(encoder, tape, params, x);
    return x;
}

static struct tensor *forward(struct encoder *encoder, struct tape *tape,
                              const struct params *params, const struct encoder_input *input) {
    struct tensor *latents;
    local(encoder, tape, params, input, &latents);
    return latents;
}

// Rows of the last block's attention that belong to the class token, without its weight on itself.
static struct tensor *attention_maps(struct encoder *encoder, struct tape *tape,
                                     const struct params *params, const struct encoder_input *input,
                                     int *heads) {
    const struct vit *vit = encoder->net;
    int n = input->n, tokens = vit->tokens, all = tokens + 1;
    *heads = vit->stack.heads;
    real *weights = ARENA_ARRAY(tape_arena(tape), real, (size_t)n * *heads * all * all);
    vit_run(encoder, tape, params, vit_embed(encoder, tape, params, input), weights);
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

const struct encoder_ops encoder_vit = {
    .name = "vit",
    .summary = "small vision transformer: class token, attention maps",
    .opts = {"vit", specs},
    .options_bytes = sizeof(struct vit_options),
    .create = create,
    .forward = forward,
    .local = local,
    .attention = attention_maps,
    .tape_bytes = tape_bytes,
};
