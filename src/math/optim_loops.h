// The loops of optim.h, included once for every instruction set by optim_portable.c, optim_avx2.c,
// optim_avx512.c, which define OPTIM_TABLE, the name of the table that results.
#include <string.h>
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

// Partial sums as one value, so that they stay in registers; memory need not be aligned.
typedef real lanes __attribute__((vector_size(LANES * sizeof(real))));

static void norms(const struct optim_block *block, real l2, size_t begin, size_t end,
                  double sums[2]) {
    const real *restrict w = block->w, *restrict grad = block->g;
    const real scale = block->scale;
    for (size_t i = begin; i < end; i += BLOCK) {
        size_t stop = end - i < BLOCK ? end : i + BLOCK, j = i;
        lanes w_sum = {0}, g_sum = {0};
        for (; j + LANES <= stop; j += LANES) {
            lanes weight, g;
            memcpy(&weight, w + j, sizeof weight);
            memcpy(&g, grad + j, sizeof g);
            g = g * scale + l2 * weight;
            w_sum += weight * weight;
            g_sum += g * g;
        }
        for (int k = 0; j < stop; j++, k++) {
            real g = grad[j] * scale + l2 * w[j];
            w_sum[k] += w[j] * w[j];
            g_sum[k] += g * g;
        }
        for (int k = 0; k < LANES; k++) {
            sums[0] += (double)w_sum[k];
            sums[1] += (double)g_sum[k];
        }
    }
}

static void ema(const struct optim_numbers *numbers, const real *from, real *restrict to,
                size_t begin, size_t end) {
    const real keep = numbers->beta1, rest = numbers->rest1;
    for (size_t i = begin; i < end; i++) to[i] = keep * to[i] + rest * from[i];
}

const struct optim_table OPTIM_TABLE = {.adam = adam, .sgd = sgd, .norms = norms, .ema = ema};
