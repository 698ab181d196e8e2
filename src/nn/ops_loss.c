// Sums and losses.
#include <string.h>
#include <tgmath.h>

#include "math/softmax.h"
#include "math/vec.h"
#include "nn/op.h"

struct sum_context {
    struct tensor *x, *y;
    real scale;
};

static struct tensor *scalar(struct tape *tape, bool wants) {
    return op_result(tape, 1, (int[]){1}, wants);
}

static void sum_backward(struct tape *tape, void *context) {
    const struct sum_context *c = context;
    if (!tensor_reached(c->y)) return;
    struct vec_args args = {
        .a = c->y->grad[0] * c->scale, .out = c->x->grad, .accumulate = tensor_adds(c->x)};
    vec_run(tape_pool(tape), VEC_FILL, &args, c->x->count);
}

static struct tensor *scaled_sum(struct tape *tape, const char *name, struct tensor *x,
                                 double scale) {
    struct sum_context c = {x, scalar(tape, op_wants(tape, name, x)), (real)scale};
    c.y->data[0] = (real)(scale * vec_sum(tape_pool(tape), x->count, x->data));
    if (c.y->grad) op_record(tape, sum_backward, &c, sizeof c);
    return c.y;
}

struct tensor *op_sum(struct tape *tape, struct tensor *x) {
    return scaled_sum(tape, "op_sum", x, 1);
}

struct tensor *op_mean(struct tape *tape, struct tensor *x) {
    return scaled_sum(tape, "op_mean", x, 1 / (double)x->count);
}

static void mean_rows_backward(struct tape *tape, void *context) {
    (void)tape;
    const struct sum_context *c = context;
    if (!tensor_reached(c->y)) return;
    bool add = tensor_adds(c->x);
    int columns = tensor_columns(c->x);
    for (int i = 0; i < tensor_rows(c->x); i++) {
        struct vec_args args = {.z = c->y->grad,
                                .a = c->scale,
                                .accumulate = add,
                                .out = c->x->grad + (size_t)i * (size_t)columns};
        vec_run(NULL, VEC_SCALE_GRAD, &args, (size_t)columns);
    }
}

struct tensor *op_mean_rows(struct tape *tape, struct tensor *x) {
    int rows = tensor_rows(x), columns = tensor_columns(x);
    struct tensor *y = op_result(tape, 1, &columns, op_wants(tape, "op_mean_rows", x));
    struct sum_context c = {x, y, 1 / (real)rows};
    memset(y->data, 0, y->count * sizeof(real));
    vec_sum_rows(tape_pool(tape), rows, columns, x->data, NULL, y->data);
    vec_run(NULL, VEC_SCALE, &(struct vec_args){.x = y->data, .out = y->data, .a = c.scale},
            y->count);
    if (y->grad) op_record(tape, mean_rows_backward, &c, sizeof c);
    return y;
}

static void sum_columns_backward(struct tape *tape, void *context) {
    (void)tape;
    const struct sum_context *c = context;
    if (!tensor_reached(c->y)) return;
    bool add = tensor_adds(c->x);
    int columns = tensor_columns(c->x);
    for (int i = 0; i < tensor_rows(c->x); i++) {
        struct vec_args args = {
            .a = c->y->grad[i], .accumulate = add, .out = c->x->grad + (size_t)i * (size_t)columns};
        vec_run(NULL, VEC_FILL, &args, (size_t)columns);
    }
}

struct tensor *op_sum_columns(struct tape *tape, struct tensor *x) {
    size_t columns = (size_t)tensor_columns(x);
    struct tensor *y = op_result_2d(tape, tensor_rows(x), 1, op_wants(tape, "op_sum_columns", x));
    for (size_t i = 0; i < y->count; i++) {
        y->data[i] = (real)vec_sum(NULL, columns, x->data + i * columns);
    }
    struct sum_context c = {x, y, 1};
    if (y->grad) op_record(tape, sum_columns_backward, &c, sizeof c);
    return y;
}

// --- losses: the slope d loss / d x is written when the loss is computed
// --------------------------------

struct loss_context {
    struct tensor *x, *y;
    real *slope; // NULL when nobody wants it
};

static void loss_backward(struct tape *tape, void *context) {
    const struct loss_context *c = context;
    if (!tensor_reached(c->y)) return;
    struct vec_args args = {
        .z = c->slope, .a = c->y->grad[0], .out = c->x->grad, .accumulate = tensor_adds(c->x)};
    vec_run(tape_pool(tape), VEC_SCALE_GRAD, &args, c->x->count);
}

static struct loss_context loss_context(struct tape *tape, const char *name, struct tensor *x) {
    struct loss_context c = {x, scalar(tape, op_wants(tape, name, x)), NULL};
    if (!c.y->grad) return c;
    c.slope = ARENA_ARRAY(tape_arena(tape), real, x->count);
    op_record(tape, loss_backward, &c, sizeof c);
    return c;
}

struct tensor *op_mse(struct tape *tape, struct tensor *x, struct tensor *target) {
    op_check(tensor_same_shape(x, target), "op_mse", x, target);
    struct loss_context c = loss_context(tape, "op_mse", x);
    size_t mark = tape_arena(tape)->used_bytes;
    real *off = ARENA_ARRAY(tape_arena(tape), real, x->count);
    struct pool *pool = tape_pool(tape);
    vec_run(pool, VEC_SUB, &(struct vec_args){.x = x->data, .y = target->data, .out = off},
            x->count);
    c.y->data[0] = (real)(vec_dot(pool, x->count, off, off) / (double)x->count);
    if (c.slope) {
        struct vec_args args = {.x = off, .a = 2 / (real)x->count, .out = c.slope};
        vec_run(pool, VEC_SCALE, &args, x->count);
    }
    arena_reset(tape_arena(tape), mark);
    return c.y;
}

// torch.nn.functional.huber_loss: off^2 / 2 near, delta (|off| - delta / 2) far.
struct tensor *op_huber(struct tape *tape, struct tensor *x, struct tensor *target, double delta) {
    op_check(tensor_same_shape(x, target), "op_huber", x, target);
    struct loss_context c = loss_context(tape, "op_huber", x);
    double total = 0;
    for (size_t i = 0; i < x->count; i++) {
        double off = (double)x->data[i] - (double)target->data[i], far = fabs(off);
        double slope = far < delta ? off : off > 0 ? delta : -delta;
        if (off != off) slope = off;
        total += far < delta ? off * off / 2 : delta * (far - delta / 2);
        if (c.slope) c.slope[i] = (real)(slope / (double)x->count);
    }
    c.y->data[0] = (real)(total / (double)x->count);
    return c.y;
}

// Mean over the rows of - sum target log softmax; slope (softmax sum(target) - target) / rows, by
// label or by a distribution.
static struct tensor *cross_entropy(struct tape *tape, const char *name, struct tensor *logits,
                                    const int *label, const struct tensor *target) {
    struct loss_context c = loss_context(tape, name, logits);
    int rows = tensor_rows(logits), columns = tensor_columns(logits);
    size_t mark = tape_arena(tape)->used_bytes;
    real *log_p = ARENA_ARRAY(tape_arena(tape), real, logits->count);
    softmax_log_forward(tape_pool(tape), rows, columns, logits->data, log_p);
    double total = 0;
    for (int i = 0; i < rows; i++) {
        const real *row = log_p + (size_t)i * (size_t)columns;
        const real *want = target ? target->data + (size_t)i * (size_t)columns : NULL;
        if (label) op_check(label[i] >= 0 && label[i] < columns, name, logits, NULL);
        total -= label ? (double)row[label[i]] : vec_dot(NULL, (size_t)columns, row, want);
        if (!c.slope) continue;
        real *slope = c.slope + (size_t)i * (size_t)columns;
        real weight = label ? 1 : (real)vec_sum(NULL, (size_t)columns, want);
        vec_run(NULL, VEC_EXP, &(struct vec_args){.x = row, .out = slope}, (size_t)columns);
        for (int j = 0; j < columns; j++) {
            real wanted = label ? (real)(j == label[i]) : want[j];
            slope[j] = (slope[j] * weight - wanted) / (real)rows;
        }
    }
    c.y->data[0] = (real)(total / rows);
    arena_reset(tape_arena(tape), mark);
    return c.y;
}

struct tensor *op_cross_entropy(struct tape *tape, struct tensor *logits, const int *label) {
    return cross_entropy(tape, "op_cross_entropy", logits, label, NULL);
}

struct tensor *op_soft_cross_entropy(struct tape *tape, struct tensor *logits,
                                     struct tensor *target) {
    op_check(tensor_same_shape(logits, target), "op_soft_cross_entropy", logits, target);
    return cross_entropy(tape, "op_soft_cross_entropy", logits, NULL, target);
}

// max(x, 0) - x target + log(1 + exp(-|x|)); slope sigmoid(x) - target.
struct tensor *op_bce_logits(struct tape *tape, struct tensor *logits, struct tensor *target) {
    op_check(tensor_same_shape(logits, target), "op_bce_logits", logits, target);
    struct loss_context c = loss_context(tape, "op_bce_logits", logits);
    size_t count = logits->count, mark = tape_arena(tape)->used_bytes;
    struct pool *pool = tape_pool(tape);
    real *soft = ARENA_ARRAY(tape_arena(tape), real, count);
    vec_run(pool, VEC_SOFTPLUS, &(struct vec_args){.x = logits->data, .out = soft}, count);
    double total = vec_sum(pool, count, soft) - vec_dot(pool, count, logits->data, target->data);
    c.y->data[0] = (real)(total / (double)count);
    if (c.slope) {
        vec_run(pool, VEC_SIGMOID, &(struct vec_args){.x = logits->data, .out = soft}, count);
        vec_run(pool, VEC_SUB, &(struct vec_args){.x = soft, .y = target->data, .out = c.slope},
                count);
        struct vec_args args = {.x = c.slope, .out = c.slope, .a = 1 / (real)count};
        vec_run(pool, VEC_SCALE, &args, count);
    }
    arena_reset(tape_arena(tape), mark);
    return c.y;
}
