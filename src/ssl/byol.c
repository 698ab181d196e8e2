// Bootstrap Your Own Latent (Grill et al. 2020): a predictor on the online branch regresses the
// momentum branch's projection. No negatives: predictor, stop-gradient and slow target keep it from
// collapsing. With temporal positives the prediction goes one way, o_t -> o_t+k, seeing the actions
// between (as SPR, Schwarzer et al. 2021, does); otherwise both ways, as published.
#include "ssl/method.h"

struct byol_options {
    int64_t hidden, dim;
    int norm;
    bool predictor;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct byol_options, hidden, "256", 1, 65536,
                "hidden units of projector and predictor (paper: 4096)"),
    OPT_ROW_INT(struct byol_options, dim, "128", 1, 65536, "width of the projection (paper: 256)"),
    OPT_ROW_CHOICE(struct byol_options, norm, "batch", head_norm_names,
                   "norm in the heads; group: with standardised weights"),
    OPT_ROW_BOOL(struct byol_options, predictor, "true",
                 "the online branch's predictor; without it BYOL collapses"),
    OPT_END};

struct byol {
    struct head projector, predictor;
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct byol_options *options = ssl->options;
    struct byol *byol = ssl->state;
    int hidden = (int)options->hidden, dim = (int)options->dim;
    struct head_spec spec = {3, {ssl->encoder->out_dim, hidden, dim}, .norm = options->norm};
    byol->projector = head_add(&ssl->heads, "projector", &spec);
    spec.sizes[0] = dim + ssl->action_width;
    if (options->predictor) byol->predictor = head_add(&ssl->heads, "predictor", &spec);
    return RL_OK;
}

static struct tensor *one_way(struct ssl *ssl, const struct ssl_batch *batch, int from, int to) {
    const struct byol_options *options = ssl->options;
    const struct byol *byol = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *target = ssl_target_head(ssl, &byol->projector, ssl_target(ssl, batch, to));
    struct tensor *p = head(tape, &ssl->heads, &byol->projector, ssl_online(ssl, batch, from));
    ssl_watch(ssl, p);
    if (options->predictor)
        p = head(tape, &ssl->heads, &byol->predictor, ssl_with_actions(ssl, batch, p));
    return op_mean(tape, loss_regression_rows(tape, p, target));
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    struct tensor *total = one_way(ssl, batch, 0, 1);
    if (ssl_temporal(ssl)) return total;
    return op_add(ssl->tape, total, one_way(ssl, batch, 1, 0));
}

// Of independent directions.
static double chance(const struct ssl *ssl) {
    return ssl_temporal(ssl) ? 2 : 4;
}

const struct ssl_ops ssl_byol = {
    .name = "byol",
    .summary = "predicts the momentum encoder's embedding, without negatives",
    .paper = "Grill et al. 2020, arXiv 2006.07733",
    .collapse_hint = "byol.predictor must be on; try a lower ssl.lr or a higher ssl.target_decay",
    .opts = {"byol", specs},
    .options_bytes = sizeof(struct byol_options),
    .state_bytes = sizeof(struct byol),
    .uses_target = true,
    .create = create,
    .loss = loss,
    .chance = chance,
    .target_decay = ssl_cosine_decay,
};
