// Deep InfoMax (Hjelm et al. 2019): maximises a bound on the mutual information between a picture's
// latents and its local features (weight local) or its whole map (global), and pushes the latents
// to a uniform prior through a discriminator (prior). With temporal positives the local features
// are those of the later moment (ST-DIM, Anand et al. 2019).
#include <math.h>

#include "base/mem.h"
#include "ssl/method.h"

static const char *const measure_names[] = {"jsd", "dv", "nce", NULL};

struct dim_options {
    int measure;
    double local, global, prior;
    int64_t hidden, units, grid;
};

#define T struct dim_options
static const struct opt_spec specs[] = {
    OPT_ROW_CHOICE(T, measure, "jsd", measure_names,
                   "Jensen-Shannon, Donsker-Varadhan or InfoNCE bound"),
    OPT_ROW_REAL(T, local, "1", 0, 1e6, "weight of the local term"),
    OPT_ROW_REAL(T, global, "0", 0, 1e6, "weight of the global term"),
    OPT_ROW_REAL(T, prior, "0.1", 0, 1e6, "weight of matching the prior"),
    OPT_ROW_INT(T, hidden, "128", 1, 65536, "hidden units of the heads"),
    OPT_ROW_INT(T, units, "128", 1, 65536, "width of the scores' features (paper: 2048)"),
    OPT_ROW_INT(T, grid, "7", 1, 1024, "at most grid x grid places of the map, evenly spread"),
    OPT_END};
#undef T

struct dim_state {
    struct head local, global, summary; // of places, of whole maps, of latents
    struct mlp discriminator;
};

// Numbers per place, and how many places, of the map of one picture.
static enum rl_status probe_map(struct ssl *ssl, int *channels, int *places, struct rl_error *err) {
    struct encoder *encoder = ssl->encoder;
    if (!encoder->ops->local)
        return rl_fail(err, RL_EUSAGE, "dim needs an encoder with a map, which '%s' has not",
                       encoder->ops->name);
    const int *dim = encoder->spec.in_dim;
    uint8_t *blank = mem_alloc((size_t)dim[0] * dim[1] * dim[2]);
    struct tape *tape = tape_create(encoder_tape_bytes(encoder, 1) + (1 << 16), NULL, err);
    if (tape) {
        struct encoder_input input = {.n = 1, .pixels = blank};
        struct tensor *latents;
        struct tensor *map = encoder->ops->local(encoder, tape, &encoder->params, &input, &latents);
        *channels = map->dim[map->ndim - 1];
        *places = (int)(map->count / *channels) - (map->ndim == 3);
        tape_destroy(tape);
    }
    mem_free(blank);
    return tape ? RL_OK : RL_ENOMEM;
}

static int places_used(const struct dim_options *options, int places) {
    int most = (int)(options->grid * options->grid);
    return places < most ? places : most;
}

static enum rl_status create(struct ssl *ssl, struct rl_error *err) {
    const struct dim_options *options = ssl->options;
    struct dim_state *dim = ssl->state;
    int channels = 0, places = 0, latent = ssl->encoder->out_dim, hidden = (int)options->hidden,
        units = (int)options->units;
    if (options->local <= 0 && options->global <= 0)
        return rl_fail(err, RL_EUSAGE, "dim needs dim.local or dim.global above 0");
    enum rl_status status = probe_map(ssl, &channels, &places, err);
    if (status != RL_OK) return status;
    struct head_spec spec = head_mlp(2, latent, hidden, units, HEAD_NORM_BATCH);
    spec.last_bias = true;
    dim->summary = head_add(&ssl->heads, "summary", &spec);
    spec.sizes[0] = channels;
    if (options->local > 0) dim->local = head_add(&ssl->heads, "local", &spec);
    spec.sizes[0] = channels * places;
    if (options->global > 0) dim->global = head_add(&ssl->heads, "global", &spec);
    if (options->prior > 0)
        dim->discriminator = mlp_add(&ssl->heads, "discriminator", 4, (int[]){latent, 200, 100, 1},
                                     ACTIVATION_RELU, (struct init){INIT_FAN_IN, 0});
    size_t n = (size_t)ssl->common.batch, used = places_used(options, places);
    ssl->extra_bytes = 2 * n * places * (2 * channels + 8 * (hidden + units)) * sizeof(real) +
                       16 * n * n * (used + 1) * sizeof(real);
    return RL_OK;
}

// Rows (n * places, channels) of the map, and the flattened maps.
static struct tensor *place_rows(struct ssl *ssl, struct tensor *map, int *places,
                                 struct tensor **flat) {
    const struct dim_options *options = ssl->options;
    struct tape *tape = ssl->tape;
    int n = map->dim[0], channels = map->dim[map->ndim - 1], all = (int)(map->count / n / channels);
    *flat = op_reshape(tape, map, 2, (int[]){n, all * channels});
    if (map->ndim == 3) // without the class token
        *flat = op_columns(tape, *flat, channels, --all * channels);
    struct tensor *rows = op_reshape(tape, *flat, 2, (int[]){n * all, channels});
    *places = places_used(options, all);
    if (*places == all) return rows;
    int *pick = ARENA_ARRAY(tape_arena(tape), int, n **places);
    for (int i = 0; i < n * *places; i++)
        pick[i] = i / *places * all + (int)((int64_t)(i % *places) * all / *places);
    return op_gather_rows(tape, rows, pick, n * *places);
}

// The discriminator learns to tell the prior from the latents, the latents to be taken for the
// prior.
static struct tensor *prior_loss(struct ssl *ssl, struct tensor *latents) {
    const struct dim_state *dim = ssl->state;
    struct tape *tape = ssl->tape;
    struct tensor *z = op_sigmoid(tape, latents);
    struct tensor *prior = tape_new(tape, 2, z->dim, false);
    for (size_t i = 0; i < prior->count; i++) prior->data[i] = (real)rng_uniform(&ssl->rng);
    struct params frozen = ssl->heads;
    frozen.grad = NULL;
    struct tensor *fooled = mlp(tape, &frozen, &dim->discriminator, z);
    struct tensor *real_score = mlp(tape, &ssl->heads, &dim->discriminator, prior);
    struct tensor *fake_score = mlp(tape, &ssl->heads, &dim->discriminator, op_detach(tape, z));
    // -log sigmoid(s) = softplus(-s)
    struct tensor *total = op_mean(tape, op_softplus(tape, op_affine(tape, fooled, -1, 0)));
    total =
        op_add(tape, total, op_mean(tape, op_softplus(tape, op_affine(tape, real_score, -1, 0))));
    return op_add(tape, total, op_mean(tape, op_softplus(tape, fake_score)));
}

static struct tensor *loss(struct ssl *ssl, const struct ssl_batch *batch,
                           struct metrics *metrics) {
    const struct dim_options *options = ssl->options;
    const struct dim_state *dim = ssl->state;
    struct tape *tape = ssl->tape;
    int n = batch->n, places;
    struct tensor *flat, *map = ssl_local(ssl, batch, ssl_temporal(ssl) ? 1 : 0);
    struct tensor *rows = place_rows(ssl, map, &places, &flat);
    struct tensor *latents = ssl_query(ssl, batch), *total = NULL;
    struct tensor *summary = head(tape, &ssl->heads, &dim->summary, latents);
    ssl_watch(ssl, summary);
    if (options->local > 0) {
        rows = head(tape, &ssl->heads, &dim->local, rows);
        struct tensor *term = loss_infomax(tape, rows, summary, n, options->measure, NULL, NULL);
        metrics_add(metrics, "local_loss", term->data[0]);
        total = op_affine(tape, term, options->local, 0);
    }
    if (options->global > 0) {
        flat = head(tape, &ssl->heads, &dim->global, flat);
        struct tensor *term = loss_infomax(tape, flat, summary, n, options->measure, NULL, NULL);
        metrics_add(metrics, "global_loss", term->data[0]);
        term = op_affine(tape, term, options->global, 0);
        total = total ? op_add(tape, total, term) : term;
    }
    if (options->prior > 0) {
        struct tensor *term = prior_loss(ssl, latents);
        metrics_add(metrics, "prior_loss", term->data[0]);
        term = op_affine(tape, term, options->prior, 0);
        total = total ? op_add(tape, total, term) : term;
    }
    RL_ASSERT(total);
    return total;
}

const struct ssl_ops ssl_dim = {
    .name = "dim",
    .summary = "mutual information of latents and local features (Deep InfoMax)",
    .paper = "Hjelm et al. 2019, arXiv 1808.06670",
    .collapse_hint = "try dim.measure nce, or a lower ssl.lr",
    .opts = {"dim", specs},
    .options_bytes = sizeof(struct dim_options),
    .state_bytes = sizeof(struct dim_state),
    .encodes_both = true,
    .uses_query = true,
    .create = create,
    .loss = loss,
};
