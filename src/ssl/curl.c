// CURL (Laskin et al. 2020): two views of one observation, bilinear scores against momentum keys.
#include <math.h>

#include "ssl/method.h"

struct curl {
    int w; // (latent, latent)
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    struct curl *curl = ssl->state;
    int latent = ssl->encoder->out_dim, dim[2] = {latent, latent};
    curl->w = params_add(&ssl->heads, "contrast.weight", 2, dim, (struct init){INIT_UNIFORM, 1},
                         latent, latent);
    return RL_OK;
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    const struct curl *curl = ssl->state;
    struct tensor *k = ssl_target(ssl, batch, 1), *a = ssl_query(ssl, batch);
    ssl_watch(ssl, a);
    struct tensor *w = tape_param(ssl->tape, &ssl->heads, curl->w);
    struct tensor *scores = loss_bilinear_scores(ssl->tape, a, w, k);
    metrics_add(metrics, "accuracy", loss_accuracy(scores));
    return loss_diagonal(ssl->tape, scores, batch->valid);
}

static double chance(const struct ssl *ssl) {
    return log((double)ssl->common.batch);
}

const struct ssl_ops ssl_curl = {
    .name = "curl",
    .summary = "bilinear contrast of two views against momentum keys",
    .paper = "Laskin et al. 2020, arXiv 2004.04136",
    .collapse_hint = "contrast keeps it apart: try a lower ssl.lr or a larger ssl.batch",
    .opts = {"curl", NULL},
    .state_bytes = sizeof(struct curl),
    .uses_target = true,
    .one_way = true,
    .uses_query = true,
    .create = create,
    .loss = loss,
    .chance = chance,
};
