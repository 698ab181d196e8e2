// IDX, the format of MNIST and its relatives: two zero bytes, the type (8: u8), the number of
// dimensions, each dimension as a big-endian u32, the values. Plain or gzipped.
#pragma once

#include <stdint.h>

#include "base/file.h"

struct idx {
    int n_dims;      // 1 (labels), 3 (n, h, w) or 4 (n, h, w, c)
    int64_t dim[4];  // 1 beyond n_dims
    uint8_t *values; // mem_free
};

// bytes: a whole file. What the header claims is held against what is there before allocation.
RL_CHECKED enum rl_status idx_parse(const char *path, const struct bytes *bytes, struct idx *out,
                                    struct rl_error *err);
