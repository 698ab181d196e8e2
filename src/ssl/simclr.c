// SimCLR (Chen et al. 2020): NT-Xent between two views of each sample. depth 3 is the deeper
// projector of SimCLR v2, whose first layer is worth keeping for fine-tuning.
#include <math.h>

#include "ssl/method.h"

struct simclr_options {
    int64_t depth, hidden, dim;
    int norm;
    double temperature;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct simclr_options, depth, "2", 1, 4, "layers of the projector: v1 2, v2 3"),
    OPT_ROW_INT(struct simclr_options, hidden, "256", 1, 65536, "hidden units (paper: 2048)"),
    OPT_ROW_INT(struct simclr_options, dim, "128", 1, 65536, "width of the embedding"),
    OPT_ROW_CHOICE(struct simclr_options, norm, "batch", head_norm_names, "norm in the projector"),
    OPT_ROW_REAL(struct simclr_options, temperature, "0.1", 1e-3, 100,
                 "paper: 0.1; 0.5 for small pictures"),
    OPT_END};

struct simclr {
    struct head projector;
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct simclr_options *options = ssl->options;
    struct simclr *simclr = ssl->state;
    struct head_spec spec = head_mlp((int)options->depth, ssl->encoder->out_dim,
                                     (int)options->hidden, (int)options->dim, options->norm);
    simclr->projector = head_add(&ssl->heads, "projector", &spec);
    return RL_OK;
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    const struct simclr_options *options = ssl->options;
    const struct simclr *simclr = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *z1 = head(tape, &ssl->heads, &simclr->projector, ssl_query(ssl, batch));
    struct tensor *z2 = head(tape, &ssl->heads, &simclr->projector, ssl_online(ssl, batch, 1));
    ssl_watch(ssl, z1);
    return loss_ntxent(tape, z1, z2, options->temperature);
}

static double chance(const struct ssl *ssl) {
    return log(2.0 * (double)ssl->common.batch - 1);
}

const struct ssl_ops ssl_simclr = {
    .name = "simclr",
    .summary = "in-batch contrast between two views (v1, v2)",
    .paper = "Chen et al. 2020, arXiv 2002.05709, 2006.10029",
    .collapse_hint = "try a lower ssl.lr, a larger ssl.batch or a higher simclr.temperature",
    .opts = {"simclr", specs},
    .options_bytes = sizeof(struct simclr_options),
    .state_bytes = sizeof(struct simclr),
    .encodes_both = true,
    .uses_query = true,
    .create = create,
    .loss = loss,
    .chance = chance,
};
