// Momentum Contrast (He et al. 2020), v1 with a linear head, v2 (Chen et al. 2020) with an MLP and
// a higher temperature. Keys of earlier batches wait in a queue as negatives. With batch norm in
// the head, a key's statistics would tell which query it belongs to; the published cure, keys
// shuffled over machines, is done on one: statistics by parts of the batch, keys in another order.
#include <math.h>

#include "base/mem.h"
#include "ssl/bank.h"
#include "ssl/method.h"

enum version { VERSION_1, VERSION_2 };
static const char *const version_names[] = {"v1", "v2", NULL};

struct moco_options {
    int version;
    int64_t queue, dim, hidden, groups;
    double temperature;
    int norm;
    bool shuffle;
};

static const struct opt_spec specs[] = {
    OPT_ROW_CHOICE(struct moco_options, version, "v2", version_names, "v1: linear head; v2: MLP"),
    OPT_ROW_INT(struct moco_options, queue, "4096", 2, 1 << 24, "keys kept (paper: 65536)"),
    OPT_ROW_INT(struct moco_options, dim, "128", 1, 65536, "width of the embedding"),
    OPT_ROW_INT(struct moco_options, hidden, "256", 1, 65536, "v2: hidden units (paper: 2048)"),
    OPT_ROW_REAL(struct moco_options, temperature, "0", 0, 100,
                 "0 = the version's own: 0.07 or 0.2"),
    OPT_ROW_CHOICE(struct moco_options, norm, "none", head_norm_names, "v2: norm in the head"),
    OPT_ROW_INT(struct moco_options, groups, "4", 1, 256,
                "norm batch: parts of a batch with statistics of their own; divides ssl.batch"),
    OPT_ROW_BOOL(struct moco_options, shuffle, "true",
                 "norm batch: keys in another order than queries; without it they cheat"),
    OPT_END};

struct moco {
    struct head projector;
    struct queue queue;
    const struct tensor *keys; // of this step
};

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    const struct moco_options *options = ssl->options;
    struct moco *moco = ssl->state;
    int layers = options->version == VERSION_1 ? 1 : 2, dim = (int)options->dim;
    if (options->queue < ssl->common.batch)
        return rl_fail(err, RL_EUSAGE, "moco.queue %lld is smaller than ssl.batch %lld",
                       (long long)options->queue, (long long)ssl->common.batch);
    if (options->norm == HEAD_NORM_BATCH && ssl->common.batch % options->groups)
        return rl_fail(err, RL_EUSAGE, "moco.groups %lld does not divide ssl.batch %lld",
                       (long long)options->groups, (long long)ssl->common.batch);
    struct head_spec spec =
        head_mlp(layers, ssl->encoder->out_dim, (int)options->hidden, dim, options->norm);
    spec.last_bias = true;
    moco->projector = head_add(&ssl->heads, "projector", &spec);
    ssl->extra_bytes = 10 * mem_size(mem_size(ssl->common.batch, options->queue), sizeof(real));
    ssl->extra_bytes += mem_size(ssl->common.batch, 64 * (ssl->encoder->out_dim + dim));
    return queue_create(&moco->queue, (int)options->queue, dim, &ssl->rng, err);
}

// Embeddings before they are normalised; keys are those of the momentum copy.
static struct tensor *project(struct ssl *ssl, struct tensor *x, bool keys) {
    const struct moco_options *options = ssl->options;
    const struct moco *moco = ssl->state;
    const struct params *params = keys ? &ssl->target_heads : &ssl->heads;
    if (options->norm != HEAD_NORM_BATCH) return head(ssl->tape, params, &moco->projector, x);
    int n = x->dim[0], *order = NULL;
    if (keys && options->shuffle) {
        order = ARENA_ARRAY(tape_arena(ssl->tape), int, n);
        for (int i = 0; i < n; i++) {
            int j = (int)rng_below(&ssl->rng, (uint32_t)i + 1);
            order[i] = order[j];
            order[j] = i;
        }
    }
    return head_in_groups(ssl->tape, params, &moco->projector, x, (int)options->groups, order);
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    (void)metrics;
    const struct moco_options *options = ssl->options;
    struct moco *moco = ssl->state;
    struct tape *tape = ssl->tape;
    double temperature = options->temperature;
    if (temperature == 0) temperature = options->version == VERSION_1 ? 0.07 : 0.2;
    struct tensor *latents = ssl_target(ssl, batch, 1);
    bool recording = tape_set_recording(tape, false);
    struct tensor *k = loss_unit(tape, project(ssl, latents, true));
    moco->keys = k;
    tape_set_recording(tape, recording);
    struct tensor *q = loss_unit(tape, project(ssl, ssl_query(ssl, batch), false));
    ssl_watch(ssl, q);
    return loss_queue(tape, q, k, moco->queue.rows, moco->queue.size, temperature);
}

static void after_step(struct ssl *ssl, const struct ssl_batch *batch) {
    struct moco *moco = ssl->state;
    queue_push(&moco->queue, moco->keys->data, batch->n);
}

static double chance(const struct ssl *ssl) {
    const struct moco_options *options = ssl->options;
    return log(1.0 + (double)options->queue);
}

static void visit(struct ssl *ssl, struct state_visitor *visitor) {
    queue_visit(&((struct moco *)ssl->state)->queue, "queue", visitor);
}

static void destroy(struct ssl *ssl) {
    queue_release(&((struct moco *)ssl->state)->queue);
}

const struct ssl_ops ssl_moco = {
    .name = "moco",
    .summary = "contrast against a queue of momentum keys (v1, v2)",
    .paper = "He et al. 2020, arXiv 1911.05722; Chen et al. 2020, arXiv 2003.04297",
    .collapse_hint = "try a higher ssl.target_decay (paper: 0.999) or a lower ssl.lr",
    .opts = {"moco", specs},
    .options_bytes = sizeof(struct moco_options),
    .state_bytes = sizeof(struct moco),
    .uses_target = true,
    .one_way = true,
    .uses_query = true,
    .create = create,
    .loss = loss,
    .after_step = after_step,
    .chance = chance,
    .visit = visit,
    .destroy = destroy,
};
