#include "nn/blocks.h"

#include <stdio.h>

#include "nn/op.h"

// "prefix.part" for the parts of a block; text has room for any parameter name.
static const char *join(char text[PARAM_NAME_BYTES], const char *prefix, const char *part) {
    int length = snprintf(text, PARAM_NAME_BYTES, "%s.%s", prefix, part);
    RL_ASSERT(length > 0 && length < PARAM_NAME_BYTES);
    return text;
}

struct attention attention_add(struct params *params, const char *prefix, int width, int heads,
                               struct init init) {
    RL_ASSERT(heads > 0 && width % heads == 0);
    char name[PARAM_NAME_BYTES];
    struct attention layer = {.heads = heads};
    layer.qkv = linear_add(params, join(name, prefix, "qkv"), width, 3 * width, true, init);
    layer.proj = linear_add(params, join(name, prefix, "proj"), width, width, true, init);
    return layer;
}

struct tensor *attention(struct tape *tape, const struct params *params,
                         const struct attention *layer, struct tensor *x, real *weights_out) {
    struct tensor *qkv = linear(tape, params, &layer->qkv, x, false);
    struct tensor *mixed = op_attention_qkv(tape, qkv, layer->heads, weights_out);
    return linear(tape, params, &layer->proj, mixed, false);
}

struct transformer transformer_add(struct params *params, const char *prefix, int width, int heads,
                                   int hidden, struct init init) {
    char name[PARAM_NAME_BYTES];
    struct transformer block;
    block.norm1 = layer_norm_add(params, join(name, prefix, "norm1"), width);
    block.attention = attention_add(params, join(name, prefix, "attn"), width, heads, init);
    block.norm2 = layer_norm_add(params, join(name, prefix, "norm2"), width);
    block.fc1 = linear_add(params, join(name, prefix, "mlp.fc1"), width, hidden, true, init);
    block.fc2 = linear_add(params, join(name, prefix, "mlp.fc2"), hidden, width, true, init);
    block.norm1.eps = block.norm2.eps = 1e-6;
    return block;
}

struct tensor *transformer(struct tape *tape, const struct params *params,
                           const struct transformer *block, struct tensor *x, real *weights_out) {
    struct tensor *h = layer_norm(tape, params, &block->norm1, x);
    x = op_add(tape, x, attention(tape, params, &block->attention, h, weights_out));
    h = layer_norm(tape, params, &block->norm2, x);
    h = op_gelu(tape, linear(tape, params, &block->fc1, h, false));
    return op_add(tape, x, linear(tape, params, &block->fc2, h, false));
}

struct tensor *tokens_embed(struct tape *tape, struct tensor *x, struct tensor *cls,
                            struct tensor *pos) {
    op_check(x->ndim == 3, "tokens_embed", x, NULL);
    int batch = x->dim[0], width = x->dim[2], tokens = x->dim[1] + (cls != NULL);
    op_check(pos->count == (size_t)tokens * (size_t)width, "tokens_embed", x, pos);
    struct tensor *flat = op_flatten(tape, x);
    if (cls) {
        op_check(cls->count == (size_t)width, "tokens_embed", x, cls);
        flat = op_concat(tape, op_repeat_row(tape, cls, batch), flat);
    }
    int flat_size = tokens * width;
    flat = op_add_row(tape, flat, op_reshape(tape, pos, 1, &flat_size));
    return op_reshape(tape, flat, 3, (int[]){batch, tokens, width});
}

struct tensor *tokens_pick(struct tape *tape, struct tensor *x, int index) {
    op_check(x->ndim == 3 && index >= 0 && index < x->dim[1], "tokens_pick", x, NULL);
    return op_columns(tape, op_flatten(tape, x), index * x->dim[2], x->dim[2]);
}

struct residual residual_add(struct params *params, const char *prefix, int channels,
                             struct init init) {
    char name[PARAM_NAME_BYTES];
    struct residual block;
    block.conv0 = conv_add(params, join(name, prefix, "conv0"), channels, channels, 3, 1, 1, init);
    block.conv1 = conv_add(params, join(name, prefix, "conv1"), channels, channels, 3, 1, 1, init);
    return block;
}

struct tensor *residual(struct tape *tape, const struct params *params,
                        const struct residual *block, struct tensor *x) {
    struct tensor *h = conv(tape, params, &block->conv0, op_relu(tape, x), true);
    return op_add(tape, x, conv(tape, params, &block->conv1, h, false));
}

struct impala_stage impala_stage_add(struct params *params, const char *prefix, int in_c, int out_c,
                                     struct init init) {
    char name[PARAM_NAME_BYTES];
    struct impala_stage stage;
    stage.conv = conv_add(params, join(name, prefix, "conv"), in_c, out_c, 3, 1, 1, init);
    stage.residuals[0] = residual_add(params, join(name, prefix, "res0"), out_c, init);
    stage.residuals[1] = residual_add(params, join(name, prefix, "res1"), out_c, init);
    return stage;
}

static struct tensor *pool_and_residuals(struct tape *tape, const struct params *params,
                                         const struct impala_stage *stage, struct tensor *x) {
    x = op_max_pool(tape, x, 3, 2, 1);
    for (int i = 0; i < 2; i++) x = residual(tape, params, &stage->residuals[i], x);
    return x;
}

struct tensor *impala_stage(struct tape *tape, const struct params *params,
                            const struct impala_stage *stage, struct tensor *x) {
    return pool_and_residuals(tape, params, stage, conv(tape, params, &stage->conv, x, false));
}

struct tensor *impala_stage_u8(struct tape *tape, const struct params *params,
                               const struct impala_stage *stage, const uint8_t *x, const int *dim,
                               double scale, double shift) {
    struct tensor *h = conv_u8(tape, params, &stage->conv, x, dim, scale, shift, false);
    return pool_and_residuals(tape, params, stage, h);
}
