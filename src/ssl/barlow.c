// Barlow Twins (Zbontar et al. 2021): the cross-correlation of two views' embeddings should be the
// identity.
#include "ssl/method.h"

struct barlow_options {
    int64_t hidden, dim;
    double lambda;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct barlow_options, hidden, "512", 1, 65536, "hidden units (paper: 8192)"),
    OPT_ROW_INT(struct barlow_options, dim, "512", 1, 65536,
                "width of the embedding (paper: 8192)"),
    OPT_ROW_REAL(struct barlow_options, lambda, "0.0051", 0, 1e6, "weight off the diagonal"),
    OPT_END};

struct barlow {
    struct head projector;
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct barlow_options *options = ssl->options;
    struct barlow *barlow = ssl->state;
    int dim = (int)options->dim;
    struct head_spec spec =
        head_mlp(3, ssl->encoder->out_dim, (int)options->hidden, dim, HEAD_NORM_BATCH);
    barlow->projector = head_add(&ssl->heads, "projector", &spec);
    ssl->extra_bytes = 16 * (size_t)dim * dim * sizeof(real);
    return RL_OK;
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    const struct barlow_options *options = ssl->options;
    const struct barlow *barlow = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *z1 = head(tape, &ssl->heads, &barlow->projector, ssl_query(ssl, batch));
    struct tensor *z2 = head(tape, &ssl->heads, &barlow->projector, ssl_online(ssl, batch, 1));
    ssl_watch(ssl, z1);
    return loss_barlow(tape, loss_correlation(tape, z1, z2), options->lambda);
}

// Of views without any correlation.
static double chance(const struct ssl *ssl) {
    const struct barlow_options *options = ssl->options;
    return (double)options->dim;
}

const struct ssl_ops ssl_barlow = {
    .name = "barlow",
    .summary = "makes the views' cross-correlation the identity",
    .paper = "Zbontar et al. 2021, arXiv 2103.03230",
    .collapse_hint = "try a lower ssl.lr or a larger ssl.batch",
    .opts = {"barlow", specs},
    .options_bytes = sizeof(struct barlow_options),
    .state_bytes = sizeof(struct barlow),
    .encodes_both = true,
    .uses_query = true,
    .create = create,
    .loss = loss,
    .chance = chance,
};
