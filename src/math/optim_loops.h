// The loops of optim.h, included once for every instruction set by optim_portable.c, optim_avx2.c,
// optim_avx512.c, which define OPTIM_TABLE, the name of the table that results.
#include <tgmath.h>

#include "math/optim_table.h"

#define LANES 16   // partial sums, in every variant
#define BLOCK 4096 // elements summed before the total goes to double

static void adam(const struct optim_block *block, const struct optim_numbers *numbers, size_t begin,
                 size_t end) {
    const struct optim_numbers n = *numbers;
    const real scale = block->scale;
    real *restrict w = block->w, *restrict grad = block->g;
    real *restrict m = block->m, *restrict v = block->v;
    for (size_t i = begin; i < end; i++) {
        real g = grad[i] * scale + n.l2 * w[i];
        m[i] = n.beta1 * m[i] + n.rest1 * g;
        v[i] = n.beta2 * v[i] + n.rest2 * g * g;
        real root = sqrt(v[i]) * n.root_correction + n.eps;
        w[i] = n.keep * w[i] - n.lr * m[i] / root;
        grad[i] = 0;
    }
}

static void sgd(const struct optim_block *block, const struct optim_numbers *numbers, size_t begin,
                size_t end) {
    const struct optim_numbers n = *numbers;
    const real scale = block->scale;
    real *restrict w = block->w, *restrict grad = block->g, *restrict v = block->v;
    for (size_t i = begin; i < end; i++) {
        v[i] = n.beta1 * v[i] + n.ratio * (grad[i] * scale + n.l2 * w[i]);
        w[i] -= n.lr * v[i];
        grad[i] = 0;
    }
}

static void norms(const struct optim_block *block, real l2, size_t begin, size_t end,
                  double sums[2]) {
    const real *restrict w = block->w, *restrict grad = block->g;
    const real scale = block->scale;
    for (size_t i = begin; i < end; i += BLOCK) {
        size_t stop = end - i < BLOCK ? end : i + BLOCK, j = i;
        real w_lane[LANES] = {0}, g_lane[LANES] = {0};
        for (; j + LANES <= stop; j += LANES) {
            for (size_t k = 0; k < LANES; k++) {
                real g = grad[j + k] * scale + l2 * w[j + k];
                w_lane[k] += w[j + k] * w[j + k];
                g_lane[k] += g * g;
            }
        }
        for (size_t k = 0; j < stop; j++, k++) {
            real g = grad[j] * scale + l2 * w[j];
            w_lane[k] += w[j] * w[j];
            g_lane[k] += g * g;
        }
        for (int k = 0; k < LANES; k++) {
            sums[0] += (double)w_lane[k];
            sums[1] += (double)g_lane[k];
        }
    }
}

static void ema(const struct optim_numbers *numbers, const real *from, real *restrict to,
                size_t begin, size_t end) {
    const real keep = numbers->beta1, rest = numbers->rest1;
    for (size_t i = begin; i < end; i++) to[i] = keep * to[i] + rest * from[i];
}

const struct optim_table OPTIM_TABLE = {.adam = adam, .sgd = sgd, .norms = norms, .ema = ema};
