// Contrastive Multiview Coding (Tian et al. 2020): two halves of what is seen, each embedded alone,
// are matched across a memory bank of the other half. Single colour pictures are split into
// luminance and colour (YCbCr), stacks of frames into the newest frame and the motion (differences
// of frames). One encoder reads both, in pictures of the usual shape; each half has its own head.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ssl/bank.h"
#include "ssl/method.h"

struct cmc_options {
    int64_t noise, dim;
    double temperature, momentum;
    bool norm;
};

#define T struct cmc_options
static const struct opt_spec specs[] = {
    OPT_ROW_INT(T, noise, "1024", 1, 1 << 20, "rows drawn for each sample (paper: 16384)"),
    OPT_ROW_INT(T, dim, "128", 1, 65536, "width of the embeddings"),
    OPT_ROW_REAL(T, temperature, "0.07", 1e-3, 100, "paper: 0.07"),
    OPT_ROW_REAL(T, momentum, "0.5", 0, 1, "of the banks' rows"),
    OPT_ROW_BOOL(T, norm, "true",
                 "batch norm of the embedding; the paper's encoders have it in every layer"),
    OPT_END};
#undef T

struct cmc {
    struct head projector[2];
    struct bank bank[2];
    uint8_t *half[2]; // (batch, H, W, C)
    int64_t *index;   // (batch, 1 + noise)
    const struct tensor *embedding[2];
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    const struct cmc_options *options = ssl->options;
    struct cmc *cmc = ssl->state;
    const int *dim = ssl->encoder->spec.in_dim;
    if (dim[2] % 3 != 0)
        return rl_fail(err, RL_EUSAGE,
                       "cmc splits colour pictures or stacks of them, not %d channels", dim[2]);
    if (ssl->index_count < 2)
        return rl_fail(err, RL_EUSAGE, "cmc needs to know how many samples there are");
    int n = (int)ssl->common.batch, width = (int)options->dim;
    struct head_spec spec = head_mlp(1, ssl->encoder->out_dim, 0, width, HEAD_NORM_NONE);
    spec.last_bias = true;
    spec.norm_last = options->norm;
    size_t pixels = mem_size(n, (size_t)dim[0] * dim[1] * dim[2]);
    for (int i = 0; i < 2; i++) {
        cmc->projector[i] = head_add(&ssl->heads, i ? "projector1" : "projector0", &spec);
        cmc->half[i] = mem_alloc(pixels);
        enum rl_status status = bank_create(&cmc->bank[i], ssl->index_count, width, &ssl->rng, err);
        if (status != RL_OK) return status;
    }
    size_t count = mem_size(n, 1 + options->noise);
    cmc->index = MEM_ARRAY(int64_t, count);
    // The halves are encoded beside what the control heads ask for.
    ssl->extra_bytes = 24 * mem_size(count, sizeof(real)) + encoder_tape_bytes(ssl->encoder, n);
    return RL_OK;
}

static uint8_t to_u8(int x) {
    return x < 0 ? 0 : x > 255 ? 255 : (uint8_t)x;
}

static void split_colour(const uint8_t *pixel, uint8_t *luminance, uint8_t *colour) {
    double y = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    memset(luminance, (int)(y + 0.5), 3);
    colour[0] = to_u8((int)(128.5 + 0.564 * (pixel[2] - y)));
    colour[1] = 128;
    colour[2] = to_u8((int)(128.5 + 0.713 * (pixel[0] - y)));
}

static void split_motion(const uint8_t *pixel, int channels, uint8_t *frame, uint8_t *motion) {
    const uint8_t *newest = pixel + channels - 3;
    for (int c = 0; c < channels; c++) {
        frame[c] = newest[c % 3];
        motion[c] = c < 3 ? 128 : to_u8(128 + (pixel[c] - pixel[c - 3]) / 2);
    }
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    const struct cmc_options *options = ssl->options;
    struct cmc *cmc = ssl->state;
    struct tape *tape = ssl->tape;
    const int *dim = ssl->encoder->spec.in_dim;
    size_t pixels = (size_t)batch->n * dim[0] * dim[1];
    for (size_t i = 0, at = 0; i < pixels; i++, at += dim[2]) {
        if (dim[2] == 3) {
            split_colour(batch->view[0] + at, cmc->half[0] + at, cmc->half[1] + at);
        } else {
            split_motion(batch->view[0] + at, dim[2], cmc->half[0] + at, cmc->half[1] + at);
        }
    }
    int count = 1 + (int)options->noise;
    bank_draw(&cmc->bank[0], batch->index, batch->n, count, &ssl->rng, cmc->index);
    struct tensor *total = NULL;
    for (int i = 0; i < 2; i++) {
        struct tensor *v = ssl_encode_pixels(ssl, batch, cmc->half[i]);
        v = loss_unit(tape, head(tape, &ssl->heads, &cmc->projector[i], v));
        cmc->embedding[i] = v;
        ssl_watch(ssl, v);
        struct tensor *term =
            bank_nce(tape, &cmc->bank[1 - i], v, cmc->index, count, options->temperature);
        total = total ? op_add(tape, total, term) : term;
    }
    return total;
}

static void after_step(struct ssl *ssl, const struct ssl_batch *batch) {
    const struct cmc_options *options = ssl->options;
    struct cmc *cmc = ssl->state;
    for (int i = 0; i < 2; i++)
        bank_update(&cmc->bank[i], cmc->embedding[i]->data, batch->index, batch->n,
                    options->momentum);
}

static double chance(const struct ssl *ssl) {
    const struct cmc_options *options = ssl->options;
    return 2 * bank_nce_chance((double)options->noise);
}

static void visit(struct ssl *ssl, struct state_visitor *visitor) {
    struct cmc *cmc = ssl->state;
    bank_visit(&cmc->bank[0], "bank0", visitor);
    bank_visit(&cmc->bank[1], "bank1", visitor);
}

static void destroy(struct ssl *ssl) {
    struct cmc *cmc = ssl->state;
    for (int i = 0; i < 2; i++) {
        bank_release(&cmc->bank[i]);
        mem_free(cmc->half[i]);
    }
    mem_free(cmc->index);
}

const struct ssl_ops ssl_cmc = {
    .name = "cmc",
    .summary = "matches luminance with colour, or a frame with its motion",
    .paper = "Tian et al. 2020, arXiv 1906.05849",
    .collapse_hint = "try a lower ssl.lr or a higher cmc.temperature",
    .opts = {"cmc", specs},
    .options_bytes = sizeof(struct cmc_options),
    .state_bytes = sizeof(struct cmc),
    .encodes_both = true,
    .create = create,
    .loss = loss,
    .after_step = after_step,
    .chance = chance,
    .visit = visit,
    .destroy = destroy,
};
