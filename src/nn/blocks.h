// Blocks of several layers: self-attention and the transformer of ViT (Dosovitskiy 2021, pre-norm;
// names as timm's), the residual stages of IMPALA (Espeholt 2018).
#pragma once

#include "nn/layers.h"

struct attention { // names: prefix.qkv, prefix.proj
    struct linear qkv, proj;
    int heads;
};
struct attention attention_add(struct params *params, const char *prefix, int width, int heads,
                               struct init init);
// x (B, T, width); weights_out (B, heads, T, T) or NULL.
struct tensor *attention(struct tape *tape, const struct params *params,
                         const struct attention *layer, struct tensor *x, real *weights_out);

// x + attention(norm1(x)), then x + fc2(gelu(fc1(norm2(x)))). Names: prefix.norm1, prefix.attn.*,
// prefix.norm2, prefix.mlp.fc1, prefix.mlp.fc2. The norms' eps is 1e-6, as in ViT.
struct transformer {
    struct norm norm1, norm2;
    struct attention attention;
    struct linear fc1, fc2;
};
struct transformer transformer_add(struct params *params, const char *prefix, int width, int heads,
                                   int hidden, struct init init);
struct tensor *transformer(struct tape *tape, const struct params *params,
                           const struct transformer *block, struct tensor *x, real *weights_out);

// (B, T, D) with the row cls (D) put before each sample's tokens (cls NULL: as it is) and the
// positions pos (T or T + 1, D) added.
struct tensor *tokens_embed(struct tape *tape, struct tensor *x, struct tensor *cls,
                            struct tensor *pos);
// Token number index of each sample: (B, T, D) -> (B, D).
struct tensor *tokens_pick(struct tape *tape, struct tensor *x, int index);

// x + conv1(relu(conv0(relu(x)))), 3x3. Names: prefix.conv0, prefix.conv1.
struct residual {
    struct conv conv0, conv1;
};
struct residual residual_add(struct params *params, const char *prefix, int channels,
                             struct init init);
struct tensor *residual(struct tape *tape, const struct params *params,
                        const struct residual *block, struct tensor *x);

// Convolution 3x3, max pooling 3x3 with stride 2, two residual blocks. Names: prefix.conv,
// prefix.res0, prefix.res1.
struct impala_stage {
    struct conv conv;
    struct residual residuals[2];
};
struct impala_stage impala_stage_add(struct params *params, const char *prefix, int in_c, int out_c,
                                     struct init init);
struct tensor *impala_stage(struct tape *tape, const struct params *params,
                            const struct impala_stage *stage, struct tensor *x);
// The first stage of a network, on pixels.
struct tensor *impala_stage_u8(struct tape *tape, const struct params *params,
                               const struct impala_stage *stage, const uint8_t *x, const int *dim,
                               double scale, double shift);
