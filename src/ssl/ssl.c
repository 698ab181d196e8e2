#include "ssl/ssl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "ssl/control.h"
#include "ssl/method.h"
#include "ssl/monitor.h"
#include "ssl/sample.h"

// --- registry ---

#define SSL(name) extern const struct ssl_ops ssl_##name;
#include "ssl/ssl.def"
#undef SSL

static const struct ssl_ops *const registry[] = {
#define SSL(name) &ssl_##name,
#include "ssl/ssl.def"
#undef SSL
};

int ssl_count(void) {
    return sizeof registry / sizeof registry[0];
}

const struct ssl_ops *ssl_at(int index) {
    RL_ASSERT(index >= 0 && index < ssl_count());
    return registry[index];
}

const struct ssl_ops *ssl_find(const char *name) {
    for (int i = 0; i < ssl_count(); i++) {
        if (!strcmp(registry[i]->name, name)) return registry[i];
    }
    return NULL;
}

// --- options ---

static const char *const optimizer_names[] = {"adam", "adamw", "sgd", "lars", NULL};
static const char *const augment_names[] = {"shift", "crop", "none", NULL};

#define T struct ssl_options
static const struct opt_spec specs[] = {
    OPT_ROW_INT(T, batch, "128", 2, 65536, "samples an SSL step"),
    OPT_ROW_CHOICE(T, optimizer, "adam", optimizer_names, "of encoder and heads"),
    OPT_ROW_REAL(T, lr, "1e-3", 0, 100, "learning rate (peak)"),
    OPT_ROW_REAL(T, decay, "0", 0, 10, "weight decay"),
    OPT_ROW_REAL(T, clip_norm, "10", 0, 1e9, "largest gradient norm; 0 = no clipping"),
    OPT_ROW_INT(T, warmup_steps, "0", 0, 1e9, "SSL steps of linear rise of the learning rate"),
    OPT_ROW_INT(T, temporal_steps, "2", 0, 64,
                "the positive is so many steps ahead; 0 = another view of the same moment"),
    OPT_ROW_BOOL(T, action_conditioned, "true", "predictors see the actions in between"),
    OPT_ROW_REAL(T, inverse_weight, "1", 0, 1e6, "weight of the inverse-dynamics head"),
    OPT_ROW_REAL(T, reward_weight, "1", 0, 1e6, "weight of the reward head"),
    OPT_ROW_REAL(T, forward_weight, "0", 0, 1e6, "weight of the next-latent head"),
    OPT_ROW_REAL(T, target_decay, "0.99", 0, 1, "momentum of the target networks"),
    OPT_ROW_INT(T, shift_pad, "4", 0, 64, "augment shift: largest shift in pixels"),
    OPT_ROW_CHOICE(T, augment, "shift", augment_names, "views: shift (control), crop (images)"),
    OPT_ROW_REAL(T, crop_min, "0.2", 0.01, 1, "augment crop: smallest share of the area"),
    OPT_ROW_REAL(T, jitter, "0.4", 0, 1, "augment crop: brightness, contrast, saturation"),
    OPT_ROW_REAL(T, gray, "0.2", 0, 1, "augment crop: chance of dropping the colour"),
    OPT_ROW_REAL(T, blur, "0", 0, 1, "augment crop: chance of a blur"),
    OPT_ROW_BOOL(T, flip, "true", "augment crop: mirror half of the pictures"),
    OPT_ROW_INT(T, monitor_every, "50", 1, 1e9, "SSL steps between effective ranks"),
    OPT_ROW_INT(T, total_steps, "0", 0, 1e12,
                "SSL steps of the cosine schedules of rate and momentum; 0 = constant"),
    OPT_END};
#undef T
const struct opt_table ssl_opts = {"ssl", specs};

// --- driver ---

struct driver {
    struct pool *pool;
    struct sampler sampler;
    struct control control;
    struct mlp transition; // of ssl_query
    int next_view;         // shows what follows the anchor
    struct tensor *online[SSL_MAX_VIEWS], *target[SSL_MAX_VIEWS];
    struct tensor *local[SSL_MAX_VIEWS];
    const struct tensor *watched;
    double *scratch; // monitors
    size_t scratch_count;
    int strikes; // checks in a row that looked like collapse
    bool warned;
};

bool ssl_temporal(const struct ssl *ssl) {
    return ssl->common.temporal_steps > 0;
}

double ssl_cosine_decay(const struct ssl *ssl) {
    double base = ssl->common.target_decay;
    if (ssl->common.total_steps == 0) return base;
    return schedule_cosine(base, 1, ssl->common.total_steps, ssl->step);
}

static enum rl_status read_options(struct ssl *ssl, struct config *config, struct rl_error *err) {
    const struct opt_table *own = &ssl->ops->opts;
    ssl->options = mem_alloc(ssl->ops->options_bytes);
    opt_set_defaults(&ssl_opts, &ssl->common);
    if (own->specs) opt_set_defaults(own, ssl->options);
    if (config) {
        enum rl_status status = config_apply(config, &ssl_opts, &ssl->common, err);
        if (status == RL_OK && own->specs) status = config_apply(config, own, ssl->options, err);
        if (status != RL_OK) return status;
    }
    struct ssl_options *common = &ssl->common;
    if (ssl->action_dim == 0) // images know no time
        common->temporal_steps = common->inverse_weight = common->reward_weight =
            common->forward_weight = 0;
    if (common->action_conditioned)
        ssl->action_width = (int)common->temporal_steps * ssl->action_dim;
    return RL_OK;
}

static struct optimizer_hyper optimizer_of(const struct ssl_options *common) {
    struct optimizer_hyper hyper = optimizer_adam(common->lr);
    hyper.kind = common->optimizer;
    hyper.momentum = 0.9;
    hyper.trust = 1e-3;
    hyper.decay = common->decay;
    hyper.clip_norm = common->clip_norm;
    return hyper;
}

static int n_local_views(const struct ssl *ssl) {
    return ssl->ops->local_views ? ssl->ops->local_views(ssl) : 0;
}

static int n_global_views(const struct ssl *ssl) {
    return ssl->ops->sequence ? 1 + (int)ssl->common.temporal_steps : 2;
}

// What one step takes: an encoding for each branch and view, the heads' activations, in-batch
// scores.
static size_t tape_bytes(const struct ssl *ssl) {
    int n = (int)ssl->common.batch, local = n_local_views(ssl), global = n_global_views(ssl);
    bool one_way = (ssl_temporal(ssl) || ssl->ops->one_way) && !ssl->ops->encodes_both;
    int online = (one_way ? 1 : global) + local,
        target = ssl->ops->uses_target ? (one_way ? global - 1 : global) : 0;
    // The control heads look at what follows, which the method itself may not encode.
    bool seen = ssl_temporal(ssl) && (ssl->ops->uses_target || ssl->ops->encodes_both);
    int next = ((struct driver *)ssl->driver)->control.needs_next && !seen;
    size_t total = (online + target + next) * encoder_tape_bytes(ssl->encoder, n);
    size_t rows = (size_t)(online + target) * n;
    for (int i = 0; i < ssl->heads.n_items; i++) {
        const struct param_item *item = &ssl->heads.items[i];
        if (item->ndim == 2)
            total += 10 * (2 * rows * (item->dim[0] + item->dim[1]) * sizeof(real) + 1024);
    }
    size_t pairs = (size_t)4 * n * n;
    return total + 12 * pairs * sizeof(real) + ssl->extra_bytes + (1 << 20);
}

static void create_scratch(struct driver *driver, const struct ssl *ssl) {
    int widest = ssl->encoder->out_dim;
    for (int i = 0; i < ssl->heads.n_items; i++) {
        const struct param_item *item = &ssl->heads.items[i];
        for (int d = 0; d < item->ndim; d++) widest = item->dim[d] > widest ? item->dim[d] : widest;
    }
    driver->scratch_count = monitor_rank_scratch((int)ssl->common.batch, widest) + 4 * widest;
    driver->scratch = MEM_ARRAY(double, driver->scratch_count);
}

static enum rl_status create_sampler(struct ssl *ssl, struct driver *driver, int span,
                                     struct rl_error *err) {
    struct sample_spec spec = {.n_global = n_global_views(ssl),
                               .sequence = ssl->ops->sequence,
                               .n_local = n_local_views(ssl),
                               .next_view = driver->control.needs_next && !ssl_temporal(ssl),
                               .action_dim = ssl->action_dim,
                               .span = span,
                               .conditioned = ssl->action_width > 0,
                               .options = ssl->common};
    memcpy(spec.dim, ssl->encoder->spec.in_dim, sizeof spec.dim);
    if (spec.n_global + spec.n_local + spec.next_view > SSL_MAX_VIEWS)
        return rl_fail(err, RL_EUSAGE,
                       "%s: more than %d views: fewer temporal steps or local crops",
                       ssl->ops->name, SSL_MAX_VIEWS);
    driver->next_view = ssl_temporal(ssl) ? spec.n_global - 1 : spec.n_global + spec.n_local;
    return sampler_create(&driver->sampler, &spec, err);
}

static enum rl_status check_fit(const struct ssl *ssl, struct rl_error *err) {
    const struct ssl_ops *ops = ssl->ops;
    const char *encoder = ssl->encoder->ops->name;
    if (ssl->encoder->ops->vector_input)
        return rl_fail(err, RL_EUSAGE, "%s learns from pixels, which encoder '%s' does not read",
                       ops->name, encoder);
    if (ops->vit_only && strcmp(encoder, "vit"))
        return rl_fail(err, RL_EUSAGE, "%s needs the tokens of encoder 'vit', not '%s'", ops->name,
                       encoder);
    if (ops->sequence && ssl->common.temporal_steps < 1)
        return rl_fail(
            err, RL_EUSAGE,
            "%s predicts what comes: it needs a replay and ssl.temporal_steps of 1 or more",
            ops->name);
    return RL_OK;
}

static enum rl_status build(struct ssl *ssl, const struct ssl_spec *spec, struct config *config,
                            struct pool *pool, struct rl_error *err) {
    const struct ssl_ops *ops = ssl->ops;
    const struct encoder *encoder = ssl->encoder;
    enum rl_status status = read_options(ssl, config, err);
    if (status == RL_OK) status = check_fit(ssl, err);
    if (status != RL_OK) return status;
    struct driver *driver = ssl->driver = MEM_NEW(struct driver);
    driver->pool = pool;
    ssl->rng = rng_fork(spec->seed, "ssl/samples");
    ssl->state = mem_alloc(ops->state_bytes);
    int span = ssl_temporal(ssl) ? (int)ssl->common.temporal_steps : 1;
    control_create(&driver->control, ssl, span);
    if (ops->uses_query && ssl->action_width > 0) {
        int latent = encoder->out_dim, sizes[] = {latent + ssl->action_width, 256, latent};
        driver->transition = mlp_add(&ssl->heads, "transition", 3, sizes, ACTIVATION_RELU,
                                     (struct init){INIT_FAN_IN, 0});
    }
    status = ops->create(ssl, err);
    if (status == RL_OK) status = create_sampler(ssl, driver, span, err);
    if (status != RL_OK) return status;
    struct rng weights = rng_fork(spec->seed, "ssl/weights");
    params_finish(&ssl->heads, true, &weights);
    if (ops->uses_target) {
        params_clone(&ssl->target_encoder, &ssl->encoder->params);
        params_clone(&ssl->target_heads, &ssl->heads);
    }
    optimizer_init(&ssl->encoder_optimizer, &ssl->encoder->params, optimizer_of(&ssl->common));
    optimizer_init(&ssl->heads_optimizer, &ssl->heads, optimizer_of(&ssl->common));
    create_scratch(driver, ssl);
    ssl->tape = tape_create(tape_bytes(ssl), pool, err);
    return ssl->tape ? RL_OK : RL_ENOMEM;
}

struct ssl *ssl_create(const char *name, const struct ssl_spec *spec, struct encoder *encoder,
                       struct config *config, struct pool *pool, struct rl_error *err) {
    const struct ssl_ops *ops = ssl_find(name);
    if (!ops) {
        const char *names[sizeof registry / sizeof registry[0]];
        for (int i = 0; i < ssl_count(); i++) names[i] = registry[i]->name;
        char hint[128];
        text_suggestion(hint, sizeof hint, name, names, ssl_count());
        rl_fail(err, RL_EUSAGE, "no SSL method is called '%s'%s: see 'rlrun list ssl'", name, hint);
        return NULL;
    }
    struct ssl *ssl = MEM_NEW(struct ssl);
    ssl->ops = ops;
    ssl->encoder = encoder;
    ssl->action_dim = spec->action_dim;
    ssl->index_count = spec->index_count;
    if (build(ssl, spec, config, pool, err) == RL_OK) return ssl;
    ssl_destroy(ssl);
    return NULL;
}

void ssl_destroy(struct ssl *ssl) {
    if (!ssl) return;
    if (ssl->ops->destroy && ssl->state) ssl->ops->destroy(ssl);
    struct driver *driver = ssl->driver;
    if (driver) {
        sampler_release(&driver->sampler);
        mem_free(driver->scratch);
    }
    optimizer_release(&ssl->encoder_optimizer);
    optimizer_release(&ssl->heads_optimizer);
    params_release(&ssl->heads);
    params_release(&ssl->target_encoder);
    params_release(&ssl->target_heads);
    tape_destroy(ssl->tape);
    mem_free(ssl->options);
    mem_free(ssl->state);
    mem_free(driver);
    mem_free(ssl);
}

// --- what methods call ---

static struct tensor *encode(struct ssl *ssl, const struct ssl_batch *batch, int view,
                             const struct params *params) {
    RL_ASSERT(view >= 0 && view < batch->n_views);
    struct encoder_input input = {.n = batch->n, .pixels = batch->view[view]};
    return encoder_forward(ssl->encoder, ssl->tape, params, &input);
}

struct tensor *ssl_online(struct ssl *ssl, const struct ssl_batch *batch, int view) {
    struct driver *driver = ssl->driver;
    if (!driver->online[view])
        driver->online[view] = encode(ssl, batch, view, &ssl->encoder->params);
    return driver->online[view];
}

struct tensor *ssl_local(struct ssl *ssl, const struct ssl_batch *batch, int view) {
    struct driver *driver = ssl->driver;
    if (!driver->local[view]) {
        RL_ASSERT(!driver->online[view]);
        struct encoder_input input = {.n = batch->n, .pixels = batch->view[view]};
        driver->local[view] = ssl->encoder->ops->local(
            ssl->encoder, ssl->tape, &ssl->encoder->params, &input, &driver->online[view]);
    }
    return driver->local[view];
}

struct tensor *ssl_encode_pixels(struct ssl *ssl, const struct ssl_batch *batch,
                                 const uint8_t *pixels) {
    struct encoder_input input = {.n = batch->n, .pixels = pixels};
    return encoder_forward(ssl->encoder, ssl->tape, &ssl->encoder->params, &input);
}

struct tensor *ssl_target(struct ssl *ssl, const struct ssl_batch *batch, int view) {
    RL_ASSERT(ssl->ops->uses_target);
    struct driver *driver = ssl->driver;
    if (!driver->target[view]) {
        bool recording = tape_set_recording(ssl->tape, false);
        driver->target[view] = encode(ssl, batch, view, &ssl->target_encoder);
        tape_set_recording(ssl->tape, recording);
    }
    return driver->target[view];
}

struct tensor *ssl_query(struct ssl *ssl, const struct ssl_batch *batch) {
    struct tensor *z = ssl_online(ssl, batch, 0);
    if (!batch->actions) return z;
    const struct driver *driver = ssl->driver;
    return op_add(
        ssl->tape, z,
        mlp(ssl->tape, &ssl->heads, &driver->transition, ssl_with_actions(ssl, batch, z)));
}

struct tensor *ssl_target_head(struct ssl *ssl, const struct head *layers, struct tensor *x) {
    bool recording = tape_set_recording(ssl->tape, false);
    x = head(ssl->tape, &ssl->target_heads, layers, x);
    tape_set_recording(ssl->tape, recording);
    return x;
}

void ssl_watch(struct ssl *ssl, const struct tensor *embedding) {
    struct driver *driver = ssl->driver;
    if (!driver->watched) driver->watched = embedding;
}

struct tensor *ssl_with_actions(struct ssl *ssl, const struct ssl_batch *batch, struct tensor *x) {
    if (!batch->actions) return x;
    struct tensor *actions = tape_input_2d(ssl->tape, batch->actions, batch->n, ssl->action_width);
    return op_concat(ssl->tape, x, actions);
}

// --- one step ---

#define COLLAPSE_SHARE   0.02 // of the healthy std
#define COLLAPSE_STRIKES 3
#define COLLAPSE_GRACE   150 // SSL steps: embeddings of new nets are close together

static void check_collapse(struct ssl *ssl, const struct monitor_figures *figures) {
    struct driver *driver = ssl->driver;
    bool bad = ssl->ops->collapse_hint && figures->std < COLLAPSE_SHARE * figures->healthy;
    driver->strikes = bad ? driver->strikes + 1 : 0;
    if (driver->strikes < COLLAPSE_STRIKES || driver->warned || ssl->step < COLLAPSE_GRACE) return;
    driver->warned = true;
    log_warning(
        "%s has collapsed at SSL step %lld: embeddings of different inputs have cosine %.4f "
        "and std %.2g (healthy: %.2g). %s",
        ssl->ops->name, (long long)ssl->step, figures->cosine, figures->std, figures->healthy,
        ssl->ops->collapse_hint);
}

static void watch(struct ssl *ssl, struct metrics *metrics) {
    struct driver *driver = ssl->driver;
    const struct tensor *latents = driver->online[0],
                        *embedding = driver->watched ? driver->watched : latents;
    if (!embedding) return;
    int n = embedding->dim[0], d = embedding->dim[1];
    struct monitor_figures figures = monitor_measure(embedding->data, n, d, driver->scratch);
    metrics_add(metrics, "std", figures.std);
    metrics_add(metrics, "std_healthy", figures.healthy);
    metrics_add(metrics, "cosine", figures.cosine);
    if (latents) {
        struct monitor_figures own =
            monitor_measure(latents->data, latents->dim[0], latents->dim[1], driver->scratch);
        metrics_add(metrics, "latent_std", own.raw_std);
    }
    if (ssl->step % ssl->common.monitor_every) return;
    metrics_add(metrics, "rank", monitor_rank(embedding->data, n, d, driver->scratch));
    if (latents) {
        double rank =
            monitor_rank(latents->data, latents->dim[0], latents->dim[1], driver->scratch);
        metrics_add(metrics, "latent_rank", rank);
    }
    check_collapse(ssl, &figures);
}

static double rate_scale(const struct ssl *ssl) {
    const struct ssl_options *common = &ssl->common;
    if (ssl->step < common->warmup_steps)
        return (double)(ssl->step + 1) / (double)common->warmup_steps;
    if (common->total_steps == 0) return 1;
    return schedule_cosine(1, 0, common->total_steps - common->warmup_steps,
                           ssl->step - common->warmup_steps);
}

static enum rl_status step_weights(struct ssl *ssl, struct metrics *metrics, struct rl_error *err) {
    struct pool *pool = ((struct driver *)ssl->driver)->pool;
    double scale = rate_scale(ssl), norm, heads_norm;
    gradient_average(ssl->sync, &ssl->encoder->params);
    gradient_average(ssl->sync, &ssl->heads);
    enum rl_status status = optimizer_step(&ssl->encoder_optimizer, pool, scale, &norm, err);
    if (status == RL_OK)
        status = optimizer_step(&ssl->heads_optimizer, pool, scale, &heads_norm, err);
    if (status != RL_OK)
        return rl_fail_context(err, "%s, SSL step %lld", ssl->ops->name, (long long)ssl->step);
    metrics_add(metrics, "grad_norm", norm);
    metrics_add(metrics, "heads_grad_norm", heads_norm);
    if (!ssl->ops->uses_target) return RL_OK;
    double decay = ssl->ops->target_decay ? ssl->ops->target_decay(ssl) : ssl->common.target_decay;
    const struct params *params = &ssl->encoder->params;
    optim_ema(pool, decay, params->count, params->value, ssl->target_encoder.value);
    optim_ema(pool, decay, ssl->heads.count, ssl->heads.value, ssl->target_heads.value);
    return RL_OK;
}

enum rl_status ssl_update(struct ssl *ssl, const struct ssl_source *source, struct metrics *metrics,
                          struct rl_error *err) {
    struct driver *driver = ssl->driver;
    sampler_draw(&driver->sampler, source, &ssl->rng, driver->pool);
    const struct ssl_batch *batch = &driver->sampler.batch;
    tape_reset(ssl->tape);
    memset(driver->online, 0, sizeof driver->online);
    memset(driver->target, 0, sizeof driver->target);
    memset(driver->local, 0, sizeof driver->local);
    driver->watched = NULL;
    struct tensor *loss = ssl->ops->loss(ssl, batch, metrics);
    metrics_add(metrics, "loss", loss->data[0]);
    if (ssl->ops->chance) metrics_add(metrics, "chance", ssl->ops->chance(ssl));
    struct tensor *extra =
        control_loss(&driver->control, ssl, &driver->sampler, driver->next_view, metrics);
    if (extra) loss = op_add(ssl->tape, loss, extra);
    if (!isfinite(loss->data[0]))
        return rl_fail(err, RL_ENUMERIC, "%s: loss is not finite at SSL step %lld", ssl->ops->name,
                       (long long)ssl->step);
    tape_backward(ssl->tape, loss);
    watch(ssl, metrics);
    enum rl_status status = step_weights(ssl, metrics, err);
    if (status != RL_OK) return status;
    if (ssl->ops->after_step) ssl->ops->after_step(ssl, batch);
    ssl->step++;
    return RL_OK;
}

void ssl_visit(struct ssl *ssl, const char *prefix, struct state_visitor *visitor) {
    size_t mark = state_enter(visitor, prefix);
    state_params(visitor, "heads", &ssl->heads);
    if (ssl->ops->uses_target) {
        state_params(visitor, "target_encoder", &ssl->target_encoder);
        state_params(visitor, "target_heads", &ssl->target_heads);
    }
    optimizer_visit(&ssl->encoder_optimizer, "encoder_optimizer", visitor);
    optimizer_visit(&ssl->heads_optimizer, "heads_optimizer", visitor);
    state_rng(visitor, "rng", &ssl->rng);
    state_field(visitor, ssl, step);
    if (ssl->ops->visit) ssl->ops->visit(ssl, visitor);
    state_leave(visitor, mark);
}
