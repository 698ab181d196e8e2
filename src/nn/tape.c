#include "nn/tape.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "math/vec.h"
#include "nn/op.h"

struct record {
    tape_backward_fn backward;
    void *context;
    struct record *before;
    bool foreign; // made by tape_record: adds into gradients without asking tensor_adds
};

struct tape {
    struct arena arena;
    struct pool *pool;
    bool recording;
    tape_trace_fn trace;
    void *trace_context;
    struct record *last;
    struct tensor *newest; // results whose gradient buffer may be unset
    unsigned pass;
};

struct tape *tape_create(size_t arena_bytes, struct pool *pool, struct rl_error *err) {
    struct tape *tape = MEM_NEW(struct tape);
    if (arena_init(&tape->arena, arena_bytes, err) != RL_OK) {
        mem_free(tape);
        return NULL;
    }
    tape->pool = pool;
    tape->pass = 1;
    tape->recording = true;
    return tape;
}

void tape_destroy(struct tape *tape) {
    if (!tape) return;
    arena_release(&tape->arena);
    mem_free(tape);
}

static void forget(struct tape *tape) {
    tape->last = NULL;
    tape->newest = NULL;
    if (++tape->pass == 0) tape->pass = 1;
}

void tape_reset(struct tape *tape) {
    arena_reset(&tape->arena, 0);
    forget(tape);
    tape->recording = true;
}

struct arena *tape_arena(struct tape *tape) {
    return &tape->arena;
}

struct pool *tape_pool(struct tape *tape) {
    return tape->pool;
}

bool tape_set_recording(struct tape *tape, bool on) {
    bool old = tape->recording;
    tape->recording = on;
    return old;
}

void tape_set_trace(struct tape *tape, tape_trace_fn trace, void *context) {
    tape->trace = trace;
    tape->trace_context = context;
}

void op_trace(const struct tape *tape, const struct trace_event *event) {
    if (tape->trace) tape->trace(tape->trace_context, event);
}

bool tape_is_recording(const struct tape *tape) {
    return tape->recording;
}

bool tape_wants(const struct tape *tape, const struct tensor *x) {
    return tape->recording && x && x->grad;
}

bool op_wants(const struct tape *tape, const char *name, const struct tensor *x) {
    if (!tape_wants(tape, x)) return false;
    if (x->owner->pass && x->owner->pass != tape->pass) {
        rl_abort(__FILE__, __LINE__,
                 "%s: an input was used up by an earlier backward pass: detach it", name);
    }
    return true;
}

static struct tensor *new_tensor(struct tape *tape, int ndim, const int *dim) {
    RL_ASSERT(ndim >= 1 && ndim <= TENSOR_MAX_DIMS);
    struct tensor *tensor = ARENA_ARRAY(&tape->arena, struct tensor, 1);
    *tensor = (struct tensor){.ndim = ndim, .count = 1, .owner = tensor};
    for (int i = 0; i < ndim; i++) {
        RL_ASSERT(dim[i] >= 0);
        tensor->dim[i] = dim[i];
        tensor->count *= (size_t)dim[i];
    }
    return tensor;
}

struct tensor *tape_input(struct tape *tape, const real *data, int ndim, const int *dim) {
    struct tensor *tensor = new_tensor(tape, ndim, dim);
    tensor->data = (real *)data; // no operation writes into its inputs
    return tensor;
}

struct tensor *tape_input_2d(struct tape *tape, const real *data, int rows, int columns) {
    return tape_input(tape, data, 2, (int[]){rows, columns});
}

static void clear_grad(struct tensor *tensor) {
    memset(tensor->grad, 0, tensor->count * sizeof(real));
    tensor->grad_set = true;
}

struct tensor *tape_variable(struct tape *tape, const real *data, int ndim, const int *dim) {
    struct tensor *tensor = tape_input(tape, data, ndim, dim);
    tensor->grad = ARENA_ARRAY(&tape->arena, real, tensor->count);
    clear_grad(tensor);
    return tensor;
}

struct tensor *tape_new(struct tape *tape, int ndim, const int *dim, bool with_grad) {
    struct tensor *tensor = op_result(tape, ndim, dim, with_grad);
    if (with_grad) clear_grad(tensor);
    return tensor;
}

struct tensor *tape_param(struct tape *tape, const struct params *params, int id) {
    RL_ASSERT(id >= 0 && id < params->n_items && params->value);
    const struct param_item *item = &params->items[id];
    struct tensor *tensor = new_tensor(tape, item->ndim, item->dim);
    tensor->data = params->value + item->offset;
    if (params->grad && !item->buffer) tensor->grad = params->grad + item->offset;
    tensor->grad_set = true;
    return tensor;
}

struct tensor *op_result(struct tape *tape, int ndim, const int *dim, bool wanted) {
    struct tensor *tensor = new_tensor(tape, ndim, dim);
    tensor->data = ARENA_ARRAY(&tape->arena, real, tensor->count);
    tensor->pass = tape->pass;
    if (wanted) {
        tensor->grad = ARENA_ARRAY(&tape->arena, real, tensor->count);
        tensor->older = tape->newest;
        tape->newest = tensor;
    }
    return tensor;
}

struct tensor *op_result_2d(struct tape *tape, int rows, int columns, bool wanted) {
    return op_result(tape, 2, (int[]){rows, columns}, wanted);
}

struct tensor *op_result_like(struct tape *tape, const struct tensor *x, bool wanted) {
    return op_result(tape, x->ndim, x->dim, wanted);
}

struct tensor *op_view(struct tape *tape, struct tensor *x, size_t offset, int ndim,
                       const int *dim) {
    struct tensor *view = new_tensor(tape, ndim, dim);
    RL_ASSERT(offset + view->count <= x->count);
    view->data = x->data + offset;
    view->owner = x->owner;
    if (!tape_wants(tape, x)) return view;
    // A part must not be written as if it were all, so that the whole buffer has to be set.
    if (view->count != x->count && !x->owner->grad_set) clear_grad(x->owner);
    view->grad = x->grad + offset;
    return view;
}

bool tensor_adds(struct tensor *x) {
    bool adds = x->owner->grad_set;
    x->owner->grad_set = true;
    return adds;
}

bool tensor_reached(const struct tensor *y) {
    return y->grad && y->owner->grad_set;
}

static void push(struct tape *tape, tape_backward_fn backward, void *context, bool foreign) {
    struct record *record = ARENA_ARRAY(&tape->arena, struct record, 1);
    *record = (struct record){backward, context, tape->last, foreign};
    tape->last = record;
}

void tape_record(struct tape *tape, tape_backward_fn backward, void *context) {
    if (tape->recording) push(tape, backward, context, true);
}

void op_record(struct tape *tape, tape_backward_fn backward, const void *context, size_t size) {
    void *copy = arena_alloc(&tape->arena, size);
    memcpy(copy, context, size);
    push(tape, backward, copy, false);
}

void tape_seed(struct tensor *root, real scale) {
    RL_ASSERT(root->grad);
    vec_run(NULL, VEC_FILL,
            &(struct vec_args){.a = scale, .out = root->grad, .accumulate = tensor_adds(root)},
            root->count);
}

void tape_seed_values(struct tensor *root, const real *values) {
    RL_ASSERT(root->grad);
    vec_run(NULL, VEC_COPY,
            &(struct vec_args){.x = values, .out = root->grad, .accumulate = tensor_adds(root)},
            root->count);
}

static void clear_unset(struct tape *tape) {
    for (struct tensor *tensor = tape->newest; tensor; tensor = tensor->older) {
        if (!tensor->grad_set) clear_grad(tensor);
    }
    tape->newest = NULL;
}

void tape_run_backward(struct tape *tape) {
    for (struct record *record = tape->last; record; record = record->before) {
        if (record->foreign) clear_unset(tape);
        record->backward(tape, record->context);
    }
    forget(tape);
}

void tape_backward(struct tape *tape, struct tensor *loss) {
    if (loss->count != 1 || !loss->grad) {
        rl_abort(__FILE__, __LINE__, "tape_backward: the loss has %zu elements and %s gradient",
                 loss->count, loss->grad ? "a" : "no");
    }
    tape_seed(loss, 1);
    tape_run_backward(tape);
}

int tensor_columns(const struct tensor *x) {
    return x->dim[x->ndim - 1];
}

int tensor_rows(const struct tensor *x) {
    int rows = 1;
    for (int i = 0; i + 1 < x->ndim; i++) rows *= x->dim[i];
    return rows;
}

bool tensor_same_shape(const struct tensor *a, const struct tensor *b) {
    return a->ndim == b->ndim && !memcmp(a->dim, b->dim, (size_t)a->ndim * sizeof *a->dim);
}

static const char *shape_text(const struct tensor *x, char text[64]) {
    size_t used = 0;
    for (int i = 0; i < x->ndim; i++) {
        used += (size_t)snprintf(text + used, 64 - used, "%s%d", i ? ", " : "(", x->dim[i]);
    }
    snprintf(text + used, 64 - used, ")");
    return text;
}

void op_check(bool ok, const char *name, const struct tensor *a, const struct tensor *b) {
    if (ok) return;
    char first[64], second[64];
    if (!b) rl_abort(__FILE__, __LINE__, "%s: shape %s does not fit", name, shape_text(a, first));
    rl_abort(__FILE__, __LINE__, "%s: shapes %s and %s do not fit", name, shape_text(a, first),
             shape_text(b, second));
}
