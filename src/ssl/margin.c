// The contrastive loss with a margin (Hadsell, Chopra and LeCun 2006): positives are pulled
// together, the batch's next sample is pushed away until it is margin apart.
#include "ssl/method.h"

struct margin_options {
    int64_t hidden, dim;
    double margin;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct margin_options, hidden, "256", 1, 65536, "hidden units of the projector"),
    OPT_ROW_INT(struct margin_options, dim, "64", 1, 65536, "width of the embedding"),
    OPT_ROW_REAL(struct margin_options, margin, "1", 1e-6, 1e6, "distance that is enough"),
    OPT_END};

struct margin {
    struct head projector;
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct margin_options *options = ssl->options;
    struct margin *margin = ssl->state;
    struct head_spec spec = head_mlp(2, ssl->encoder->out_dim, (int)options->hidden,
                                     (int)options->dim, HEAD_NORM_BATCH);
    margin->projector = head_add(&ssl->heads, "projector", &spec);
    return RL_OK;
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    const struct margin_options *options = ssl->options;
    const struct margin *margin = ssl->state;
    struct tape *tape = ssl->tape;
    int n = batch->n, *next = ARENA_ARRAY(tape_arena(tape), int, 2 * n);
    real *different = ARENA_ARRAY(tape_arena(tape), real, 2 * n);
    for (int i = 0; i < 2 * n; i++) {
        next[i] = i < n ? i : (i + 1) % n;
        different[i] = i >= n;
    }
    struct tensor *z1 = head(tape, &ssl->heads, &margin->projector, ssl_query(ssl, batch));
    struct tensor *z2 = head(tape, &ssl->heads, &margin->projector, ssl_online(ssl, batch, 1));
    ssl_watch(ssl, z1);
    return loss_margin(tape, op_concat_rows(tape, z1, z1), op_gather_rows(tape, z2, next, 2 * n),
                       different, options->margin);
}

// Of a constant embedding: half of the pairs pay margin^2 / 2.
static double chance(const struct ssl *ssl) {
    const struct margin_options *options = ssl->options;
    return options->margin * options->margin / 4;
}

const struct ssl_ops ssl_margin = {
    .name = "margin",
    .summary = "contrastive loss with a margin on distances",
    .paper = "Hadsell, Chopra and LeCun 2006",
    .collapse_hint = "margin.margin must fit the scale of the embedding; try a lower ssl.lr",
    .opts = {"margin", specs},
    .options_bytes = sizeof(struct margin_options),
    .state_bytes = sizeof(struct margin),
    .encodes_both = true,
    .uses_query = true,
    .create = create,
    .loss = loss,
    .chance = chance,
};
