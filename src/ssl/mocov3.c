// MoCo v3 (Chen, Xie and He 2021): in-batch contrast of predictions with momentum embeddings, no
// queue.
#include <math.h>

#include "ssl/method.h"

struct mocov3_options {
    int64_t dim, hidden;
    double temperature;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct mocov3_options, dim, "128", 1, 65536, "width of the embedding (paper: 256)"),
    OPT_ROW_INT(struct mocov3_options, hidden, "256", 1, 65536, "hidden units (paper: 4096)"),
    OPT_ROW_REAL(struct mocov3_options, temperature, "0.2", 1e-3, 100,
                 "paper: 0.2 for ViT, 1 for ResNet"),
    OPT_END};

struct mocov3 {
    struct head projector, predictor;
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct mocov3_options *options = ssl->options;
    struct mocov3 *mocov3 = ssl->state;
    int hidden = (int)options->hidden, dim = (int)options->dim;
    struct head_spec spec = head_mlp(2, ssl->encoder->out_dim, hidden, dim, HEAD_NORM_BATCH);
    spec.norm_last = true;
    mocov3->projector = head_add(&ssl->heads, "projector", &spec);
    spec.sizes[0] = dim;
    mocov3->predictor = head_add(&ssl->heads, "predictor", &spec);
    return RL_OK;
}

static struct tensor *one_way(struct ssl *ssl, const struct ssl_batch *batch, int from) {
    const struct mocov3_options *options = ssl->options;
    const struct mocov3 *mocov3 = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *k = ssl_target_head(ssl, &mocov3->projector, ssl_target(ssl, batch, 1 - from));
    struct tensor *q = from == 0 ? ssl_query(ssl, batch) : ssl_online(ssl, batch, from);
    q = head(tape, &ssl->heads, &mocov3->projector, q);
    ssl_watch(ssl, q);
    q = loss_unit(tape, head(tape, &ssl->heads, &mocov3->predictor, q));
    struct tensor *each = loss_infonce(tape, q, loss_unit(tape, k), options->temperature);
    return op_affine(tape, each, 2 * options->temperature, 0);
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    struct tensor *total = one_way(ssl, batch, 0);
    return ssl_temporal(ssl) ? total : op_add(ssl->tape, total, one_way(ssl, batch, 1));
}

static double chance(const struct ssl *ssl) {
    const struct mocov3_options *options = ssl->options;
    double ways = ssl_temporal(ssl) ? 1 : 2;
    return ways * 2 * options->temperature * log((double)ssl->common.batch);
}

const struct ssl_ops ssl_mocov3 = {
    .name = "mocov3",
    .summary = "in-batch contrast of predictions with momentum embeddings",
    .paper = "Chen, Xie and He 2021, arXiv 2104.02057",
    .collapse_hint = "try a lower ssl.lr or a higher ssl.target_decay",
    .opts = {"mocov3", specs},
    .options_bytes = sizeof(struct mocov3_options),
    .state_bytes = sizeof(struct mocov3),
    .uses_target = true,
    .uses_query = true,
    .create = create,
    .loss = loss,
    .chance = chance,
    .target_decay = ssl_cosine_decay,
};
