// Vision transformer (Dosovitskiy et al. 2021): a picture is cut into square patches, each a token;
// a class token goes first; pre-norm blocks. Exposed for masked methods, which need the tokens.
#pragma once

#include "encoders/latent.h"
#include "nn/blocks.h"

#define VIT_MAX_DEPTH 24

// Blocks and the norm after the last: also the decoder of masked methods.
struct vit_stack {
    struct transformer blocks[VIT_MAX_DEPTH];
    struct norm norm;
    int depth, width, heads;
};

struct vit {
    struct conv patch; // kernel = stride = patch size
    int cls, pos;      // (1, width), (tokens + 1, width), the class token's position first
    int grid_h, grid_w, tokens;
    struct vit_stack stack;
    struct latent latent;
};

struct vit_stack vit_stack_add(struct params *params, const char *prefix, int depth, int width,
                               int heads);
// x (n, tokens, width) -> the same shape, normalised. last_weights (n, heads, tokens, tokens)
// receives the last block's attention unless NULL.
struct tensor *vit_stack(struct tape *tape, const struct params *params,
                         const struct vit_stack *stack, struct tensor *x, real *last_weights);
size_t vit_stack_tape_bytes(const struct vit_stack *stack, int n, int tokens);

extern const struct encoder_ops encoder_vit;
// NULL unless the encoder is a ViT.
const struct vit *vit_of(const struct encoder *encoder);
// Patch tokens with their positions: (n, tokens, width).
struct tensor *vit_embed(const struct encoder *encoder, struct tape *tape,
                         const struct params *params, const struct encoder_input *input);
// Puts the class token first and runs the blocks: x (n, tokens, width) -> (n, tokens + 1, width).
struct tensor *vit_run(const struct encoder *encoder, struct tape *tape,
                       const struct params *params, struct tensor *x, real *last_weights);
// Latents (n, out_dim) of what vit_run returned.
struct tensor *vit_latents(const struct encoder *encoder, struct tape *tape,
                           const struct params *params, struct tensor *x);
