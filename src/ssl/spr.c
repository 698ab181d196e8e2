// Self-Predictive Representations (Schwarzer et al. 2021): a transition model rolls the anchor's
// latents forward under the actions taken; each step's projection should match the momentum
// encoder's of the frame seen then.
#include "ssl/method.h"

struct spr_options {
    int64_t hidden, dim;
    bool norm;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct spr_options, hidden, "256", 1, 65536, "hidden units of the transition"),
    OPT_ROW_INT(struct spr_options, dim, "128", 1, 65536, "width of the projection"),
    OPT_ROW_BOOL(struct spr_options, norm, "true",
                 "batch norm after the projection (paper: none, beside an agent's loss)"),
    OPT_END};

struct spr {
    struct mlp transition;
    struct head projector, predictor; // one linear layer each, as published
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct spr_options *options = ssl->options;
    struct spr *spr = ssl->state;
    int latent = ssl->encoder->out_dim, action = ssl->action_width ? ssl->action_dim : 0,
        dim = (int)options->dim;
    spr->transition =
        mlp_add(&ssl->heads, "model", 3, (int[]){latent + action, (int)options->hidden, latent},
                ACTIVATION_RELU, (struct init){INIT_FAN_IN, 0});
    struct head_spec spec = head_mlp(1, latent, 0, dim, HEAD_NORM_NONE);
    spec.last_bias = true;
    spec.norm_last = options->norm;
    spr->projector = head_add(&ssl->heads, "projector", &spec);
    spec.norm_last = false;
    spec.sizes[0] = dim;
    spr->predictor = head_add(&ssl->heads, "predictor", &spec);
    return RL_OK;
}

static struct tensor *advance(struct ssl *ssl, const struct ssl_batch *batch, struct tensor *z,
                              int step) {
    const struct spr *spr = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *input = z;
    if (batch->actions) {
        struct tensor *all = tape_input_2d(tape, batch->actions, batch->n, ssl->action_width);
        input = op_concat(tape, z, op_columns(tape, all, step * ssl->action_dim, ssl->action_dim));
    }
    return op_add(tape, z, mlp(tape, &ssl->heads, &spr->transition, input));
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    const struct spr *spr = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *z = ssl_online(ssl, batch, 0), *total = NULL;
    ssl_watch(ssl, head(tape, &ssl->heads, &spr->projector, z));
    for (int k = 1; k < batch->n_global; k++) {
        struct tensor *target = ssl_target_head(ssl, &spr->projector, ssl_target(ssl, batch, k));
        z = advance(ssl, batch, z, k - 1);
        struct tensor *p = head(tape, &ssl->heads, &spr->projector, z);
        p = head(tape, &ssl->heads, &spr->predictor, p);
        struct tensor *rows = loss_regression_rows(tape, p, target);
        struct tensor *term = loss_mean_rows(tape, rows, batch->valid);
        total = total ? op_add(tape, total, term) : term;
    }
    return op_affine(tape, total, 1.0 / (batch->n_global - 1), 0);
}

// Of independent directions.
static double chance(const struct ssl *ssl) {
    (void)ssl;
    return 2;
}

const struct ssl_ops ssl_spr = {
    .name = "spr",
    .summary = "rolls latents forward under the actions to match later frames",
    .paper = "Schwarzer et al. 2021, arXiv 2007.05929",
    .collapse_hint = "try a higher ssl.target_decay, a lower ssl.lr, or ssl.inverse_weight above 0",
    .opts = {"spr", specs},
    .options_bytes = sizeof(struct spr_options),
    .state_bytes = sizeof(struct spr),
    .uses_target = true,
    .sequence = true,
    .create = create,
    .loss = loss,
    .chance = chance,
};
