#include "density/density.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "density/likelihood.h"
#include "nn/weights.h"

#define DENSITY(name) extern const struct density_ops density_##name;
#include "density/density.def"
#undef DENSITY

static const struct density_ops *const registry[] = {
#define DENSITY(name) &density_##name,
#include "density/density.def"
#undef DENSITY
};

int density_count(void) {
    return sizeof registry / sizeof registry[0];
}

const struct density_ops *density_at(int index) {
    RL_ASSERT(index >= 0 && index < density_count());
    return registry[index];
}

const struct density_ops *density_find(const char *name) {
    for (int i = 0; i < density_count(); i++) {
        if (!strcmp(registry[i]->name, name)) return registry[i];
    }
    return NULL;
}

// --- creation ---

static const struct density_ops *find(const char *name, struct rl_error *err) {
    const struct density_ops *ops = density_find(name);
    if (ops) return ops;
    const char *names[sizeof registry / sizeof registry[0]];
    for (int i = 0; i < density_count(); i++) names[i] = registry[i]->name;
    char hint[128];
    text_suggestion(hint, sizeof hint, name, names, (size_t)density_count());
    rl_fail(err, RL_EUSAGE, "no density model is called '%.60s'%s: see 'rlrun density list'", name,
            hint);
    return NULL;
}

static enum rl_status check_spec(const struct density_spec *spec, struct rl_error *err) {
    if (spec->height < 1 || spec->width < 1 || spec->height > 1024 || spec->width > 16384 ||
        spec->height * spec->width > 16384)
        return rl_fail(err, RL_EUSAGE, "rows of %d x %d places: at most 16384 in all", spec->height,
                       spec->width);
    if (spec->classes < 0 || spec->classes == 1 || spec->classes > DENSITY_MAX_CLASSES)
        return rl_fail(err, RL_EUSAGE, "%d classes are not 0 or 2..%d", spec->classes,
                       DENSITY_MAX_CLASSES);
    RL_ASSERT(spec->batch > 0);
    return RL_OK;
}

void density_set_orders(struct density *density, int count) {
    int d = density->size;
    density->n_orders = count;
    density->orders =
        mem_grow(density->orders, 0, mem_size((size_t)count * (size_t)d, sizeof(int)));
    struct rng rng = rng_fork(density->spec.seed, "orders");
    for (int k = 0; k < count; k++) {
        int *order = density->orders + (size_t)k * d;
        for (int i = 0; i < d; i++) order[i] = i;
        for (int i = d - 1; k > 0 && i > 0; i--) {
            int j = (int)rng_below(&rng, (uint32_t)i + 1), kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
    }
}

static void add_labels(struct density *density) {
    const struct density_spec *spec = &density->spec;
    density->prior = density->label = -1;
    if (!spec->classes) return;
    struct init zero = {INIT_ZERO, 0};
    int dim[2] = {density->size, spec->classes};
    density->prior = params_add(&density->params, "prior", 1, dim + 1, zero, 1, 1);
    density->label = params_add(&density->params, "label", 2, dim, zero, dim[1], dim[0]);
}

static enum rl_status build(struct density *density, struct config *config, struct pool *pool,
                            struct rl_error *err) {
    const struct density_ops *ops = density->ops;
    const struct density_spec *spec = &density->spec;
    enum rl_status status = check_spec(spec, err);
    if (status == RL_OK && ops->opts.specs && config) {
        status = config_apply(config, &ops->opts, density->options, err);
    } else if (ops->opts.specs) {
        opt_set_defaults(&ops->opts, density->options);
    }
    if (status != RL_OK) return status;
    density->size = spec->height * spec->width;
    density_set_orders(density, 1);
    add_labels(density);
    status = ops->create(density, err);
    if (status != RL_OK) return status;
    struct rng rng = rng_fork(spec->seed, "density weights");
    density->rng = rng_fork(spec->seed, "density training");
    for (int i = 0; i < density->params.n_items; i++) // biases
        density->params.items[i].no_decay |= density->params.items[i].ndim == 1;
    params_finish(&density->params, true, &rng);
    optimizer_init(&density->optimizer, &density->params, spec->hyper);
    size_t rows = (size_t)spec->batch * (size_t)(density->size + spec->classes);
    density->x = MEM_ARRAY(real, rows);
    density->y = density->x + (size_t)spec->batch * (size_t)density->size;
    size_t own = 16 * rows * sizeof(real) + ((size_t)1 << 16); // likelihood, labels
    density->tape = tape_create(ops->tape_bytes(density, spec->batch) + own, pool, err);
    return density->tape ? RL_OK : err->code;
}

struct density *density_create(const char *name, const struct density_spec *spec,
                               struct config *config, struct pool *pool, struct rl_error *err) {
    const struct density_ops *ops = find(name, err);
    if (!ops) return NULL;
    struct density *density = MEM_NEW(struct density);
    density->ops = ops;
    density->spec = *spec;
    density->options = mem_alloc(ops->options_bytes);
    density->state = mem_alloc(ops->state_bytes);
    if (build(density, config, pool, err) == RL_OK) return density;
    density_destroy(density);
    return NULL;
}

void density_destroy(struct density *density) {
    if (!density) return;
    if (density->ops->destroy) density->ops->destroy(density);
    tape_destroy(density->tape);
    if (density->optimizer.params) optimizer_release(&density->optimizer);
    params_release(&density->params);
    mem_free(density->x);
    mem_free(density->orders);
    mem_free(density->state);
    mem_free(density->options);
    mem_free(density);
}

// --- likelihood ---

struct tensor *density_logits(struct density *density, int order, struct tensor *x,
                              struct tensor *y) {
    struct tensor *logits = density->ops->logits(density, density->tape, order, x, y);
    if (!y) return logits;
    struct tensor *label = tape_param(density->tape, &density->params, density->label);
    return op_add(density->tape, logits, op_linear(density->tape, y, label, NULL, false));
}

static struct tensor *put_rows(struct density *density, int n, const uint8_t *x) {
    RL_ASSERT(n > 0 && n <= density->spec.batch);
    for (size_t i = 0; i < (size_t)n * (size_t)density->size; i++) density->x[i] = (real)x[i];
    return tape_input_2d(density->tape, density->x, n, density->size);
}

// One-hot rows; every row of the same class when label is NULL. NULL without classes.
static struct tensor *put_labels(struct density *density, int n, const int *label, int class) {
    int classes = density->spec.classes;
    if (!classes) return NULL;
    memset(density->y, 0, (size_t)n * (size_t)classes * sizeof(real));
    for (int i = 0; i < n; i++) {
        int own = label ? label[i] : class;
        RL_ASSERT(own >= 0 && own < classes);
        density->y[(size_t)i * classes + own] = 1;
    }
    return tape_input_2d(density->tape, density->y, n, classes);
}

struct tensor *density_loss(struct density *density, int n, const uint8_t *x, const int *label,
                            int order) {
    struct tape *tape = density->tape;
    struct tensor *rows = put_rows(density, n, x), *y = put_labels(density, n, label, 0);
    RL_ASSERT(!y || label);
    struct tensor *logits = density_logits(density, order, rows, y);
    struct tensor *fit = op_mean(tape, density_log_likelihood(tape, logits, rows));
    struct tensor *loss = op_affine(tape, fit, -1, 0);
    if (!y) return loss;
    struct tensor *prior = tape_param(tape, &density->params, density->prior);
    return op_add(tape, loss, op_cross_entropy(tape, op_repeat_row(tape, prior, n), label));
}

enum rl_status density_update(struct density *density, int n, const uint8_t *x, const int *label,
                              double lr_scale, double *nll, struct rl_error *err) {
    int k = density->n_orders > 1 ? (int)rng_below(&density->rng, (uint32_t)density->n_orders) : 0;
    tape_reset(density->tape);
    struct tensor *loss = density_loss(density, n, x, label, k);
    *nll = (double)loss->data[0];
    if (!isfinite(*nll)) return rl_fail(err, RL_ENUMERIC, "the likelihood is not finite");
    tape_backward(density->tape, loss);
    return optimizer_step(&density->optimizer, tape_pool(density->tape), lr_scale, NULL, err);
}

// log(1 + exp(a)) in double.
static double softplus(double a) {
    return (a > 0 ? a : 0) + log1p(exp(-fabs(a)));
}

static double add_logs(double a, double b) {
    if (a < b) return b + log1p(exp(a - b));
    return isinf(a) ? a : a + log1p(exp(b - a));
}

// out += or is set to log p_order(x | y) of n <= batch rows.
static void order_log_prob(struct density *density, int order, int n, const uint8_t *x,
                           const int *label, int class, double *out) {
    tape_reset(density->tape);
    tape_set_recording(density->tape, false);
    struct tensor *rows = put_rows(density, n, x), *y = put_labels(density, n, label, class);
    const real *logit = density_logits(density, order, rows, y)->data;
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < density->size; j++, logit++, x++)
            sum += (*x ? (double)*logit : 0) - softplus((double)*logit);
        out[i] = order ? add_logs(out[i], sum) : sum;
    }
}

static void conditional(struct density *density, int n, const uint8_t *x, const int *label,
                        int class, double *out) {
    for (int k = 0; k < density->n_orders; k++) order_log_prob(density, k, n, x, label, class, out);
    for (int i = 0; i < n; i++) out[i] -= log(density->n_orders);
}

static int64_t chunk(const struct density *density, int64_t left) {
    return left < density->spec.batch ? left : density->spec.batch;
}

static void marginal(struct density *density, int n, const uint8_t *x, double *out) {
    int classes = density->spec.classes;
    double *each = MEM_ARRAY(double, n *classes);
    density_joint(density, n, x, each);
    for (int i = 0; i < n; i++) {
        out[i] = -INFINITY;
        for (int k = 0; k < classes; k++) out[i] = add_logs(out[i], each[i * classes + k]);
    }
    mem_free(each);
}

void density_log_prob(struct density *density, int64_t n, const uint8_t *x, const int *label,
                      double *out) {
    for (int64_t i = 0; i < n; i += density->spec.batch) {
        int count = (int)chunk(density, n - i);
        const uint8_t *rows = x + (size_t)i * (size_t)density->size;
        if (density->spec.classes && !label) {
            marginal(density, count, rows, out + i);
        } else {
            conditional(density, count, rows, label ? label + i : NULL, 0, out + i);
        }
    }
}

void density_log_prior(const struct density *density, double *out) {
    int classes = density->spec.classes;
    const real *logit = density->params.value + density->params.items[density->prior].offset;
    double total = -INFINITY;
    for (int k = 0; k < classes; k++) total = add_logs(total, (double)logit[k]);
    for (int k = 0; k < classes; k++) out[k] = (double)logit[k] - total;
}

void density_joint(struct density *density, int64_t n, const uint8_t *x, double *out) {
    int classes = density->spec.classes;
    RL_ASSERT(classes > 0);
    double prior[DENSITY_MAX_CLASSES], *own = MEM_ARRAY(double, density->spec.batch);
    density_log_prior(density, prior);
    for (int64_t i = 0; i < n; i += density->spec.batch) {
        int count = (int)chunk(density, n - i);
        for (int k = 0; k < classes; k++) {
            conditional(density, count, x + (size_t)i * (size_t)density->size, NULL, k, own);
            for (int j = 0; j < count; j++) out[(i + j) * classes + k] = own[j] + prior[k];
        }
    }
    mem_free(own);
}

// --- state and files ---

void density_visit(struct density *density, const char *prefix, struct state_visitor *visitor) {
    size_t mark = state_enter(visitor, prefix);
    state_params(visitor, "params", &density->params);
    optimizer_visit(&density->optimizer, "optimizer", visitor);
    state_rng(visitor, "rng", &density->rng);
    state_leave(visitor, mark);
}

#define FORMAT_KEY     "rlrun.density"
#define FORMAT_VERSION "1"

enum rl_status density_save(const struct density *density, const char *path, struct rl_error *err) {
    const struct density_spec *spec = &density->spec;
    char dims[96];
    snprintf(dims, sizeof dims, "%d %d %d %llu", spec->height, spec->width, spec->classes,
             (unsigned long long)spec->seed);
    struct text options = {0};
    text_add(&options, "%s", "");
    if (density->ops->opts.specs) opt_dump_yaml(&density->ops->opts, density->options, &options);
    const char *meta[] = {FORMAT_KEY, FORMAT_VERSION, "model",   density->ops->name,
                          "spec",     dims,           "options", options.data};
    struct weights_block block = {"", (struct params *)&density->params};
    enum rl_status status = weights_save(path, &block, 1, meta, 4, err);
    text_release(&options);
    return status;
}

static struct density *from_file(const struct st_file *file, const char *path, int batch,
                                 struct pool *pool, struct rl_error *err) {
    const char *version = st_meta(file, FORMAT_KEY), *name = st_meta(file, "model"),
               *dims = st_meta(file, "spec"), *options = st_meta(file, "options");
    struct density_spec spec = {.batch = batch, .hyper = optimizer_adam(1e-3)};
    unsigned long long seed;
    if (!version || strcmp(version, FORMAT_VERSION) || !name || !options || !dims ||
        sscanf(dims, "%d %d %d %llu", &spec.height, &spec.width, &spec.classes, &seed) != 4) {
        rl_fail(err, RL_EFORMAT, "%s is not a density model of format " FORMAT_VERSION, path);
        return NULL;
    }
    spec.seed = seed;
    struct config config = {0};
    struct density *density = NULL;
    if (!*options || config_add_yaml_text(&config, options, strlen(options), path, err) == RL_OK)
        density = density_create(name, &spec, &config, pool, err);
    config_release(&config);
    if (!density) return NULL;
    struct weights_block block = {"", &density->params};
    if (weights_take(file, path, &block, 1, false, err) == RL_OK) return density;
    density_destroy(density);
    return NULL;
}

struct density *density_load(const char *path, int batch, struct pool *pool, struct rl_error *err) {
    struct st_file file;
    if (st_read(path, &file, err) != RL_OK) return NULL;
    struct density *density = from_file(&file, path, batch, pool, err);
    st_release(&file);
    return density;
}
