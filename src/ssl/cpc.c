// Contrastive Predictive Coding (van den Oord et al. 2018) over moments: a recurrent context c_t
// predicts z_t+k by a matrix for each k; the right latent is to be told from others.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ssl/gru.h"
#include "ssl/method.h"

enum negatives { NEGATIVES_BATCH, NEGATIVES_ALL };
static const char *const negatives_names[] = {"batch", "all", NULL};

struct cpc_options {
    int64_t context;
    int negatives;
};

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct cpc_options, context, "256", 1, 65536, "units of the GRU"),
    OPT_ROW_CHOICE(struct cpc_options, negatives, "batch", negatives_names,
                   "batch: other samples at the same moment; all: every latent of the batch"),
    OPT_END};

struct cpc {
    struct gru gru;
    int w[SSL_MAX_VIEWS]; // (latent, context), for k = 1, 2, ...
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    (void)err;
    const struct cpc_options *options = ssl->options;
    struct cpc *cpc = ssl->state;
    int latent = ssl->encoder->out_dim, context = (int)options->context;
    int steps = (int)ssl->common.temporal_steps;
    cpc->gru = gru_add(&ssl->heads, "gru", latent, context);
    for (int k = 0; k < steps && k < SSL_MAX_VIEWS; k++) {
        char name[32];
        snprintf(name, sizeof name, "predict%d.weight", k + 1);
        cpc->w[k] = params_add(&ssl->heads, name, 2, (int[]){latent, context},
                               (struct init){INIT_FAN_IN, 0}, context, latent);
    }
    size_t scores = (size_t)ssl->common.batch * ssl->common.batch * (steps + 1);
    ssl->extra_bytes = 8 * scores * (size_t)(steps * (steps + 1) / 2 + 1) * sizeof(real) +
                       (size_t)(steps + 1) * 40 * ssl->common.batch * context * sizeof(real);
    return RL_OK;
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    const struct cpc_options *options = ssl->options;
    const struct cpc *cpc = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *z[SSL_MAX_VIEWS], *c[SSL_MAX_VIEWS], *w[SSL_MAX_VIEWS];
    int steps = batch->n_global;
    struct tensor *h = tape_new(tape, 2, (int[]){batch->n, cpc->gru.hidden}, false);
    memset(h->data, 0, h->count * sizeof(real));
    for (int t = 0; t < steps; t++) {
        z[t] = ssl_online(ssl, batch, t);
        c[t] = h = gru(tape, &ssl->heads, &cpc->gru, z[t], h);
    }
    for (int k = 0; k < steps - 1; k++) w[k] = tape_param(tape, &ssl->heads, cpc->w[k]);
    ssl_watch(ssl, z[0]);
    return loss_cpc(tape, z, c, steps, w, steps - 1, options->negatives == NEGATIVES_ALL);
}

static double chance(const struct ssl *ssl) {
    const struct cpc_options *options = ssl->options;
    double moments = options->negatives == NEGATIVES_ALL ? ssl->common.temporal_steps + 1 : 1;
    return log((double)ssl->common.batch * moments);
}

const struct ssl_ops ssl_cpc = {
    .name = "cpc",
    .summary = "a recurrent context picks the latents to come",
    .paper = "van den Oord et al. 2018, arXiv 1807.03748",
    .collapse_hint = "contrast keeps it apart: try a lower ssl.lr or a larger ssl.batch",
    .opts = {"cpc", specs},
    .options_bytes = sizeof(struct cpc_options),
    .state_bytes = sizeof(struct cpc),
    .encodes_both = true,
    .sequence = true,
    .create = create,
    .loss = loss,
    .chance = chance,
};
