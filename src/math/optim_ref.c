#include "math/optim_ref.h"

#include <math.h>

void optim_ref_adam(const struct adam_hyper *hyper, int64_t step, const struct optim_block *block) {
    double correction1 = 1 - pow(hyper->beta1, (double)step);
    double correction2 = 1 - pow(hyper->beta2, (double)step);
    for (size_t i = 0; i < block->count; i++) {
        double w = (double)block->w[i];
        double g = (double)block->g[i] * (double)block->scale + hyper->l2 * w;
        double m = hyper->beta1 * (double)block->m[i] + (1 - hyper->beta1) * g;
        double v = hyper->beta2 * (double)block->v[i] + (1 - hyper->beta2) * g * g;
        w -= hyper->lr * hyper->decay * w;
        w -= hyper->lr * (m / correction1) / (sqrt(v / correction2) + hyper->eps);
        block->w[i] = (real)w;
        block->m[i] = (real)m;
        block->v[i] = (real)v;
        block->g[i] = 0;
    }
}

static void momentum_step(double lr, double momentum, double l2, double ratio,
                          const struct optim_block *block) {
    for (size_t i = 0; i < block->count; i++) {
        double w = (double)block->w[i];
        double g = ratio * ((double)block->g[i] * (double)block->scale + l2 * w);
        double v = momentum * (double)block->v[i] + g;
        block->w[i] = (real)(w - lr * v);
        block->v[i] = (real)v;
        block->g[i] = 0;
    }
}

void optim_ref_sgd(double lr, double momentum, double l2, const struct optim_block *block) {
    momentum_step(lr, momentum, l2, 1, block);
}

void optim_ref_lars(double lr, double momentum, double l2, double trust,
                    const struct optim_block *block) {
    double w_square = 0, g_square = 0;
    for (size_t i = 0; i < block->count; i++) {
        double w = (double)block->w[i];
        double g = (double)block->g[i] * (double)block->scale + l2 * w;
        w_square += w * w;
        g_square += g * g;
    }
    bool moves = w_square > 0 && g_square > 0;
    momentum_step(lr, momentum, l2, moves ? trust * sqrt(w_square / g_square) : 1, block);
}

void optim_ref_ema(double decay, size_t count, const real *w, real *target) {
    for (size_t i = 0; i < count; i++) {
        target[i] = (real)(decay * (double)target[i] + (1 - decay) * (double)w[i]);
    }
}
