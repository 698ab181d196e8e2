// Multi-head scaled dot-product attention (Vaswani 2017): for each head softmax(q k' / sqrt(size))
// v.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"
#include "base/real.h"

// q, k, v, out have batch * tokens rows of heads * size numbers; head h owns columns [h * size, (h
// + 1) * size). Rows of q, k, v are in_stride numbers apart, so that all three may lie in one
// product.
struct attention_shape {
    int batch, tokens, heads, size;
    int in_stride;
};

// weights (batch, heads, tokens, tokens) receives the softmax, which backward needs.
void attention_forward(struct pool *pool, const struct attention_shape *shape, const real *q,
                       const real *k, const real *v, real *weights, real *out);

// Gradients are written or added, v's first, then q's, then k's; each may be NULL. scratch:
// attention_scratch(shape) numbers.
size_t attention_scratch(const struct attention_shape *shape);
struct attention_grad {
    real *q, *k, *v;
    bool add_q, add_k, add_v; // add to what is there instead of writing
};
void attention_backward(struct pool *pool, const struct attention_shape *shape, const real *q,
                        const real *k, const real *v, const real *weights, const real *gout,
                        const struct attention_grad *grad, real *scratch);
