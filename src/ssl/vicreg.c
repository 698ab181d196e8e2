// VICReg (Bardes et al. 2022): pulls views together while each dimension keeps its variance and
// dimensions stay uncorrelated.
#include "ssl/method.h"

struct vicreg_options {
    int64_t hidden, dim;
    double invariance, variance, covariance;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct vicreg_options, hidden, "512", 1, 65536, "hidden units (paper: 8192)"),
    OPT_ROW_INT(struct vicreg_options, dim, "512", 1, 65536,
                "width of the embedding (paper: 8192)"),
    OPT_ROW_REAL(struct vicreg_options, invariance, "25", 0, 1e6, "weight of the distance"),
    OPT_ROW_REAL(struct vicreg_options, variance, "25", 0, 1e6, "weight of the variance hinge"),
    OPT_ROW_REAL(struct vicreg_options, covariance, "1", 0, 1e6, "weight of the covariances"),
    OPT_END};

struct vicreg {
    struct head expander;
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct vicreg_options *options = ssl->options;
    struct vicreg *vicreg = ssl->state;
    int dim = (int)options->dim;
    struct head_spec spec =
        head_mlp(3, ssl->encoder->out_dim, (int)options->hidden, dim, HEAD_NORM_BATCH);
    vicreg->expander = head_add(&ssl->heads, "expander", &spec);
    ssl->extra_bytes = 24 * (size_t)dim * dim * sizeof(real);
    return RL_OK;
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    const struct vicreg_options *options = ssl->options;
    const struct vicreg *vicreg = ssl->state;
    struct loss_vicreg weight = {options->invariance, options->variance, options->covariance};
    struct tape *tape = ssl->tape;
    struct tensor *z1 = head(tape, &ssl->heads, &vicreg->expander, ssl_query(ssl, batch));
    struct tensor *z2 = head(tape, &ssl->heads, &vicreg->expander, ssl_online(ssl, batch, 1));
    ssl_watch(ssl, z1);
    return loss_vicreg(tape, z1, z2, &weight);
}

// Of a constant embedding.
static double chance(const struct ssl *ssl) {
    const struct vicreg_options *options = ssl->options;
    return options->variance * 0.99; // the hinge: 1 - sqrt(1e-4)
}

const struct ssl_ops ssl_vicreg = {
    .name = "vicreg",
    .summary = "variance, invariance and covariance of two views",
    .paper = "Bardes et al. 2022, arXiv 2105.04906",
    .collapse_hint = "vicreg.variance keeps the spread: raise it, or lower ssl.lr",
    .opts = {"vicreg", specs},
    .options_bytes = sizeof(struct vicreg_options),
    .state_bytes = sizeof(struct vicreg),
    .encodes_both = true,
    .uses_query = true,
    .create = create,
    .loss = loss,
    .chance = chance,
};
