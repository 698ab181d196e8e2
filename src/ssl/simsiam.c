// SimSiam (Chen and He 2021): BYOL without the momentum encoder; the stop-gradient alone keeps it
// from collapsing.
#include "ssl/method.h"

struct simsiam_options {
    int64_t depth, hidden, dim, bottleneck;
    int norm;
    bool stop_gradient;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct simsiam_options, depth, "2", 1, 4,
                "layers of the projector (paper: 3; 2 for small pictures)"),
    OPT_ROW_INT(struct simsiam_options, hidden, "256", 1, 65536, "hidden units (paper: 2048)"),
    OPT_ROW_INT(struct simsiam_options, dim, "256", 1, 65536, "width of the embedding"),
    OPT_ROW_INT(struct simsiam_options, bottleneck, "64", 1, 65536,
                "hidden units of the predictor (paper: dim / 4)"),
    OPT_ROW_CHOICE(struct simsiam_options, norm, "batch", head_norm_names, "norm in the heads"),
    OPT_ROW_BOOL(struct simsiam_options, stop_gradient, "true",
                 "no gradient through the target; without it SimSiam collapses"),
    OPT_END};

struct simsiam {
    struct head projector, predictor;
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct simsiam_options *options = ssl->options;
    struct simsiam *simsiam = ssl->state;
    int dim = (int)options->dim;
    struct head_spec spec = head_mlp((int)options->depth, ssl->encoder->out_dim,
                                     (int)options->hidden, dim, options->norm);
    spec.norm_last = options->norm == HEAD_NORM_BATCH;
    simsiam->projector = head_add(&ssl->heads, "projector", &spec);
    spec = head_mlp(2, dim, (int)options->bottleneck, dim, options->norm);
    spec.last_bias = true;
    simsiam->predictor = head_add(&ssl->heads, "predictor", &spec);
    return RL_OK;
}

static struct tensor *one_way(struct ssl *ssl, struct tensor *from, struct tensor *to) {
    const struct simsiam_options *options = ssl->options;
    const struct simsiam *simsiam = ssl->state;
    struct tensor *p = head(ssl->tape, &ssl->heads, &simsiam->predictor, from);
    if (options->stop_gradient) to = op_detach(ssl->tape, to);
    return loss_negative_cosine(ssl->tape, p, to);
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    const struct simsiam *simsiam = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *z1 = head(tape, &ssl->heads, &simsiam->projector, ssl_query(ssl, batch));
    struct tensor *z2 = head(tape, &ssl->heads, &simsiam->projector, ssl_online(ssl, batch, 1));
    ssl_watch(ssl, z1);
    struct tensor *total = one_way(ssl, z1, z2);
    if (ssl_temporal(ssl)) return total;
    return op_affine(tape, op_add(tape, total, one_way(ssl, z2, z1)), 0.5, 0);
}

// Of independent directions.
static double chance(const struct ssl *ssl) {
    (void)ssl;
    return 0;
}

const struct ssl_ops ssl_simsiam = {
    .name = "simsiam",
    .summary = "predicts the other view's embedding, with a stop-gradient only",
    .paper = "Chen and He 2021, arXiv 2011.10566",
    .collapse_hint = "simsiam.stop_gradient must be on; try a lower ssl.lr",
    .opts = {"simsiam", specs},
    .options_bytes = sizeof(struct simsiam_options),
    .state_bytes = sizeof(struct simsiam),
    .encodes_both = true,
    .uses_query = true,
    .create = create,
    .loss = loss,
    .chance = chance,
};
