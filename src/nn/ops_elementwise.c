#include "math/vec.h"
#include "nn/op.h"

// Which slots of vec_args a gradient kernel reads is written beside each kernel in math/vec.h.
struct unary_context {
    struct tensor *x, *y;
    enum vec_op grad;
    real a, b;
};

static void unary_backward(struct tape *tape, void *context) {
    const struct unary_context *c = context;
    if (!tensor_reached(c->y)) return;
    struct vec_args args = {.x = c->x->data,
                            .y = c->y->data,
                            .z = c->y->grad,
                            .out = c->x->grad,
                            .a = c->a,
                            .b = c->b,
                            .accumulate = tensor_adds(c->x)};
    vec_run(tape_pool(tape), c->grad, &args, c->x->count);
}

static struct tensor *unary(struct tape *tape, const char *name, enum vec_op op, enum vec_op grad,
                            struct tensor *x, double a, double b) {
    bool wants = op_wants(tape, name, x);
    struct tensor *y = op_result_like(tape, x, wants);
    vec_run(tape_pool(tape), op,
            &(struct vec_args){.x = x->data, .out = y->data, .a = (real)a, .b = (real)b}, x->count);
    OP_TRACE(tape, .name = name, .y = y, .x = x, .scale = a, .shift = b);
    struct unary_context context = {x, y, grad, (real)a, (real)b};
    if (wants) op_record(tape, unary_backward, &context, sizeof context);
    return y;
}

#define UNARY(function, op, grad)                                                                  \
    struct tensor *function(struct tape *tape, struct tensor *x) {                                 \
        return unary(tape, #function, op, grad, x, 0, 0);                                          \
    }
UNARY(op_relu, VEC_RELU, VEC_RELU_GRAD)
UNARY(op_elu, VEC_ELU, VEC_ELU_GRAD)
UNARY(op_silu, VEC_SILU, VEC_SILU_GRAD)
UNARY(op_gelu, VEC_GELU, VEC_GELU_GRAD)
UNARY(op_tanh, VEC_TANH, VEC_TANH_GRAD)
UNARY(op_sigmoid, VEC_SIGMOID, VEC_SIGMOID_GRAD)
UNARY(op_softplus, VEC_SOFTPLUS, VEC_SOFTPLUS_GRAD)
UNARY(op_exp, VEC_EXP, VEC_MUL_GRAD)
UNARY(op_log, VEC_LOG, VEC_LOG_GRAD)
UNARY(op_square, VEC_SQUARE, VEC_SQUARE_GRAD)
UNARY(op_sqrt, VEC_SQRT, VEC_SQRT_GRAD)

struct tensor *op_affine(struct tape *tape, struct tensor *x, double scale, double shift) {
    return unary(tape, "op_affine", VEC_AFFINE, VEC_SCALE_GRAD, x, scale, shift);
}

struct tensor *op_clamp(struct tape *tape, struct tensor *x, double low, double high) {
    return unary(tape, "op_clamp", VEC_CLAMP, VEC_CLAMP_GRAD, x, low, high);
}

struct tensor *op_clamp_through(struct tape *tape, struct tensor *x, double low, double high) {
    return unary(tape, "op_clamp_through", VEC_CLAMP, VEC_PASS_GRAD, x, low, high);
}

struct binary_context {
    struct tensor *a, *b, *y;
    bool wants_a, wants_b;
    enum vec_op grad; // reads x = this input, y = the other, z = the gradient
    real sign;        // of b's gradient
};

static void binary_side(struct tape *tape, const struct binary_context *c, struct tensor *self,
                        const struct tensor *other, real sign) {
    struct vec_args args = {.x = self->data,
                            .y = other->data,
                            .z = c->y->grad,
                            .out = self->grad,
                            .a = sign,
                            .accumulate = tensor_adds(self)};
    vec_run(tape_pool(tape), c->grad, &args, self->count);
}

static void binary_backward(struct tape *tape, void *context) {
    const struct binary_context *c = context;
    if (!tensor_reached(c->y)) return;
    if (c->wants_a) binary_side(tape, c, c->a, c->b, 1);
    if (c->wants_b) binary_side(tape, c, c->b, c->a, c->sign);
}

static struct tensor *binary(struct tape *tape, const char *name, enum vec_op op, enum vec_op grad,
                             struct tensor *a, struct tensor *b, real sign) {
    op_check(tensor_same_shape(a, b), name, a, b);
    bool wants_a = op_wants(tape, name, a), wants_b = op_wants(tape, name, b);
    struct tensor *y = op_result_like(tape, a, wants_a || wants_b);
    vec_run(tape_pool(tape), op, &(struct vec_args){.x = a->data, .y = b->data, .out = y->data},
            a->count);
    OP_TRACE(tape, .name = name, .y = y, .x = a, .weight = b);
    struct binary_context context = {a, b, y, wants_a, wants_b, grad, sign};
    if (y->grad) op_record(tape, binary_backward, &context, sizeof context);
    return y;
}

struct tensor *op_add(struct tape *tape, struct tensor *a, struct tensor *b) {
    return binary(tape, "op_add", VEC_ADD, VEC_SCALE_GRAD, a, b, 1);
}

struct tensor *op_sub(struct tape *tape, struct tensor *a, struct tensor *b) {
    return binary(tape, "op_sub", VEC_SUB, VEC_SCALE_GRAD, a, b, -1);
}

struct tensor *op_mul(struct tape *tape, struct tensor *a, struct tensor *b) {
    return binary(tape, "op_mul", VEC_MUL, VEC_MUL_GRAD, a, b, 1);
}

struct tensor *op_min(struct tape *tape, struct tensor *a, struct tensor *b) {
    return binary(tape, "op_min", VEC_MIN, VEC_MIN_GRAD, a, b, 1);
}

// --- a row vector on every row
// ----------------------------------------------------------------------

struct row_context {
    struct tensor *x, *b, *y;
    bool wants_x, wants_b;
};

static struct row_context row_context(struct tape *tape, const char *name, struct tensor *x,
                                      struct tensor *b) {
    op_check(b->count == (size_t)tensor_columns(x) && tensor_columns(b) == tensor_columns(x), name,
             x, b);
    bool wants_x = op_wants(tape, name, x), wants_b = op_wants(tape, name, b);
    return (struct row_context){x, b, op_result_like(tape, x, wants_x || wants_b), wants_x,
                                wants_b};
}

// A gradient that is about to be added to by a kernel that only adds.
static real *added(struct tensor *x) {
    if (!tensor_adds(x)) vec_run(NULL, VEC_FILL, &(struct vec_args){.out = x->grad}, x->count);
    return x->grad;
}

static void add_row_backward(struct tape *tape, void *context) {
    const struct row_context *c = context;
    if (!tensor_reached(c->y)) return;
    int rows = tensor_rows(c->x), columns = tensor_columns(c->x);
    if (c->wants_b) vec_sum_rows(tape_pool(tape), rows, columns, c->y->grad, NULL, added(c->b));
    if (c->wants_x) {
        struct vec_args args = {
            .x = c->y->grad, .out = c->x->grad, .accumulate = tensor_adds(c->x)};
        vec_run(tape_pool(tape), VEC_COPY, &args, c->x->count);
    }
}

struct tensor *op_add_row(struct tape *tape, struct tensor *x, struct tensor *b) {
    struct row_context c = row_context(tape, "op_add_row", x, b);
    vec_add_row(tape_pool(tape), tensor_rows(x), tensor_columns(x), x->data, b->data, false,
                c.y->data);
    OP_TRACE(tape, .name = "op_add_row", .y = c.y, .x = x, .weight = b);
    if (c.y->grad) op_record(tape, add_row_backward, &c, sizeof c);
    return c.y;
}

static void mul_row_backward(struct tape *tape, void *context) {
    const struct row_context *c = context;
    if (!tensor_reached(c->y)) return;
    int rows = tensor_rows(c->x), columns = tensor_columns(c->x);
    if (c->wants_b) {
        vec_sum_rows(tape_pool(tape), rows, columns, c->y->grad, c->x->data, added(c->b));
    }
    if (c->wants_x) {
        vec_mul_row(tape_pool(tape), rows, columns, c->y->grad, c->b->data, tensor_adds(c->x),
                    c->x->grad);
    }
}

struct tensor *op_mul_row(struct tape *tape, struct tensor *x, struct tensor *b) {
    struct row_context c = row_context(tape, "op_mul_row", x, b);
    vec_mul_row(tape_pool(tape), tensor_rows(x), tensor_columns(x), x->data, b->data, false,
                c.y->data);
    OP_TRACE(tape, .name = "op_mul_row", .y = c.y, .x = x, .weight = b);
    if (c.y->grad) op_record(tape, mul_row_backward, &c, sizeof c);
    return c.y;
}
