// What optim.c chooses between: one table of loops for each instruction set.
#pragma once

#include "math/optim.h"

struct optim_numbers {
    real lr, beta1, beta2, eps, l2, keep; // beta1: or the momentum; keep: 1 - lr * decay
    real rest1, rest2;                    // 1 - beta, rounded after the subtraction
    real root_correction;                 // 1 / sqrt(1 - beta2^step)
    real ratio;                           // of LARS, 1 without
};

// Each over [begin, end) of the block.
struct optim_table {
    void (*adam)(const struct optim_block *block, const struct optim_numbers *n, size_t begin,
                 size_t end);
    void (*sgd)(const struct optim_block *block, const struct optim_numbers *n, size_t begin,
                size_t end);
    // sums[0] += w . w, sums[1] += d . d with d = scale g + l2 w
    void (*norms)(const struct optim_block *block, real l2, size_t begin, size_t end,
                  double sums[2]);
    void (*ema)(const struct optim_numbers *n, const real *from, real *to, size_t begin,
                size_t end);
};

extern const struct optim_table optim_table_portable, optim_table_avx2, optim_table_avx512;
