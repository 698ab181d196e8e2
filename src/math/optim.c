#include "math/optim.h"

#include <math.h>

#include "base/err.h"

#define PART_COUNT 16384 // weights of one part

struct block {
    size_t count;
    const real *g, *from;
    real *w, *m, *v;
    real lr, beta1, beta2, eps, l2, keep; // keep: 1 - lr * decay
    real rest1, rest2;                    // 1 - beta, rounded after the subtraction
    real root_correction;                 // 1 / sqrt(1 - beta2^step)
};

static int part_count(size_t count) {
    return (int)((count + PART_COUNT - 1) / PART_COUNT);
}

static size_t part_end(const struct block *block, size_t begin) {
    return block->count - begin < PART_COUNT ? block->count : begin + PART_COUNT;
}

static void adam_part(void *context, int part) {
    const struct block *b = context;
    size_t begin = (size_t)part * PART_COUNT, end = part_end(b, begin);
    for (size_t i = begin; i < end; i++) {
        real g = b->g[i] + b->l2 * b->w[i];
        b->m[i] = b->beta1 * b->m[i] + b->rest1 * g;
        b->v[i] = b->beta2 * b->v[i] + b->rest2 * g * g;
        real root = (real)sqrt(b->v[i]) * b->root_correction + b->eps;
        b->w[i] = b->keep * b->w[i] - b->lr * b->m[i] / root;
    }
}

void optim_adam(struct pool *pool, const struct adam_hyper *hyper, int64_t step, size_t count,
                real *w, const real *g, real *m, real *v) {
    RL_ASSERT(step >= 1);
    struct block block = {
        .count = count,
        .g = g,
        .w = w,
        .m = m,
        .v = v,
        .lr = (real)(hyper->lr / (1 - pow(hyper->beta1, (double)step))),
        .beta1 = (real)hyper->beta1,
        .beta2 = (real)hyper->beta2,
        .rest1 = (real)(1 - hyper->beta1),
        .rest2 = (real)(1 - hyper->beta2),
        .eps = (real)hyper->eps,
        .l2 = (real)hyper->l2,
        .keep = (real)(1 - hyper->lr * hyper->decay),
        .root_correction = (real)(1 / sqrt(1 - pow(hyper->beta2, (double)step))),
    };
    pool_run(pool, part_count(count), adam_part, &block);
}

static void sgd_part(void *context, int part) {
    const struct block *b = context;
    size_t begin = (size_t)part * PART_COUNT, end = part_end(b, begin);
    for (size_t i = begin; i < end; i++) {
        b->v[i] = b->beta1 * b->v[i] + (b->g[i] + b->l2 * b->w[i]);
        b->w[i] -= b->lr * b->v[i];
    }
}

void optim_sgd(struct pool *pool, double lr, double momentum, double l2, size_t count, real *w,
               const real *g, real *v) {
    struct block block = {.count = count,
                          .g = g,
                          .w = w,
                          .v = v,
                          .lr = (real)lr,
                          .beta1 = (real)momentum,
                          .l2 = (real)l2};
    pool_run(pool, part_count(count), sgd_part, &block);
}

static void ema_part(void *context, int part) {
    const struct block *b = context;
    size_t begin = (size_t)part * PART_COUNT, end = part_end(b, begin);
    for (size_t i = begin; i < end; i++) b->w[i] = b->beta1 * b->w[i] + b->rest1 * b->from[i];
}

void optim_ema(struct pool *pool, double decay, size_t count, const real *w, real *target) {
    struct block block = {
        .count = count, .from = w, .w = target, .beta1 = (real)decay, .rest1 = (real)(1 - decay)};
    pool_run(pool, part_count(count), ema_part, &block);
}

static void scale_part(void *context, int part) {
    const struct block *b = context;
    size_t begin = (size_t)part * PART_COUNT, end = part_end(b, begin);
    for (size_t i = begin; i < end; i++) b->w[i] *= b->lr;
}

void optim_scale(struct pool *pool, double factor, size_t count, real *g) {
    struct block block = {.count = count, .w = g, .lr = (real)factor};
    pool_run(pool, part_count(count), scale_part, &block);
}

double optim_square_sum(size_t count, const real *g) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)g[i] * g[i];
    return sum;
}
