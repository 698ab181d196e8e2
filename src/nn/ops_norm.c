// Normalisation, softmax, attention.
#include <string.h>
#include <tgmath.h>

#include "math/attention.h"
#include "math/norm.h"
#include "math/softmax.h"
#include "nn/op.h"

struct norm_context {
    struct tensor *x, *weight, *bias, *y;
    bool wants_x, wants_weight, wants_bias;
    int rows, columns, groups;
    bool train;
    real eps;
    real *mean, *rstd;
};

static struct norm_context norm_context(struct tape *tape, const char *name, struct tensor *x,
                                        struct tensor *weight, struct tensor *bias) {
    size_t columns = (size_t)tensor_columns(x);
    if (weight) op_check(weight->count == columns, name, x, weight);
    if (bias) op_check(bias->count == columns, name, x, bias);
    struct norm_context c = {.x = x, .weight = weight, .bias = bias};
    c.wants_x = op_wants(tape, name, x);
    c.wants_weight = op_wants(tape, name, weight);
    c.wants_bias = op_wants(tape, name, bias);
    c.rows = tensor_rows(x);
    c.columns = (int)columns;
    c.y = op_result_like(tape, x, c.wants_x || c.wants_weight || c.wants_bias);
    return c;
}

static real *data_or_null(const struct tensor *x) {
    return x ? x->data : NULL;
}

// The gradient of a weight or bias, ready to be added to, or NULL when nobody wants it.
static real *weight_grad(struct tensor *x, bool wanted) {
    if (!wanted) return NULL;
    if (!tensor_adds(x)) memset(x->grad, 0, x->count * sizeof(real));
    return x->grad;
}

static void layer_norm_backward(struct tape *tape, void *context) {
    const struct norm_context *c = context;
    if (!tensor_reached(c->y)) return;
    size_t mark = tape_arena(tape)->used_bytes;
    real *scratch = ARENA_ARRAY(tape_arena(tape), real, norm_layer_scratch(c->rows, c->columns));
    real *gw = weight_grad(c->weight, c->wants_weight), *gb = weight_grad(c->bias, c->wants_bias);
    norm_layer_backward(tape_pool(tape), c->rows, c->columns, c->x->data, data_or_null(c->weight),
                        c->mean, c->rstd, c->y->grad, c->wants_x && tensor_adds(c->x),
                        c->wants_x ? c->x->grad : NULL, gw, gb, scratch);
    arena_reset(tape_arena(tape), mark);
}

struct tensor *op_layer_norm(struct tape *tape, struct tensor *x, struct tensor *weight,
                             struct tensor *bias, double eps) {
    struct norm_context c = norm_context(tape, "op_layer_norm", x, weight, bias);
    c.mean = ARENA_ARRAY(tape_arena(tape), real, c.rows);
    c.rstd = ARENA_ARRAY(tape_arena(tape), real, c.rows);
    norm_layer_forward(tape_pool(tape), c.rows, c.columns, x->data, data_or_null(weight),
                       data_or_null(bias), eps, c.y->data, c.mean, c.rstd);
    OP_TRACE(tape, .name = "op_layer_norm", .y = c.y, .x = x, .weight = weight, .bias = bias,
             .shift = eps);
    if (c.y->grad) op_record(tape, layer_norm_backward, &c, sizeof c);
    return c.y;
}

static struct norm_group_shape group_shape(const struct norm_context *c) {
    int batch = c->x->dim[0];
    return (struct norm_group_shape){batch, c->rows / batch, c->columns, c->groups};
}

static void group_norm_backward(struct tape *tape, void *context) {
    const struct norm_context *c = context;
    if (!tensor_reached(c->y)) return;
    struct norm_group_shape shape = group_shape(c);
    real *gw = weight_grad(c->weight, c->wants_weight), *gb = weight_grad(c->bias, c->wants_bias);
    norm_group_backward(tape_pool(tape), &shape, c->x->data, data_or_null(c->weight), c->mean,
                        c->rstd, c->y->grad, c->wants_x && tensor_adds(c->x),
                        c->wants_x ? c->x->grad : NULL, gw, gb);
}

struct tensor *op_group_norm(struct tape *tape, struct tensor *x, int groups, struct tensor *weight,
                             struct tensor *bias, double eps) {
    op_check(groups > 0 && tensor_columns(x) % groups == 0, "op_group_norm", x, NULL);
    struct norm_context c = norm_context(tape, "op_group_norm", x, weight, bias);
    c.groups = groups;
    c.mean = ARENA_ARRAY(tape_arena(tape), real, x->dim[0] * groups);
    c.rstd = ARENA_ARRAY(tape_arena(tape), real, x->dim[0] * groups);
    struct norm_group_shape shape = group_shape(&c);
    norm_group_forward(tape_pool(tape), &shape, x->data, data_or_null(weight), data_or_null(bias),
                       eps, c.y->data, c.mean, c.rstd);
    if (c.y->grad) op_record(tape, group_norm_backward, &c, sizeof c);
    return c.y;
}

static void batch_norm_backward(struct tape *tape, void *context) {
    const struct norm_context *c = context;
    if (!tensor_reached(c->y)) return;
    real *gw = weight_grad(c->weight, c->wants_weight), *gb = weight_grad(c->bias, c->wants_bias);
    norm_batch_backward(tape_pool(tape), c->rows, c->columns, c->x->data, c->mean, c->rstd,
                        data_or_null(c->weight), c->train, c->y->grad,
                        c->wants_x && tensor_adds(c->x), c->wants_x ? c->x->grad : NULL, gw, gb);
}

// Moves running towards value * scale.
static void move_running(real *running, const real *value, int count, double momentum,
                         double scale) {
    for (int i = 0; running && i < count; i++) {
        running[i] = (real)((1 - momentum) * running[i] + momentum * scale * value[i]);
    }
}

struct tensor *op_batch_norm(struct tape *tape, struct tensor *x, struct tensor *weight,
                             struct tensor *bias, real *running_mean, real *running_var, bool train,
                             double momentum, double eps) {
    struct norm_context c = norm_context(tape, "op_batch_norm", x, weight, bias);
    // One row has no variance to normalise by.
    op_check(train ? c.rows > 1 : running_mean && running_var, "op_batch_norm", x, NULL);
    c.train = train;
    size_t bytes = (size_t)c.columns * sizeof(real);
    c.mean = arena_alloc(tape_arena(tape), bytes);
    c.rstd = arena_alloc(tape_arena(tape), bytes);
    if (train) {
        norm_batch_statistics(tape_pool(tape), c.rows, c.columns, x->data, c.mean, c.rstd);
        move_running(running_mean, c.mean, c.columns, momentum, 1);
        move_running(running_var, c.rstd, c.columns, momentum, (double)c.rows / (c.rows - 1));
    } else {
        memcpy(c.mean, running_mean, bytes);
        memcpy(c.rstd, running_var, bytes);
    }
    for (int i = 0; i < c.columns; i++) c.rstd[i] = (real)(1 / sqrt((double)c.rstd[i] + eps));
    norm_batch_apply(tape_pool(tape), c.rows, c.columns, x->data, c.mean, c.rstd,
                     data_or_null(weight), data_or_null(bias), c.y->data);
    if (c.y->grad) op_record(tape, batch_norm_backward, &c, sizeof c);
    return c.y;
}

static void l2_backward(struct tape *tape, void *context) {
    const struct norm_context *c = context;
    if (!tensor_reached(c->y)) return;
    norm_l2_backward(tape_pool(tape), c->rows, c->columns, c->y->data, c->rstd, (double)c->eps,
                     c->y->grad, tensor_adds(c->x), c->x->grad);
}

struct tensor *op_l2_normalize(struct tape *tape, struct tensor *x, double eps) {
    struct norm_context c = norm_context(tape, "op_l2_normalize", x, NULL, NULL);
    c.rstd = ARENA_ARRAY(tape_arena(tape), real, c.rows);
    c.eps = (real)eps;
    norm_l2_forward(tape_pool(tape), c.rows, c.columns, x->data, eps, c.y->data, c.rstd);
    if (c.y->grad) op_record(tape, l2_backward, &c, sizeof c);
    return c.y;
}

// --- softmax
// --------------------------------------------------------------------------------------------

struct softmax_context {
    struct tensor *x, *y;
};

static void softmax_op_backward(struct tape *tape, void *context) {
    const struct softmax_context *c = context;
    if (!tensor_reached(c->y)) return;
    softmax_backward(tape_pool(tape), tensor_rows(c->x), tensor_columns(c->x), c->y->data,
                     c->y->grad, tensor_adds(c->x), c->x->grad);
}

struct tensor *op_softmax(struct tape *tape, struct tensor *x) {
    struct softmax_context c = {x, op_result_like(tape, x, op_wants(tape, "op_softmax", x))};
    softmax_forward(tape_pool(tape), tensor_rows(x), tensor_columns(x), x->data, c.y->data);
    if (c.y->grad) op_record(tape, softmax_op_backward, &c, sizeof c);
    return c.y;
}

static void log_softmax_backward(struct tape *tape, void *context) {
    const struct softmax_context *c = context;
    if (!tensor_reached(c->y)) return;
    softmax_log_backward(tape_pool(tape), tensor_rows(c->x), tensor_columns(c->x), c->y->data,
                         c->y->grad, tensor_adds(c->x), c->x->grad);
}

struct tensor *op_log_softmax(struct tape *tape, struct tensor *x) {
    struct softmax_context c = {x, op_result_like(tape, x, op_wants(tape, "op_log_softmax", x))};
    softmax_log_forward(tape_pool(tape), tensor_rows(x), tensor_columns(x), x->data, c.y->data);
    if (c.y->grad) op_record(tape, log_softmax_backward, &c, sizeof c);
    return c.y;
}

static void logsumexp_backward(struct tape *tape, void *context) {
    const struct softmax_context *c = context;
    if (!tensor_reached(c->y)) return;
    softmax_logsumexp_backward(tape_pool(tape), tensor_rows(c->x), tensor_columns(c->x), c->x->data,
                               c->y->data, c->y->grad, tensor_adds(c->x), c->x->grad);
}

struct tensor *op_logsumexp(struct tape *tape, struct tensor *x) {
    struct tensor *y = op_result_2d(tape, tensor_rows(x), 1, op_wants(tape, "op_logsumexp", x));
    struct softmax_context c = {x, y};
    softmax_logsumexp_forward(tape_pool(tape), tensor_rows(x), tensor_columns(x), x->data, y->data);
    if (y->grad) op_record(tape, logsumexp_backward, &c, sizeof c);
    return y;
}

// --- attention
// ------------------------------------------------------------------------------------------

struct attention_context {
    struct attention_shape shape;
    struct tensor *q, *k, *v, *y;
    bool wants_q, wants_k, wants_v;
    int offset; // between q, k and v when all are one tensor
    real *weights;
};

static void attention_op_backward(struct tape *tape, void *context) {
    const struct attention_context *c = context;
    if (!tensor_reached(c->y)) return;
    size_t mark = tape_arena(tape)->used_bytes;
    real *scratch = ARENA_ARRAY(tape_arena(tape), real, attention_scratch(&c->shape));
    struct attention_grad grad = {0};
    // In the order in which the kernel fills them, as they may be one tensor. Packed parts do not
    // meet: whether to add is the same for all three.
    if (c->wants_v) grad.add_v = tensor_adds(c->v), grad.v = c->v->grad + 2 * c->offset;
    if (c->wants_q) grad.add_q = tensor_adds(c->q), grad.q = c->q->grad;
    if (c->wants_k) grad.add_k = tensor_adds(c->k), grad.k = c->k->grad + c->offset;
    if (c->offset) grad.add_q = grad.add_k = grad.add_v;
    attention_backward(tape_pool(tape), &c->shape, c->q->data, c->k->data + c->offset,
                       c->v->data + 2 * c->offset, c->weights, c->y->grad, &grad, scratch);
    arena_reset(tape_arena(tape), mark);
}

static struct tensor *attention(struct tape *tape, struct attention_context *c, real *weights_out) {
    int batch = c->q->dim[0], tokens = c->q->dim[1], heads = c->shape.heads;
    int width = heads * c->shape.size;
    bool wants = c->wants_q || c->wants_k || c->wants_v;
    c->shape.batch = batch;
    c->shape.tokens = tokens;
    c->y = op_result(tape, 3, (int[]){batch, tokens, width}, wants);
    size_t count = (size_t)batch * (size_t)heads * (size_t)tokens * (size_t)tokens;
    c->weights = ARENA_ARRAY(tape_arena(tape), real, count);
    attention_forward(tape_pool(tape), &c->shape, c->q->data, c->k->data + c->offset,
                      c->v->data + 2 * c->offset, c->weights, c->y->data);
    if (weights_out) memcpy(weights_out, c->weights, count * sizeof(real));
    if (wants) op_record(tape, attention_op_backward, c, sizeof *c);
    return c->y;
}

struct tensor *op_attention(struct tape *tape, struct tensor *q, struct tensor *k, struct tensor *v,
                            int heads, real *weights_out) {
    op_check(q->ndim == 3 && heads > 0 && q->dim[2] % heads == 0, "op_attention", q, NULL);
    op_check(tensor_same_shape(q, k), "op_attention", q, k);
    op_check(tensor_same_shape(q, v), "op_attention", q, v);
    struct attention_context c = {.q = q, .k = k, .v = v};
    c.shape.heads = heads;
    c.shape.size = q->dim[2] / heads;
    c.shape.in_stride = q->dim[2];
    c.wants_q = op_wants(tape, "op_attention", q);
    c.wants_k = op_wants(tape, "op_attention", k);
    c.wants_v = op_wants(tape, "op_attention", v);
    return attention(tape, &c, weights_out);
}

struct tensor *op_attention_qkv(struct tape *tape, struct tensor *qkv, int heads,
                                real *weights_out) {
    op_check(qkv->ndim == 3 && heads > 0 && qkv->dim[2] % (3 * heads) == 0, "op_attention_qkv", qkv,
             NULL);
    struct attention_context c = {.q = qkv, .k = qkv, .v = qkv};
    c.shape.heads = heads;
    c.shape.size = qkv->dim[2] / (3 * heads);
    c.shape.in_stride = qkv->dim[2];
    c.offset = heads * c.shape.size;
    c.wants_q = c.wants_k = c.wants_v = op_wants(tape, "op_attention_qkv", qkv);
    struct tensor *y = attention(tape, &c, weights_out);
    OP_TRACE(tape, .name = "op_attention_qkv", .y = y, .x = qkv, .heads = heads);
    return y;
}
