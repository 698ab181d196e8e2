// Masked autoencoder (He et al. 2022) on a ViT: the encoder sees a quarter of the patches, a small
// decoder predicts the pixels of the others. The class token reaches the decoder through the latent
// layer, which so learns too: latents are what other parts of the program use.
#include <math.h>

#include "base/mem.h"
#include "encoders/vit.h"
#include "ssl/method.h"
#include "ssl/patches.h"

struct mae_options {
    double ratio;
    bool norm_pix;
    int64_t width, depth, heads;
};

#define T struct mae_options
static const struct opt_spec specs[] = {
    OPT_ROW_REAL(T, ratio, "0.75", 0.01, 0.99, "share of the patches that is masked"),
    OPT_ROW_BOOL(T, norm_pix, "true", "predict each patch normalised by its mean and deviation"),
    OPT_ROW_INT(T, width, "64", 1, 4096, "width of the decoder (paper: 512)"),
    OPT_ROW_INT(T, depth, "2", 1, VIT_MAX_DEPTH, "blocks of the decoder (paper: 8)"),
    OPT_ROW_INT(T, heads, "2", 1, 64, "attention heads of the decoder; divides width"),
    OPT_END};
#undef T

struct mae {
    struct patches shape;
    int n_patches, keep;
    struct linear embed, embed_latent, predict;
    int mask_token; // (1, width)
    struct vit_stack decoder;
    real *positions; // (1 + patches, width)
    real *noise;     // (batch, patches)
    int *kept, *masked, *restore;
};

// Fixed sine-cosine positions in two dimensions: a quarter of the width each for sine and cosine of
// row and column; 0 for the class token.
static void fill_positions(real *out, int across, int count, int width) {
    int quarter = width / 4;
    for (int p = 0; p < count; p++) {
        real *row = out + (size_t)(p + 1) * width;
        for (int i = 0; i < quarter; i++) {
            double omega = pow(10000, -(double)i / quarter);
            int at[2] = {p / across, p % across};
            for (int axis = 0; axis < 2; axis++) {
                row[2 * axis * quarter + i] = (real)sin(at[axis] * omega);
                row[(2 * axis + 1) * quarter + i] = (real)cos(at[axis] * omega);
            }
        }
    }
}

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    const struct mae_options *options = ssl->options;
    struct mae *mae = ssl->state;
    const struct vit *vit = vit_of(ssl->encoder);
    const int *dim = ssl->encoder->spec.in_dim;
    int n = (int)ssl->common.batch, width = (int)options->width;
    if (width % options->heads)
        return rl_fail(err, RL_EUSAGE, "mae.heads %lld does not divide mae.width %d",
                       (long long)options->heads, width);
    mae->shape = (struct patches){n, dim[0], dim[1], dim[2], vit->patch.kernel};
    mae->n_patches = patches_count(&mae->shape);
    mae->keep = (int)(mae->n_patches * (1 - options->ratio));
    if (mae->keep < 1 || mae->keep == mae->n_patches)
        return rl_fail(err, RL_EUSAGE, "mae.ratio %g keeps %d of %d patches", options->ratio,
                       mae->keep, mae->n_patches);
    struct init init = {INIT_XAVIER, 0};
    mae->embed = linear_add(&ssl->heads, "decoder.embed", vit->stack.width, width, true, init);
    mae->embed_latent =
        linear_add(&ssl->heads, "decoder.embed_latent", ssl->encoder->out_dim, width, true, init);
    mae->mask_token = params_add(&ssl->heads, "decoder.mask_token", 2, (int[]){1, width},
                                 (struct init){INIT_NORMAL, 0.02}, width, width);
    mae->decoder =
        vit_stack_add(&ssl->heads, "decoder", (int)options->depth, width, (int)options->heads);
    int size = patches_size(&mae->shape);
    mae->predict = linear_add(&ssl->heads, "decoder.predict", width, size, true, init);
    mae->positions = MEM_ARRAY(real, (mae->n_patches + 1) * width);
    fill_positions(mae->positions, dim[1] / vit->patch.kernel, mae->n_patches, width);
    mae->noise = MEM_ARRAY(real, n * mae->n_patches);
    mae->kept = MEM_ARRAY(int, n * mae->n_patches);
    mae->masked = MEM_ARRAY(int, n * mae->n_patches);
    mae->restore = MEM_ARRAY(int, n *(mae->n_patches + 1));
    size_t rows = (size_t)n * (mae->n_patches + 1);
    ssl->extra_bytes = encoder_tape_bytes(ssl->encoder, n) +
                       vit_stack_tape_bytes(&mae->decoder, n, mae->n_patches + 1) +
                       16 * rows * (width + vit->stack.width + size) * sizeof(real);
    return RL_OK;
}

static void draw_mask(struct ssl *ssl, struct mae *mae, int n) {
    const struct mae_options *options = ssl->options;
    int count = mae->n_patches, keep = mae->keep;
    for (int i = 0; i < n * count; i++) mae->noise[i] = (real)rng_uniform(&ssl->rng);
    patches_mask(n, count, options->ratio, mae->noise, mae->kept, mae->masked);
    // Row numbers in the whole batch; where each of the decoder's tokens comes from: class tokens
    // first, then the kept patches, then the one mask token.
    int mask_row = n + n * keep;
    for (int i = 0; i < n; i++) {
        int *restore = mae->restore + (size_t)i * (count + 1);
        restore[0] = i;
        for (int p = 1; p <= count; p++) restore[p] = mask_row;
        for (int j = 0; j < keep; j++) {
            int *kept = &mae->kept[i * keep + j];
            restore[1 + *kept] = n + i * keep + j;
            *kept += i * count;
        }
    }
}

// Latents (n, out_dim) and kept patches (n * keep, width) after the encoder.
static struct tensor *encode(struct ssl *ssl, const struct ssl_batch *batch,
                             struct tensor **latents) {
    const struct mae *mae = ssl->state;
    const struct vit *vit = vit_of(ssl->encoder);
    const struct params *params = &ssl->encoder->params;
    struct tape *tape = ssl->tape;
    int n = batch->n, width = vit->stack.width;
    struct encoder_input input = {.n = n, .pixels = batch->view[0]};
    struct tensor *x = vit_embed(ssl->encoder, tape, params, &input);
    x = op_reshape(tape, x, 2, (int[]){n * mae->n_patches, width});
    x = op_gather_rows(tape, x, mae->kept, n * mae->keep);
    x = op_reshape(tape, x, 3, (int[]){n, mae->keep, width});
    x = vit_run(ssl->encoder, tape, params, x, NULL);
    *latents = vit_latents(ssl->encoder, tape, params, x);
    struct tensor *flat = op_reshape(tape, x, 2, (int[]){n, (mae->keep + 1) * width});
    flat = op_columns(tape, flat, width, mae->keep * width);
    return op_reshape(tape, flat, 2, (int[]){n * mae->keep, width});
}

// Predicted patches (n * masked, size).
static struct tensor *decode(struct ssl *ssl, struct tensor *latents, struct tensor *kept, int n) {
    const struct mae *mae = ssl->state;
    const struct params *heads = &ssl->heads;
    struct tape *tape = ssl->tape;
    int count = mae->n_patches, width = mae->decoder.width, n_masked = count - mae->keep;
    struct tensor *rows = linear(tape, heads, &mae->embed_latent, latents, false);
    rows = op_concat_rows(tape, rows, linear(tape, heads, &mae->embed, kept, false));
    rows = op_concat_rows(tape, rows, tape_param(tape, heads, mae->mask_token));
    rows = op_gather_rows(tape, rows, mae->restore, n * (count + 1));
    struct tensor *x = op_reshape(tape, rows, 3, (int[]){n, count + 1, width});
    x = tokens_embed(tape, x, NULL, tape_input_2d(tape, mae->positions, count + 1, width));
    x = vit_stack(tape, heads, &mae->decoder, x, NULL);
    int *pick = ARENA_ARRAY(tape_arena(tape), int, n *n_masked);
    for (int i = 0; i < n * n_masked; i++)
        pick[i] = i / n_masked * (count + 1) + 1 + mae->masked[i];
    rows = op_reshape(tape, x, 2, (int[]){n * (count + 1), width});
    rows = op_gather_rows(tape, rows, pick, n * n_masked);
    return linear(tape, heads, &mae->predict, rows, false);
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    const struct mae_options *options = ssl->options;
    struct mae *mae = ssl->state;
    struct tape *tape = ssl->tape;
    int n = batch->n, count = mae->n_patches, size = patches_size(&mae->shape);
    draw_mask(ssl, mae, n);
    struct tensor *latents, *kept = encode(ssl, batch, &latents);
    ssl_watch(ssl, latents);
    struct tensor *target = tape_new(tape, 2, (int[]){n * count, size}, false);
    patches_cut_u8(&mae->shape, batch->view[0], PIXEL_SCALE, PIXEL_SHIFT, options->norm_pix,
                   target->data);
    int n_masked = count - mae->keep, *pick = ARENA_ARRAY(tape_arena(tape), int, n *n_masked);
    for (int i = 0; i < n * n_masked; i++) pick[i] = i / n_masked * count + mae->masked[i];
    return patches_loss(tape, decode(ssl, latents, kept, n),
                        op_gather_rows(tape, target, pick, n * n_masked));
}

static void destroy(struct ssl *ssl) {
    struct mae *mae = ssl->state;
    mem_free(mae->positions);
    mem_free(mae->noise);
    mem_free(mae->kept);
    mem_free(mae->masked);
    mem_free(mae->restore);
}

const struct ssl_ops ssl_mae = {
    .name = "mae",
    .summary = "predicts masked patches from the seen ones (ViT)",
    .paper = "He et al. 2022, arXiv 2111.06377",
    .opts = {"mae", specs},
    .options_bytes = sizeof(struct mae_options),
    .state_bytes = sizeof(struct mae),
    .one_way = true,
    .vit_only = true,
    .create = create,
    .loss = loss,
    .destroy = destroy,
};
