// Augmented Temporal Contrast (Stooke et al. 2021): the anchor, moved by a residual perceptron,
// should pick its own future among the batch's. score cosine with a temperature is the form of CPC
// and SimCLR, here with the perceptron and the actions.
#include <math.h>

#include "ssl/method.h"

enum score { SCORE_BILINEAR, SCORE_COSINE };
static const char *const score_names[] = {"bilinear", "cosine", NULL};

struct atc_options {
    int64_t hidden;
    int score;
    double temperature;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct atc_options, hidden, "512", 1, 65536, "hidden units of the perceptron"),
    OPT_ROW_CHOICE(struct atc_options, score, "bilinear", score_names,
                   "a W k (paper), or cosine / temperature"),
    OPT_ROW_REAL(struct atc_options, temperature, "0.1", 1e-3, 100, "of score cosine"), OPT_END};

struct atc {
    struct mlp anchor;
    struct linear contrast; // W
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct atc_options *options = ssl->options;
    struct atc *atc = ssl->state;
    int latent = ssl->encoder->out_dim;
    int sizes[] = {latent + ssl->action_width, (int)options->hidden, latent};
    struct init init = {INIT_FAN_IN, 0};
    atc->anchor = mlp_add(&ssl->heads, "anchor", 3, sizes, ACTIVATION_RELU, init);
    if (options->score == SCORE_BILINEAR)
        atc->contrast = linear_add(&ssl->heads, "contrast", latent, latent, false, init);
    return RL_OK;
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    const struct atc_options *options = ssl->options;
    const struct atc *atc = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *k = ssl_target(ssl, batch, 1), *z = ssl_online(ssl, batch, 0);
    struct tensor *step = mlp(tape, &ssl->heads, &atc->anchor, ssl_with_actions(ssl, batch, z));
    struct tensor *a = op_add(tape, z, step), *scores;
    ssl_watch(ssl, a);
    if (options->score == SCORE_BILINEAR) {
        a = linear(tape, &ssl->heads, &atc->contrast, a, false);
        scores = op_matmul(tape, a, false, k, true);
    } else {
        scores = op_matmul(tape, loss_unit(tape, a), false, loss_unit(tape, k), true);
        scores = op_affine(tape, scores, 1 / options->temperature, 0);
    }
    metrics_add(metrics, "accuracy", loss_accuracy(scores));
    return loss_diagonal(tape, scores, batch->valid);
}

static double chance(const struct ssl *ssl) {
    return log((double)ssl->common.batch);
}

const struct ssl_ops ssl_atc = {
    .name = "atc",
    .summary = "picks its own future among the batch's (augmented temporal contrast)",
    .paper = "Stooke et al. 2021, arXiv 2009.08319",
    .collapse_hint = "contrast keeps it apart: try a lower ssl.lr or a larger ssl.batch",
    .opts = {"atc", specs},
    .options_bytes = sizeof(struct atc_options),
    .state_bytes = sizeof(struct atc),
    .uses_target = true,
    .one_way = true,
    .create = create,
    .loss = loss,
    .chance = chance,
};
