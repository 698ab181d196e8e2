// Matrix products, convolution, pooling.
#include <string.h>

#include "math/conv.h"
#include "math/gemm.h"
#include "math/pool2d.h"
#include "math/vec.h"
#include "nn/op.h"

struct matmul_context {
    struct tensor *a, *b, *y;
    bool trans_a, trans_b, wants_a, wants_b;
};

// With A' = op(A), B' = op(B), Y = A' B': dA' = dY B'^T and dB' = A'^T dY, transposed back when op
// did.
static void matmul_backward(struct tape *tape, void *context) {
    const struct matmul_context *c = context;
    if (!tensor_reached(c->y)) return;
    struct pool *pool = tape_pool(tape);
    int m = c->y->dim[0], n = c->y->dim[1], k = c->trans_a ? c->a->dim[0] : c->a->dim[1];
    const real *a = c->a->data, *b = c->b->data, *gy = c->y->grad;
    int lda = c->a->dim[1], ldb = c->b->dim[1];
    if (c->wants_a) {
        real beta = tensor_adds(c->a);
        if (c->trans_a) {
            gemm_net(pool, c->trans_b, true, k, m, n, 1, b, ldb, gy, n, beta, c->a->grad, lda);
        } else {
            gemm_net(pool, false, !c->trans_b, m, k, n, 1, gy, n, b, ldb, beta, c->a->grad, lda);
        }
    }
    if (c->wants_b) {
        real beta = tensor_adds(c->b);
        if (c->trans_b) {
            gemm_net(pool, true, c->trans_a, n, k, m, 1, gy, n, a, lda, beta, c->b->grad, ldb);
        } else {
            gemm_net(pool, !c->trans_a, false, k, n, m, 1, a, lda, gy, n, beta, c->b->grad, ldb);
        }
    }
}

struct tensor *op_matmul(struct tape *tape, struct tensor *a, bool trans_a, struct tensor *b,
                         bool trans_b) {
    op_check(a->ndim == 2 && b->ndim == 2 && a->dim[!trans_a] == b->dim[trans_b], "op_matmul", a,
             b);
    bool wants_a = op_wants(tape, "op_matmul", a), wants_b = op_wants(tape, "op_matmul", b);
    int m = a->dim[trans_a], n = b->dim[!trans_b], k = a->dim[!trans_a];
    struct tensor *y = op_result_2d(tape, m, n, wants_a || wants_b);
    gemm_net(tape_pool(tape), trans_a, trans_b, m, n, k, 1, a->data, a->dim[1], b->data, b->dim[1],
             0, y->data, n);
    struct matmul_context context = {a, b, y, trans_a, trans_b, wants_a, wants_b};
    if (y->grad) op_record(tape, matmul_backward, &context, sizeof context);
    return y;
}

struct linear_context {
    struct tensor *x, *w, *b, *y;
    bool relu, wants_x, wants_w, wants_b;
};

// The bias gradient; with relu first masks gy in place (nobody reads it again).
static void bias_backward(struct tape *tape, struct tensor *y, struct tensor *b, bool wants_b,
                          bool relu) {
    int rows = tensor_rows(y), columns = tensor_columns(y);
    if (wants_b && !tensor_adds(b)) memset(b->grad, 0, b->count * sizeof(real));
    if (relu) {
        vec_relu_sum_rows(tape_pool(tape), rows, columns, y->data, y->grad,
                          wants_b ? b->grad : NULL);
    } else if (wants_b) {
        vec_sum_rows(tape_pool(tape), rows, columns, y->grad, NULL, b->grad);
    }
}

static void linear_backward(struct tape *tape, void *context) {
    const struct linear_context *c = context;
    if (!tensor_reached(c->y)) return;
    struct pool *pool = tape_pool(tape);
    int rows = tensor_rows(c->x), in = c->w->dim[1], out = c->w->dim[0];
    bias_backward(tape, c->y, c->b, c->wants_b, c->relu);
    if (c->wants_w) {
        gemm_net(pool, true, false, out, in, rows, 1, c->y->grad, out, c->x->data, in,
                 tensor_adds(c->w), c->w->grad, in);
    }
    if (c->wants_x) {
        gemm_net(pool, false, false, rows, in, out, 1, c->y->grad, out, c->w->data, in,
                 tensor_adds(c->x), c->x->grad, in);
    }
}

struct tensor *op_linear(struct tape *tape, struct tensor *x, struct tensor *w, struct tensor *b,
                         bool relu) {
    op_check(w->ndim == 2 && tensor_columns(x) == w->dim[1], "op_linear", x, w);
    if (b) op_check(b->count == (size_t)w->dim[0], "op_linear", w, b);
    struct linear_context c = {.x = x, .w = w, .b = b, .relu = relu};
    c.wants_x = op_wants(tape, "op_linear", x);
    c.wants_w = op_wants(tape, "op_linear", w);
    c.wants_b = op_wants(tape, "op_linear", b);
    int dim[TENSOR_MAX_DIMS], rows = tensor_rows(x), in = w->dim[1], out = w->dim[0];
    memcpy(dim, x->dim, sizeof dim);
    dim[x->ndim - 1] = out;
    c.y = op_result(tape, x->ndim, dim, c.wants_x || c.wants_w || c.wants_b);
    struct pool *pool = tape_pool(tape);
    gemm_net(pool, false, true, rows, out, in, 1, x->data, in, w->data, in, 0, c.y->data, out);
    if (b) {
        vec_add_row(pool, rows, out, c.y->data, b->data, relu, c.y->data);
    } else if (relu) {
        vec_run(pool, VEC_RELU, &(struct vec_args){.x = c.y->data, .out = c.y->data}, c.y->count);
    }
    OP_TRACE(tape, .name = "op_linear", .y = c.y, .x = x, .weight = w, .bias = b, .relu = relu);
    if (c.y->grad) op_record(tape, linear_backward, &c, sizeof c);
    return c.y;
}

static void row_dot_backward(struct tape *tape, void *context) {
    (void)tape;
    const struct matmul_context *c = context;
    if (!tensor_reached(c->y)) return;
    int rows = c->a->dim[0], columns = c->a->dim[1];
    for (int side = 0; side < 2; side++) {
        struct tensor *self = side ? c->b : c->a;
        const struct tensor *other = side ? c->a : c->b;
        if (!(side ? c->wants_b : c->wants_a)) continue;
        bool add = tensor_adds(self);
        for (int i = 0; i < rows; i++) {
            size_t at = (size_t)i * (size_t)columns;
            struct vec_args args = {.z = other->data + at,
                                    .out = self->grad + at,
                                    .a = c->y->grad[i],
                                    .accumulate = add};
            vec_run(NULL, VEC_SCALE_GRAD, &args, (size_t)columns);
        }
    }
}

struct tensor *op_row_dot(struct tape *tape, struct tensor *a, struct tensor *b) {
    op_check(a->ndim == 2 && tensor_same_shape(a, b), "op_row_dot", a, b);
    bool wants_a = op_wants(tape, "op_row_dot", a), wants_b = op_wants(tape, "op_row_dot", b);
    int rows = a->dim[0];
    size_t columns = (size_t)a->dim[1];
    struct tensor *y = op_result_2d(tape, rows, 1, wants_a || wants_b);
    for (int i = 0; i < rows; i++) {
        y->data[i] = (real)vec_dot(NULL, columns, a->data + (size_t)i * columns,
                                   b->data + (size_t)i * columns);
    }
    struct matmul_context context = {
        .a = a, .b = b, .y = y, .wants_a = wants_a, .wants_b = wants_b};
    if (y->grad) op_record(tape, row_dot_backward, &context, sizeof context);
    return y;
}

// --- convolution
// --------------------------------------------------------------------------------------

struct conv_context {
    struct conv_shape shape;
    struct tensor *x, *w, *b, *y; // x NULL: u8 pixels
    const uint8_t *pixels;
    real scale, shift;
    bool relu, wants_x, wants_w, wants_b;
};

// Workspace is given back at once; the caller resets the arena to *mark.
static void *workspace(struct tape *tape, const struct conv_shape *shape, size_t *mark) {
    *mark = tape_arena(tape)->used_bytes;
    return arena_alloc(tape_arena(tape), conv_workspace_bytes(shape));
}

// Gradients of weights are added to, so they start at 0 when nothing is there yet.
static real *cleared_grad(bool wanted, struct tensor *x) {
    if (!wanted) return NULL;
    if (!tensor_adds(x)) memset(x->grad, 0, x->count * sizeof(real));
    return x->grad;
}

static void conv_layer_backward(struct tape *tape, void *context) {
    const struct conv_context *c = context;
    if (!tensor_reached(c->y)) return;
    struct pool *pool = tape_pool(tape);
    size_t mark;
    void *space = workspace(tape, &c->shape, &mark);
    const real *y = c->relu ? c->y->data : NULL, *gy = c->y->grad;
    real *gw = cleared_grad(c->wants_w, c->w), *gb = cleared_grad(c->wants_b, c->b);
    if (c->pixels) {
        conv_backward_u8(pool, &c->shape, c->pixels, c->scale, c->shift, y, gy, gw, gb, space);
    } else {
        bool add = c->wants_x && tensor_adds(c->x);
        real *gx = c->wants_x ? c->x->grad : NULL;
        if (add) gx = ARENA_ARRAY(tape_arena(tape), real, c->x->count);
        conv_backward(pool, &c->shape, c->x->data, y, gy, c->w->data, gx, gw, gb, space);
        if (add) {
            vec_run(pool, VEC_COPY,
                    &(struct vec_args){.x = gx, .out = c->x->grad, .accumulate = true},
                    c->x->count);
        }
    }
    arena_reset(tape_arena(tape), mark);
}

static struct tensor *conv_run(struct tape *tape, const char *name, struct conv_context *c,
                               const struct tensor *x, int stride, int pad) {
    const struct tensor *w = c->w;
    op_check(x->ndim == 4 && w->ndim == 4 && w->dim[0] == w->dim[1] && w->dim[2] == x->dim[3] &&
                 x->dim[1] + 2 * pad >= w->dim[0] && x->dim[2] + 2 * pad >= w->dim[0],
             name, x, w);
    if (c->b) op_check(c->b->count == (size_t)w->dim[3], name, w, c->b);
    c->shape = (struct conv_shape){.batch = x->dim[0],
                                   .in_h = x->dim[1],
                                   .in_w = x->dim[2],
                                   .in_c = x->dim[3],
                                   .out_c = w->dim[3],
                                   .kernel = w->dim[0],
                                   .stride = stride,
                                   .pad = pad};
    c->wants_x = op_wants(tape, name, c->x);
    c->wants_w = op_wants(tape, name, c->w);
    c->wants_b = op_wants(tape, name, c->b);
    int dim[4] = {c->shape.batch, conv_out_h(&c->shape), conv_out_w(&c->shape), c->shape.out_c};
    c->y = op_result(tape, 4, dim, c->wants_x || c->wants_w || c->wants_b);
    const real *bias = c->b ? c->b->data : NULL;
    size_t mark;
    void *space = workspace(tape, &c->shape, &mark);
    if (c->pixels) {
        conv_forward_u8(tape_pool(tape), &c->shape, c->pixels, c->scale, c->shift, w->data, bias,
                        c->relu, c->y->data, space);
    } else {
        conv_forward(tape_pool(tape), &c->shape, x->data, w->data, bias, c->relu, c->y->data,
                     space);
    }
    arena_reset(tape_arena(tape), mark);
    OP_TRACE(tape, .name = name, .y = c->y, .x = x, .weight = w, .bias = c->b, .pixels = c->pixels,
             .scale = (double)c->scale, .shift = (double)c->shift, .stride = stride, .pad = pad,
             .kernel = w->dim[0], .relu = c->relu);
    if (c->y->grad) op_record(tape, conv_layer_backward, c, sizeof *c);
    return c->y;
}

struct tensor *op_conv(struct tape *tape, struct tensor *x, struct tensor *w, struct tensor *b,
                       int stride, int pad, bool relu) {
    struct conv_context context = {.x = x, .w = w, .b = b, .relu = relu};
    return conv_run(tape, "op_conv", &context, x, stride, pad);
}

struct tensor *op_conv_u8(struct tape *tape, const uint8_t *x, const int *dim, double scale,
                          double shift, struct tensor *w, struct tensor *b, int stride, int pad,
                          bool relu) {
    struct conv_context context = {
        .w = w, .b = b, .relu = relu, .pixels = x, .scale = (real)scale, .shift = (real)shift};
    struct tensor shape = {.ndim = 4, .dim = {dim[0], dim[1], dim[2], dim[3]}};
    return conv_run(tape, "op_conv_u8", &context, &shape, stride, pad);
}

// --- pooling
// ----------------------------------------------------------------------------------------------

struct pool_context {
    struct pool2d_shape shape;
    struct tensor *x, *y;
    uint8_t *winner;
};

static void max_pool_backward(struct tape *tape, void *context) {
    const struct pool_context *c = context;
    if (!tensor_reached(c->y)) return;
    pool2d_max_backward(tape_pool(tape), &c->shape, c->winner, c->y->grad, tensor_adds(c->x),
                        c->x->grad);
}

struct tensor *op_max_pool(struct tape *tape, struct tensor *x, int kernel, int stride, int pad) {
    op_check(x->ndim == 4 && x->dim[1] + 2 * pad >= kernel && x->dim[2] + 2 * pad >= kernel,
             "op_max_pool", x, NULL);
    struct pool_context c = {.x = x};
    c.shape =
        (struct pool2d_shape){x->dim[0], x->dim[1], x->dim[2], x->dim[3], kernel, stride, pad};
    int dim[4] = {x->dim[0], pool2d_out_h(&c.shape), pool2d_out_w(&c.shape), x->dim[3]};
    c.y = op_result(tape, 4, dim, op_wants(tape, "op_max_pool", x));
    if (c.y->grad) c.winner = ARENA_ARRAY(tape_arena(tape), uint8_t, c.y->count);
    pool2d_max_forward(tape_pool(tape), &c.shape, x->data, c.y->data, c.winner);
    OP_TRACE(tape, .name = "op_max_pool", .y = c.y, .x = x, .kernel = kernel, .stride = stride,
             .pad = pad);
    if (c.y->grad) op_record(tape, max_pool_backward, &c, sizeof c);
    return c.y;
}

static void mean_pool_backward(struct tape *tape, void *context) {
    const struct pool_context *c = context;
    if (!tensor_reached(c->y)) return;
    pool2d_mean_backward(tape_pool(tape), c->x->dim[0], c->x->dim[1] * c->x->dim[2], c->x->dim[3],
                         c->y->grad, tensor_adds(c->x), c->x->grad);
}

struct tensor *op_mean_pool(struct tape *tape, struct tensor *x) {
    op_check(x->ndim == 4, "op_mean_pool", x, NULL);
    struct pool_context c = {.x = x};
    c.y = op_result_2d(tape, x->dim[0], x->dim[3], op_wants(tape, "op_mean_pool", x));
    pool2d_mean_forward(tape_pool(tape), x->dim[0], x->dim[1] * x->dim[2], x->dim[3], x->data,
                        c.y->data);
    OP_TRACE(tape, .name = "op_mean_pool", .y = c.y, .x = x);
    if (c.y->grad) op_record(tape, mean_pool_backward, &c, sizeof c);
    return c.y;
}

struct tensor *op_u8(struct tape *tape, const uint8_t *x, int ndim, const int *dim, double scale,
                     double shift) {
    struct tensor *y = op_result(tape, ndim, dim, false);
    for (size_t i = 0; i < y->count; i++) y->data[i] = (real)x[i] * (real)scale + (real)shift;
    return y;
}
