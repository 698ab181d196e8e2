#include "density/fit.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

double density_mean_nll(struct density *density, const struct density_data *data) {
    int classes = density->spec.classes;
    double *log_prob = MEM_ARRAY(double, data->n), prior[DENSITY_MAX_CLASSES], sum = 0;
    density_log_prob(density, data->n, data->x, data->label, log_prob);
    if (classes) density_log_prior(density, prior);
    for (int64_t i = 0; i < data->n; i++)
        sum -= log_prob[i] + (classes ? prior[data->label[i]] : 0);
    mem_free(log_prob);
    return sum / (double)data->n;
}

// --- batches ---

struct batches {
    const struct density_data *data;
    int64_t d, size, next;
    int64_t *order;
    uint8_t *x;
    int *label;
    struct rng rng;
};

static void batches_init(struct batches *batches, const struct density_data *data, int d,
                         int64_t size, uint64_t seed) {
    *batches = (struct batches){.data = data, .d = d, .size = size, .next = data->n};
    batches->order = MEM_ARRAY(int64_t, data->n);
    batches->x = mem_alloc((size_t)size * (size_t)d);
    batches->label = MEM_ARRAY(int, size);
    batches->rng = rng_fork(seed, "density batches");
    for (int64_t i = 0; i < data->n; i++) batches->order[i] = i;
}

static void batches_release(struct batches *batches) {
    mem_free(batches->order);
    mem_free(batches->x);
    mem_free(batches->label);
}

// The next rows of a pass through the data in random order; fewer at its end.
static int batches_next(struct batches *batches) {
    int64_t n = batches->data->n;
    if (batches->next >= n) {
        for (int64_t i = n - 1; i > 0; i--) {
            int64_t j = rng_below(&batches->rng, (uint32_t)i + 1), kept = batches->order[i];
            batches->order[i] = batches->order[j];
            batches->order[j] = kept;
        }
        batches->next = 0;
    }
    int count = 0;
    for (; count < batches->size && batches->next < n; count++) {
        int64_t row = batches->order[batches->next++];
        memcpy(batches->x + (size_t)count * (size_t)batches->d,
               batches->data->x + (size_t)row * (size_t)batches->d, (size_t)batches->d);
        if (batches->data->label) batches->label[count] = batches->data->label[row];
    }
    return count;
}

// --- a model ---

struct fit {
    struct density *density;
    const struct density_fit_options *options;
    const struct density_data *valid;
    struct density_fit_state state;
    struct batches batches;
    real *best;
    double start_s;
    const volatile int *stop;
    void (*on_progress)(void *context, const struct density_fit_state *);
    void *context;
};

static bool over(const struct fit *fit) {
    double limit = fit->options->time_limit;
    return (fit->stop && *fit->stop) || (limit > 0 && clock_now_s() - fit->start_s >= limit);
}

static void show(const struct fit *fit) {
    if (fit->on_progress) fit->on_progress(fit->context, &fit->state);
}

static enum rl_status run_epoch(struct fit *fit, struct rl_error *err) {
    struct density_fit_state *state = &fit->state;
    int64_t rows = fit->batches.data->n, seen = 0;
    double sum = 0;
    while (seen < rows && !over(fit)) {
        double scale = schedule_cosine(1, fit->options->final_lr, state->total_steps, state->steps);
        int n = batches_next(&fit->batches);
        double nll;
        enum rl_status status =
            density_update(fit->density, n, fit->batches.x, fit->batches.label, scale, &nll, err);
        if (status != RL_OK) return status;
        seen += n;
        sum += nll * n;
        state->steps++;
        state->train_nll = sum / (double)seen;
        show(fit);
    }
    state->epoch += seen == rows; // not when time was up
    return RL_OK;
}

static void validate(struct fit *fit) {
    struct density_fit_state *state = &fit->state;
    const struct params *params = &fit->density->params;
    if (!fit->valid->n) return;
    state->valid_nll = density_mean_nll(fit->density, fit->valid);
    show(fit);
    if (state->valid_nll >= state->best_nll) return;
    state->best_nll = state->valid_nll;
    state->best_epoch = state->epoch;
    memcpy(fit->best, params->value, params->count * sizeof(real));
}

enum rl_status density_fit(struct density *density, const struct density_data *train,
                           const struct density_data *valid,
                           const struct density_fit_options *options,
                           void (*on_progress)(void *context, const struct density_fit_state *),
                           void *context, const volatile int *stop,
                           struct density_fit_state *result, struct rl_error *err) {
    RL_ASSERT(train->n > 0 && train->n < UINT32_MAX && options->batch <= density->spec.batch);
    struct fit fit = {density, options, valid, .start_s = clock_now_s(), .stop = stop};
    fit.on_progress = on_progress;
    fit.context = context;
    fit.state.epochs = options->epochs;
    fit.state.total_steps = options->epochs * ((train->n + options->batch - 1) / options->batch);
    fit.state.train_nll = fit.state.valid_nll = NAN;
    fit.state.best_nll = INFINITY;
    fit.best = MEM_ARRAY(real, density->params.count);
    batches_init(&fit.batches, train, density->size, options->batch, density->spec.seed);
    enum rl_status status = RL_OK;
    while (status == RL_OK && fit.state.epoch < options->epochs && !over(&fit)) {
        status = run_epoch(&fit, err);
        if (status == RL_OK) validate(&fit);
    }
    if (isfinite(fit.state.best_nll))
        memcpy(density->params.value, fit.best, density->params.count * sizeof(real));
    batches_release(&fit.batches);
    mem_free(fit.best);
    if (result) *result = fit.state;
    return status;
}

// --- softmax regression ---

struct regression {
    struct params params;
    struct tape *tape;
    struct optimizer optimizer;
    int weight, bias, d;
    real *x;
};

static struct tensor *scores(struct regression *net, int n, const uint8_t *x) {
    for (int64_t i = 0; i < (int64_t)n * net->d; i++) net->x[i] = (real)x[i];
    tape_reset(net->tape);
    return op_linear(net->tape, tape_input_2d(net->tape, net->x, n, net->d),
                     tape_param(net->tape, &net->params, net->weight),
                     tape_param(net->tape, &net->params, net->bias), false);
}

static int largest(const real *values, int count) {
    int best = 0;
    for (int i = 1; i < count; i++) {
        if (values[i] > values[best]) best = i;
    }
    return best;
}

#define REGRESSION_BATCH 100
#define REGRESSION_STEPS 2000 // the least: small sets are passed through more often

static double regression_test(struct regression *net, const struct density_data *test,
                              int classes) {
    int64_t right = 0;
    for (int64_t i = 0; i < test->n; i += REGRESSION_BATCH) {
        int n = (int)(test->n - i < REGRESSION_BATCH ? test->n - i : REGRESSION_BATCH);
        const real *score = scores(net, n, test->x + (size_t)i * (size_t)net->d)->data;
        for (int j = 0; j < n; j++)
            right += largest(score + (size_t)j * classes, classes) == test->label[i + j];
    }
    return (double)right / (double)test->n;
}

enum rl_status density_regression_accuracy(const struct density_data *train,
                                           const struct density_data *test, int d, int classes,
                                           int64_t epochs, uint64_t seed, struct pool *pool,
                                           double *accuracy, struct rl_error *err) {
    struct regression net = {.d = d};
    struct init zero = {INIT_ZERO, 0};
    net.weight = params_add(&net.params, "weight", 2, (int[]){classes, d}, zero, d, classes);
    net.bias = params_add(&net.params, "bias", 1, &classes, zero, 1, 1);
    struct rng rng = rng_seed(seed);
    params_finish(&net.params, true, &rng);
    optimizer_init(&net.optimizer, &net.params, optimizer_adam(1e-3));
    size_t rows = (size_t)REGRESSION_BATCH * (size_t)(d + 8 * classes);
    net.x = MEM_ARRAY(real, rows);
    net.tape = tape_create(2 * rows * sizeof(real) + ((size_t)1 << 16), pool, err);
    enum rl_status status = net.tape ? RL_OK : err->code;
    struct batches batches;
    batches_init(&batches, train, d, REGRESSION_BATCH, seed);
    int64_t steps = epochs * ((train->n + REGRESSION_BATCH - 1) / REGRESSION_BATCH);
    if (steps < REGRESSION_STEPS) steps = REGRESSION_STEPS;
    for (int64_t i = 0; i < steps && status == RL_OK; i++) {
        int n = batches_next(&batches);
        struct tensor *loss = op_cross_entropy(net.tape, scores(&net, n, batches.x), batches.label);
        tape_backward(net.tape, loss);
        double scale = schedule_cosine(1, 0.05, steps, i);
        status = optimizer_step(&net.optimizer, pool, scale, NULL, err);
    }
    if (status == RL_OK) *accuracy = regression_test(&net, test, classes);
    batches_release(&batches);
    tape_destroy(net.tape);
    mem_free(net.x);
    optimizer_release(&net.optimizer);
    params_release(&net.params);
    return status;
}
