#include "nn/optimizer.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "math/vec.h"

struct optimizer_hyper optimizer_adam(double lr) {
    return (struct optimizer_hyper){
        .kind = OPTIMIZER_ADAM, .lr = lr, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
}

void optimizer_init(struct optimizer *optimizer, struct params *params,
                    struct optimizer_hyper hyper) {
    RL_ASSERT(params->value && params->grad);
    *optimizer = (struct optimizer){.hyper = hyper, .params = params};
    optimizer->v = MEM_ARRAY(real, params->count);
    if (hyper.kind == OPTIMIZER_ADAM || hyper.kind == OPTIMIZER_ADAMW) {
        optimizer->m = MEM_ARRAY(real, params->count);
    }
}

void optimizer_release(struct optimizer *optimizer) {
    mem_free(optimizer->m);
    mem_free(optimizer->v);
    *optimizer = (struct optimizer){0};
}

// Sum of squares in blocks of real; when that overflows although every element is finite, in
// double.
static double grad_norm_of(struct pool *pool, const struct params *params) {
    double square = vec_dot(pool, params->count, params->grad, params->grad);
    if (isfinite(square)) return sqrt(square);
    square = 0;
    for (size_t i = 0; i < params->count; i++) {
        square += (double)params->grad[i] * (double)params->grad[i];
    }
    return sqrt(square);
}

static void step_adam(const struct optimizer *optimizer, struct pool *pool, double lr,
                      size_t offset, size_t count, bool decay) {
    const struct optimizer_hyper *hyper = &optimizer->hyper;
    bool decoupled = hyper->kind == OPTIMIZER_ADAMW;
    struct adam_hyper adam = {.lr = lr,
                              .beta1 = hyper->beta1,
                              .beta2 = hyper->beta2,
                              .eps = hyper->eps,
                              .l2 = decoupled ? 0 : hyper->decay,
                              .decay = decoupled && decay ? hyper->decay : 0};
    struct params *params = optimizer->params;
    optim_adam(pool, &adam, optimizer->step, count, params->value + offset, params->grad + offset,
               optimizer->m + offset, optimizer->v + offset);
}

// You 2017 as MoCo v3 applies it: the step of each weight matrix is scaled by trust |w| / |g +
// decay w|; biases and norms take plain momentum steps.
static void step_lars(const struct optimizer *optimizer, struct pool *pool, double lr,
                      const struct param_item *item) {
    const struct optimizer_hyper *hyper = &optimizer->hyper;
    real *w = optimizer->params->value + item->offset, *g = optimizer->params->grad + item->offset;
    if (!item->no_decay) {
        struct vec_args args = {.z = w, .out = g, .a = (real)hyper->decay, .accumulate = true};
        vec_run(pool, VEC_SCALE_GRAD, &args, item->count);
        double w_norm = sqrt(vec_dot(pool, item->count, w, w));
        double g_norm = sqrt(vec_dot(pool, item->count, g, g));
        real ratio = w_norm > 0 && g_norm > 0 ? (real)(hyper->trust * w_norm / g_norm) : 1;
        vec_run(pool, VEC_SCALE, &(struct vec_args){.x = g, .out = g, .a = ratio}, item->count);
    }
    optim_sgd(pool, lr, hyper->momentum, 0, item->count, w, g, optimizer->v + item->offset);
}

// Neighbours that are treated alike go through the kernel together; buffers are left alone.
static void step_runs(const struct optimizer *optimizer, struct pool *pool, double lr) {
    const struct optimizer_hyper *hyper = &optimizer->hyper;
    struct params *params = optimizer->params;
    for (int i = 0, next; i < params->n_items; i = next) {
        const struct param_item *first = &params->items[i];
        next = i + 1;
        if (first->buffer) continue;
        if (hyper->kind == OPTIMIZER_LARS) {
            step_lars(optimizer, pool, lr, first);
            continue;
        }
        bool splits = hyper->kind == OPTIMIZER_ADAMW && hyper->decay != 0;
        while (next < params->n_items && !params->items[next].buffer &&
               (!splits || params->items[next].no_decay == first->no_decay)) {
            next++;
        }
        size_t end = next < params->n_items ? params->items[next].offset : params->count;
        size_t count = end - first->offset;
        if (hyper->kind == OPTIMIZER_SGD) {
            optim_sgd(pool, lr, hyper->momentum, hyper->decay, count, params->value + first->offset,
                      params->grad + first->offset, optimizer->v + first->offset);
        } else {
            step_adam(optimizer, pool, lr, first->offset, count, !first->no_decay);
        }
    }
}

enum rl_status optimizer_step(struct optimizer *optimizer, struct pool *pool, double lr_scale,
                              double *grad_norm, struct rl_error *err) {
    struct params *params = optimizer->params;
    double norm = grad_norm_of(pool, params);
    if (grad_norm) *grad_norm = norm;
    if (!isfinite(norm)) {
        const char *name = params_not_finite(params, true);
        return rl_fail(err, RL_ENUMERIC, "gradient of '%s' is not finite at update %lld",
                       name ? name : "?", (long long)optimizer->step + 1);
    }
    double clip = optimizer->hyper.clip_norm;
    if (clip > 0 && norm > clip - 1e-6) { // torch.nn.utils.clip_grad_norm_
        struct vec_args args = {
            .x = params->grad, .out = params->grad, .a = (real)(clip / (norm + 1e-6))};
        vec_run(pool, VEC_SCALE, &args, params->count);
    }
    optimizer->step++;
    step_runs(optimizer, pool, optimizer->hyper.lr * lr_scale);
    params_zero_grad(params);
    return RL_OK;
}

void optimizer_visit(struct optimizer *optimizer, const char *prefix,
                     struct state_visitor *visitor) {
    size_t mark = state_enter(visitor, prefix), bytes = optimizer->params->count * sizeof(real);
    state_field(visitor, optimizer, step);
    if (optimizer->m) state_bytes(visitor, "m", optimizer->m, bytes);
    state_bytes(visitor, "v", optimizer->v, bytes);
    state_leave(visitor, mark);
}

static double fraction(int64_t step, int64_t duration) {
    if (duration <= 0 || step >= duration) return 1;
    return step > 0 ? (double)step / (double)duration : 0;
}

double schedule_linear(double from, double to, int64_t duration, int64_t step) {
    double mix = fraction(step, duration);
    return (1 - mix) * from + mix * to;
}

double schedule_cosine(double from, double to, int64_t duration, int64_t step) {
    return to + (from - to) * (1 + cos(3.14159265358979323846 * fraction(step, duration))) / 2;
}

double schedule_warmup_cosine(double peak, double final, int64_t warmup, int64_t duration,
                              int64_t step) {
    // The warm-up reaches the peak at its last step.
    if (step < warmup) return warmup > 1 ? peak * (double)step / (double)(warmup - 1) : 0;
    return schedule_cosine(peak, final, duration - warmup, step - warmup);
}
