#include "math/attention.h"

#include <tgmath.h>

#include "math/gemm.h"
#include "math/softmax.h"

#define MAX_PARTS 16

struct attention_call {
    struct attention_shape shape;
    int n_parts;
    const real *q, *k, *v, *gout;
    real *weights, *out;
    const struct attention_grad *grad;
    real *scratch;
};

static int part_count(const struct attention_shape *shape) {
    return shape->batch < MAX_PARTS ? shape->batch : MAX_PARTS;
}

// Offsets of one head of one sample in the inputs, the output and the weights.
struct head {
    size_t in, out, weights;
};

static struct head head_at(const struct attention_shape *shape, int sample, int head) {
    size_t row = (size_t)sample * (size_t)shape->tokens,
           column = (size_t)head * (size_t)shape->size;
    size_t square = (size_t)shape->tokens * (size_t)shape->tokens;
    return (struct head){
        .in = row * (size_t)shape->in_stride + column,
        .out = row * (size_t)shape->heads * (size_t)shape->size + column,
        .weights = ((size_t)sample * (size_t)shape->heads + (size_t)head) * square,
    };
}

static real score_scale(const struct attention_shape *shape) {
    return (real)(1 / sqrt((double)shape->size));
}

static void forward_head(const struct attention_call *call, struct head at) {
    const struct attention_shape *shape = &call->shape;
    int tokens = shape->tokens, in = shape->in_stride, out = shape->heads * shape->size;
    real *weights = call->weights + at.weights;
    gemm(NULL, false, true, tokens, tokens, shape->size, score_scale(shape), call->q + at.in, in,
         call->k + at.in, in, 0, weights, tokens);
    softmax_forward(NULL, tokens, tokens, weights, weights);
    gemm(NULL, false, false, tokens, shape->size, tokens, 1, weights, tokens, call->v + at.in, in,
         0, call->out + at.out, out);
}

static void forward_part(void *context, int task) {
    const struct attention_call *call = context;
    struct pool_range range = pool_split(call->shape.batch, call->n_parts, task, 1);
    for (int i = range.begin; i < range.end; i++) {
        for (int h = 0; h < call->shape.heads; h++) forward_head(call, head_at(&call->shape, i, h));
    }
}

void attention_forward(struct pool *pool, const struct attention_shape *shape, const real *q,
                       const real *k, const real *v, real *weights, real *out) {
    struct attention_call call = {.shape = *shape,
                                  .n_parts = part_count(shape),
                                  .q = q,
                                  .k = k,
                                  .v = v,
                                  .weights = weights,
                                  .out = out};
    pool_run(pool, call.n_parts, forward_part, &call);
}

size_t attention_scratch(const struct attention_shape *shape) {
    return (size_t)part_count(shape) * (size_t)shape->tokens * (size_t)shape->tokens;
}

static void backward_head(const struct attention_call *call, struct head at, real *gscore) {
    const struct attention_shape *shape = &call->shape;
    int tokens = shape->tokens, in = shape->in_stride, out = shape->heads * shape->size;
    const real *weights = call->weights + at.weights, *gout = call->gout + at.out;
    const struct attention_grad *grad = call->grad;
    if (grad->v) {
        gemm(NULL, true, false, tokens, shape->size, tokens, 1, weights, tokens, gout, out,
             grad->add_v, grad->v + at.in, in);
    }
    if (!grad->q && !grad->k) return;
    gemm(NULL, false, true, tokens, tokens, shape->size, 1, gout, out, call->v + at.in, in, 0,
         gscore, tokens);
    softmax_backward(NULL, tokens, tokens, weights, gscore, false, gscore);
    if (grad->q) {
        gemm(NULL, false, false, tokens, shape->size, tokens, score_scale(shape), gscore, tokens,
             call->k + at.in, in, grad->add_q, grad->q + at.in, in);
    }
    if (grad->k) {
        gemm(NULL, true, false, tokens, shape->size, tokens, score_scale(shape), gscore, tokens,
             call->q + at.in, in, grad->add_k, grad->k + at.in, in);
    }
}

static void backward_part(void *context, int task) {
    const struct attention_call *call = context;
    struct pool_range range = pool_split(call->shape.batch, call->n_parts, task, 1);
    real *gscore =
        call->scratch + (size_t)task * (size_t)call->shape.tokens * (size_t)call->shape.tokens;
    for (int i = range.begin; i < range.end; i++) {
        for (int h = 0; h < call->shape.heads; h++) {
            backward_head(call, head_at(&call->shape, i, h), gscore);
        }
    }
}

void attention_backward(struct pool *pool, const struct attention_shape *shape, const real *q,
                        const real *k, const real *v, const real *weights, const real *gout,
                        const struct attention_grad *grad, real *scratch) {
    struct attention_call call = {.shape = *shape,
                                  .n_parts = part_count(shape),
                                  .q = q,
                                  .k = k,
                                  .v = v,
                                  .gout = gout,
                                  .weights = (real *)weights,
                                  .grad = grad,
                                  .scratch = scratch};
    pool_run(pool, call.n_parts, backward_part, &call);
}
