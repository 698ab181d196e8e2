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

static struct optim_block block_of(const struct optimizer *optimizer, size_t offset, size_t count,
                                   double scale) {
    const struct params *params = optimizer->params;
    return (struct optim_block){.count = count,
                                .w = params->value + offset,
                                .g = params->grad + offset,
                                .m = optimizer->m ? optimizer->m + offset : NULL,
                                .v = optimizer->v + offset,
                                .scale = (real)scale};
}

static void step_adam(const struct optimizer *optimizer, struct pool *pool, double lr, bool decay,
                      const struct optim_block *block) {
    const struct optimizer_hyper *hyper = &optimizer->hyper;
    bool decoupled = hyper->kind == OPTIMIZER_ADAMW;
    struct adam_hyper adam = {.lr = lr,
                              .beta1 = hyper->beta1,
                              .beta2 = hyper->beta2,
                              .eps = hyper->eps,
                              .l2 = decoupled ? 0 : hyper->decay,
                              .decay = decoupled && decay ? hyper->decay : 0};
    optim_adam(pool, &adam, optimizer->step, block);
}

// Biases and norms take plain momentum steps under LARS.
static void step_block(const struct optimizer *optimizer, struct pool *pool, double lr, bool decay,
                       const struct optim_block *block) {
    const struct optimizer_hyper *hyper = &optimizer->hyper;
    switch (hyper->kind) {
    case OPTIMIZER_ADAM:
    case OPTIMIZER_ADAMW: step_adam(optimizer, pool, lr, decay, block); return;
    case OPTIMIZER_SGD: optim_sgd(pool, lr, hyper->momentum, hyper->decay, block); return;
    case OPTIMIZER_LARS: break;
    }
    if (decay) {
        optim_lars(pool, lr, hyper->momentum, hyper->decay, hyper->trust, block);
    } else {
        optim_sgd(pool, lr, hyper->momentum, 0, block);
    }
}

// Neighbours that are treated alike go through the kernel together; buffers are left alone.
static void step_runs(const struct optimizer *optimizer, struct pool *pool, double lr,
                      double scale) {
    const struct optimizer_hyper *hyper = &optimizer->hyper;
    const struct params *params = optimizer->params;
    bool lars = hyper->kind == OPTIMIZER_LARS;
    bool splits = hyper->kind == OPTIMIZER_ADAMW && hyper->decay != 0;
    for (int i = 0, next; i < params->n_items; i = next) {
        const struct param_item *first = &params->items[i];
        next = i + 1;
        if (first->buffer) continue;
        while (!lars && next < params->n_items && !params->items[next].buffer &&
               (!splits || params->items[next].no_decay == first->no_decay)) {
            next++;
        }
        size_t end = next < params->n_items ? params->items[next].offset : params->count;
        struct optim_block block = block_of(optimizer, first->offset, end - first->offset, scale);
        step_block(optimizer, pool, lr, !first->no_decay, &block);
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
    double clip = optimizer->hyper.clip_norm, scale = 1;
    if (clip > 0 && norm > clip - 1e-6) scale = clip / (norm + 1e-6); // as torch's clip_grad_norm_
    optimizer->step++;
    step_runs(optimizer, pool, optimizer->hyper.lr * lr_scale, scale);
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
