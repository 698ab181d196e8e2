// Instance discrimination (Wu et al. 2018): every sample is a class; its embedding is to be found
// among the bank's rows, by noise-contrastive estimation or by the full softmax.
#include <math.h>

#include "base/mem.h"
#include "ssl/bank.h"
#include "ssl/method.h"

enum form { FORM_NCE, FORM_SOFTMAX };
static const char *const form_names[] = {"nce", "softmax", NULL};

struct instdisc_options {
    int form;
    int64_t noise, dim;
    double temperature, momentum, proximal;
    bool norm;
};

#define T struct instdisc_options
static const struct opt_spec specs[] = {
    OPT_ROW_CHOICE(T, form, "nce", form_names, "nce: against drawn rows; softmax: against all"),
    OPT_ROW_INT(T, noise, "1024", 1, 1 << 20, "nce: rows drawn for each sample (paper: 4096)"),
    OPT_ROW_INT(T, dim, "128", 1, 65536, "width of the embedding"),
    OPT_ROW_REAL(T, temperature, "0.07", 1e-3, 100, "paper: 0.07; 0.1 for small pictures"),
    OPT_ROW_REAL(T, momentum, "0.5", 0, 1, "of the bank's rows"),
    OPT_ROW_REAL(T, proximal, "0", 0, 1e6, "weight of |v - bank's row|^2"),

    OPT_ROW_BOOL(T, norm, "true",
                 "batch norm of the embedding; the paper's encoders have it in every layer"),
    OPT_END};
#undef T

struct instdisc {
    struct head projector;
    struct bank bank;
    int64_t *index; // (batch, 1 + noise)
    const struct tensor *embedding;
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    const struct instdisc_options *options = ssl->options;
    struct instdisc *instdisc = ssl->state;
    int dim = (int)options->dim;
    if (ssl->index_count < 2)
        return rl_fail(err, RL_EUSAGE, "instdisc needs to know how many samples there are");
    struct head_spec spec = head_mlp(1, ssl->encoder->out_dim, 0, dim, HEAD_NORM_NONE);
    spec.last_bias = true;
    spec.norm_last = options->norm;
    instdisc->projector = head_add(&ssl->heads, "projector", &spec);
    size_t count = mem_size(ssl->common.batch, 1 + options->noise);
    instdisc->index = MEM_ARRAY(int64_t, count);
    if (options->form == FORM_SOFTMAX) count = mem_size(ssl->common.batch, ssl->index_count);
    ssl->extra_bytes = 12 * mem_size(count, sizeof(real));
    return bank_create(&instdisc->bank, ssl->index_count, dim, &ssl->rng, err);
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    const struct instdisc_options *options = ssl->options;
    struct instdisc *instdisc = ssl->state;
    struct tape *tape = ssl->tape;
    struct bank *bank = &instdisc->bank;
    struct tensor *v = head(tape, &ssl->heads, &instdisc->projector, ssl_online(ssl, batch, 0));
    v = loss_unit(tape, v);
    instdisc->embedding = v;
    ssl_watch(ssl, v);
    struct tensor *total;
    if (options->form == FORM_SOFTMAX) {
        total = bank_softmax(tape, bank, v, batch->index, options->temperature);
    } else {
        int count = 1 + (int)options->noise;
        bank_draw(bank, batch->index, batch->n, count, &ssl->rng, instdisc->index);
        total = bank_nce(tape, bank, v, instdisc->index, count, options->temperature);
    }
    if (options->proximal <= 0) return total;
    struct tensor *rows = bank_rows(tape, bank, batch->index, batch->n);
    struct tensor *square = op_sum_columns(tape, op_square(tape, op_sub(tape, v, rows)));
    struct tensor *proximal = op_mean(tape, square);
    metrics_add(metrics, "proximal", proximal->data[0]);
    return op_add(tape, total, op_affine(tape, proximal, options->proximal, 0));
}

static void after_step(struct ssl *ssl, const struct ssl_batch *batch) {
    const struct instdisc_options *options = ssl->options;
    struct instdisc *instdisc = ssl->state;
    bank_update(&instdisc->bank, instdisc->embedding->data, batch->index, batch->n,
                options->momentum);
}

static double chance(const struct ssl *ssl) {
    const struct instdisc_options *options = ssl->options;
    if (options->form == FORM_SOFTMAX) return log((double)ssl->index_count);
    return bank_nce_chance((double)options->noise);
}

static void visit(struct ssl *ssl, struct state_visitor *visitor) {
    bank_visit(&((struct instdisc *)ssl->state)->bank, "bank", visitor);
}

static void destroy(struct ssl *ssl) {
    struct instdisc *instdisc = ssl->state;
    bank_release(&instdisc->bank);
    mem_free(instdisc->index);
}

const struct ssl_ops ssl_instdisc = {
    .name = "instdisc",
    .summary = "every sample its own class, against a memory bank",
    .paper = "Wu et al. 2018, arXiv 1805.01978",
    .collapse_hint = "try a lower ssl.lr (1e-4 for Adam) or a higher instdisc.temperature",
    .opts = {"instdisc", specs},
    .options_bytes = sizeof(struct instdisc_options),
    .state_bytes = sizeof(struct instdisc),
    .one_way = true,
    .create = create,
    .loss = loss,
    .after_step = after_step,
    .chance = chance,
    .visit = visit,
    .destroy = destroy,
};
