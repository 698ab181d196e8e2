// Views, joining and cutting.
#include <string.h>

#include "math/vec.h"
#include "nn/op.h"

struct tensor *op_detach(struct tape *tape, struct tensor *x) {
    return tape_input(tape, x->data, x->ndim, x->dim);
}

struct tensor *op_reshape(struct tape *tape, struct tensor *x, int ndim, const int *dim) {
    size_t count = 1;
    for (int i = 0; i < ndim; i++) count *= (size_t)dim[i];
    struct tensor wanted = {.ndim = ndim};
    RL_ASSERT(ndim >= 1 && ndim <= TENSOR_MAX_DIMS);
    memcpy(wanted.dim, dim, (size_t)ndim * sizeof *dim);
    op_check(count == x->count, "op_reshape", x, &wanted);
    return op_view(tape, x, 0, ndim, dim);
}

struct tensor *op_flatten(struct tape *tape, struct tensor *x) {
    int columns = 1;
    for (int i = 1; i < x->ndim; i++) columns *= x->dim[i];
    return op_view(tape, x, 0, 2, (int[]){x->dim[0], columns});
}

struct tensor *op_rows(struct tape *tape, struct tensor *x, int begin, int count) {
    op_check(begin >= 0 && count >= 0 && begin + count <= x->dim[0], "op_rows", x, NULL);
    int dim[TENSOR_MAX_DIMS];
    memcpy(dim, x->dim, sizeof dim);
    dim[0] = count;
    size_t each = x->dim[0] ? x->count / (size_t)x->dim[0] : 0;
    return op_view(tape, x, (size_t)begin * each, x->ndim, dim);
}

// Copies (or adds) rows of width numbers between two row lengths.
static void copy_columns(int rows, int width, const real *from, int from_stride, real *to,
                         int to_stride, bool add) {
    for (int i = 0; i < rows; i++, from += from_stride, to += to_stride) {
        if (add) {
            for (int j = 0; j < width; j++) to[j] += from[j];
        } else {
            memcpy(to, from, (size_t)width * sizeof *to);
        }
    }
}

struct concat_context {
    struct tensor *a, *b, *y;
    bool wants_a, wants_b;
};

static void concat_backward(struct tape *tape, void *context) {
    (void)tape;
    const struct concat_context *c = context;
    if (!tensor_reached(c->y)) return;
    int rows = tensor_rows(c->y), first = tensor_columns(c->a), second = tensor_columns(c->b);
    int columns = first + second;
    if (c->wants_a) {
        copy_columns(rows, first, c->y->grad, columns, c->a->grad, first, tensor_adds(c->a));
    }
    if (c->wants_b) {
        copy_columns(rows, second, c->y->grad + first, columns, c->b->grad, second,
                     tensor_adds(c->b));
    }
}

struct tensor *op_concat(struct tape *tape, struct tensor *a, struct tensor *b) {
    bool fits =
        a->ndim == b->ndim && !memcmp(a->dim, b->dim, (size_t)(a->ndim - 1) * sizeof *a->dim);
    op_check(fits, "op_concat", a, b);
    bool wants_a = op_wants(tape, "op_concat", a), wants_b = op_wants(tape, "op_concat", b);
    int dim[TENSOR_MAX_DIMS], first = tensor_columns(a), second = tensor_columns(b);
    memcpy(dim, a->dim, sizeof dim);
    dim[a->ndim - 1] = first + second;
    struct tensor *y = op_result(tape, a->ndim, dim, wants_a || wants_b);
    copy_columns(tensor_rows(a), first, a->data, first, y->data, first + second, false);
    copy_columns(tensor_rows(a), second, b->data, second, y->data + first, first + second, false);
    OP_TRACE(tape, .name = "op_concat", .y = y, .x = a, .weight = b);
    struct concat_context context = {a, b, y, wants_a, wants_b};
    if (y->grad) op_record(tape, concat_backward, &context, sizeof context);
    return y;
}

static void copy_grad(struct tape *tape, const real *from, struct tensor *x) {
    vec_run(tape_pool(tape), VEC_COPY,
            &(struct vec_args){.x = from, .out = x->grad, .accumulate = tensor_adds(x)}, x->count);
}

static void concat_rows_backward(struct tape *tape, void *context) {
    const struct concat_context *c = context;
    if (!tensor_reached(c->y)) return;
    if (c->wants_a) copy_grad(tape, c->y->grad, c->a);
    if (c->wants_b) copy_grad(tape, c->y->grad + c->a->count, c->b);
}

struct tensor *op_concat_rows(struct tape *tape, struct tensor *a, struct tensor *b) {
    bool fits = a->ndim == b->ndim &&
                !memcmp(a->dim + 1, b->dim + 1, (size_t)(a->ndim - 1) * sizeof *a->dim);
    op_check(fits, "op_concat_rows", a, b);
    bool wants_a = op_wants(tape, "op_concat_rows", a),
         wants_b = op_wants(tape, "op_concat_rows", b);
    int dim[TENSOR_MAX_DIMS];
    memcpy(dim, a->dim, sizeof dim);
    dim[0] += b->dim[0];
    struct tensor *y = op_result(tape, a->ndim, dim, wants_a || wants_b);
    memcpy(y->data, a->data, a->count * sizeof(real));
    memcpy(y->data + a->count, b->data, b->count * sizeof(real));
    struct concat_context context = {a, b, y, wants_a, wants_b};
    if (y->grad) op_record(tape, concat_rows_backward, &context, sizeof context);
    return y;
}

struct pick_context {
    struct tensor *x, *y;
    const int *rows; // op_gather_rows
    int begin;       // op_columns
};

static void clear_first(struct tensor *x) {
    if (!tensor_adds(x)) memset(x->grad, 0, x->count * sizeof(real));
}

static void columns_backward(struct tape *tape, void *context) {
    (void)tape;
    const struct pick_context *c = context;
    if (!tensor_reached(c->y)) return;
    clear_first(c->x);
    copy_columns(tensor_rows(c->y), tensor_columns(c->y), c->y->grad, tensor_columns(c->y),
                 c->x->grad + c->begin, tensor_columns(c->x), true);
}

struct tensor *op_columns(struct tape *tape, struct tensor *x, int begin, int count) {
    op_check(begin >= 0 && count >= 0 && begin + count <= tensor_columns(x), "op_columns", x, NULL);
    int dim[TENSOR_MAX_DIMS];
    memcpy(dim, x->dim, sizeof dim);
    dim[x->ndim - 1] = count;
    struct tensor *y = op_result(tape, x->ndim, dim, op_wants(tape, "op_columns", x));
    copy_columns(tensor_rows(x), count, x->data + begin, tensor_columns(x), y->data, count, false);
    OP_TRACE(tape, .name = "op_columns", .y = y, .x = x, .begin = begin);
    struct pick_context context = {.x = x, .y = y, .begin = begin};
    if (y->grad) op_record(tape, columns_backward, &context, sizeof context);
    return y;
}

static void gather_backward(struct tape *tape, void *context) {
    (void)tape;
    const struct pick_context *c = context;
    if (!tensor_reached(c->y)) return;
    clear_first(c->x);
    int each = (int)(c->x->count / (size_t)c->x->dim[0]);
    for (int i = 0; i < c->y->dim[0]; i++) {
        copy_columns(1, each, c->y->grad + (size_t)i * (size_t)each, each,
                     c->x->grad + (size_t)c->rows[i] * (size_t)each, each, true);
    }
}

struct tensor *op_gather_rows(struct tape *tape, struct tensor *x, const int *rows, int count) {
    int dim[TENSOR_MAX_DIMS], *kept = ARENA_ARRAY(tape_arena(tape), int, count);
    memcpy(dim, x->dim, sizeof dim);
    dim[0] = count;
    struct tensor *y = op_result(tape, x->ndim, dim, op_wants(tape, "op_gather_rows", x));
    size_t each = x->count / (size_t)x->dim[0];
    for (int i = 0; i < count; i++) {
        op_check(rows[i] >= 0 && rows[i] < x->dim[0], "op_gather_rows", x, NULL);
        kept[i] = rows[i];
        memcpy(y->data + (size_t)i * each, x->data + (size_t)rows[i] * each, each * sizeof(real));
    }
    OP_TRACE(tape, .name = "op_gather_rows", .y = y, .x = x, .begin = count ? rows[0] : 0);
    struct pick_context context = {.x = x, .y = y, .rows = kept};
    if (y->grad) op_record(tape, gather_backward, &context, sizeof context);
    return y;
}

static void repeat_backward(struct tape *tape, void *context) {
    const struct pick_context *c = context;
    if (!tensor_reached(c->y)) return;
    clear_first(c->x);
    vec_sum_rows(tape_pool(tape), c->y->dim[0], c->y->dim[1], c->y->grad, NULL, c->x->grad);
}

struct tensor *op_repeat_row(struct tape *tape, struct tensor *b, int rows) {
    struct tensor *y = op_result_2d(tape, rows, (int)b->count, op_wants(tape, "op_repeat_row", b));
    for (int i = 0; i < rows; i++) {
        memcpy(y->data + (size_t)i * b->count, b->data, b->count * sizeof(real));
    }
    struct pick_context context = {.x = b, .y = y};
    if (y->grad) op_record(tape, repeat_backward, &context, sizeof context);
    return y;
}

// to (columns, rows) from (rows, columns), in tiles that stay in L1.
static void transpose(int rows, int columns, const real *from, real *to, bool add) {
    for (int row = 0; row < rows; row += 16) {
        for (int column = 0; column < columns; column += 16) {
            for (int i = row; i < row + 16 && i < rows; i++) {
                for (int j = column; j < column + 16 && j < columns; j++) {
                    real *at = &to[(size_t)j * (size_t)rows + (size_t)i];
                    real value = from[(size_t)i * (size_t)columns + (size_t)j];
                    *at = add ? *at + value : value;
                }
            }
        }
    }
}

static void transpose_backward(struct tape *tape, void *context) {
    (void)tape;
    const struct pick_context *c = context;
    if (!tensor_reached(c->y)) return;
    transpose(c->y->dim[0], c->y->dim[1], c->y->grad, c->x->grad, tensor_adds(c->x));
}

struct tensor *op_transpose(struct tape *tape, struct tensor *x) {
    op_check(x->ndim == 2, "op_transpose", x, NULL);
    struct tensor *y = op_result_2d(tape, x->dim[1], x->dim[0], op_wants(tape, "op_transpose", x));
    transpose(x->dim[0], x->dim[1], x->data, y->data, false);
    struct pick_context context = {.x = x, .y = y};
    if (y->grad) op_record(tape, transpose_backward, &context, sizeof context);
    return y;
}
