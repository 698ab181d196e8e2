// SwAV (Caron et al. 2020): each view predicts the prototype assignment of the other, made even
// over the batch by Sinkhorn-Knopp.
#include <math.h>

#include "ssl/method.h"

struct swav_options {
    int64_t hidden, dim, prototypes, local_crops, iterations, freeze_steps;
    double temperature, epsilon;
};

#define T struct swav_options
static const struct opt_spec specs[] = {
    OPT_ROW_INT(T, hidden, "256", 1, 65536, "hidden units of the projector (paper: 2048)"),
    OPT_ROW_INT(T, dim, "128", 1, 65536, "width of the embedding"),
    OPT_ROW_INT(T, prototypes, "256", 2, 1 << 20, "prototypes (paper: 3000)"),
    OPT_ROW_INT(T, local_crops, "0", 0, SSL_MAX_VIEWS - 3, "small crops (paper: 6)"),
    OPT_ROW_INT(T, iterations, "3", 1, 100, "of Sinkhorn-Knopp"),
    OPT_ROW_INT(T, freeze_steps, "0", 0, 1e12, "SSL steps with frozen prototypes (paper: 313)"),
    OPT_ROW_REAL(T, temperature, "0.1", 1e-3, 100, "of the predictions"),
    OPT_ROW_REAL(T, epsilon, "0.05", 1e-3, 1e12, "entropy of the assignments"),
    OPT_END};
#undef T

struct swav {
    struct head projector;
    int prototypes; // (prototypes, dim), used with rows of length 1
};

static int local_views(const struct ssl *ssl) {
    return (int)((const struct swav_options *)ssl->options)->local_crops;
}

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct swav_options *options = ssl->options;
    struct swav *swav = ssl->state;
    int dim = (int)options->dim, k = (int)options->prototypes;
    struct head_spec spec =
        head_mlp(2, ssl->encoder->out_dim, (int)options->hidden, dim, HEAD_NORM_BATCH);
    swav->projector = head_add(&ssl->heads, "projector", &spec);
    swav->prototypes = params_add(&ssl->heads, "prototypes.weight", 2, (int[]){k, dim},
                                  (struct init){INIT_FAN_IN, 0}, dim, k);
    return RL_OK;
}

static struct tensor *score(struct ssl *ssl, struct tensor *latents) {
    const struct swav_options *options = ssl->options;
    const struct swav *swav = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *x = loss_unit(tape, head(tape, &ssl->heads, &swav->projector, latents));
    ssl_watch(ssl, x);
    struct tensor *rows = tape_param(tape, &ssl->heads, swav->prototypes);
    if (ssl->step < options->freeze_steps) rows = op_detach(tape, rows);
    return op_matmul(tape, x, false, loss_unit(tape, rows), true);
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    const struct swav_options *options = ssl->options;
    struct tape *tape = ssl->tape;
    struct tensor *target[2] = {NULL}, *student[SSL_MAX_VIEWS] = {NULL};
    int n_students = 2 + batch->n_local;
    student[0] = score(ssl, ssl_query(ssl, batch));
    for (int v = 1; v < n_students; v++) student[v] = score(ssl, ssl_online(ssl, batch, v));
    for (int v = 0; v < 2; v++)
        target[v] = loss_sinkhorn(tape, student[v], options->epsilon, (int)options->iterations);
    return loss_assignments(tape, target, 2, student, n_students, options->temperature);
}

static double chance(const struct ssl *ssl) {
    return log((double)((const struct swav_options *)ssl->options)->prototypes);
}

const struct ssl_ops ssl_swav = {
    .name = "swav",
    .summary = "swaps even assignments to prototypes between views",
    .paper = "Caron et al. 2020, arXiv 2006.09882",
    .collapse_hint = "try a lower swav.epsilon, swav.freeze_steps, or a lower ssl.lr",
    .opts = {"swav", specs},
    .options_bytes = sizeof(struct swav_options),
    .state_bytes = sizeof(struct swav),
    .encodes_both = true,
    .uses_query = true,
    .create = create,
    .local_views = local_views,
    .loss = loss,
    .chance = chance,
};
