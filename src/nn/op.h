// For the operations in ops_*.c (and layers that are one): results, gradients, shape errors.
#pragma once

#include "nn/ops.h"

// A result: tape_new whose gradient (if wanted) is not cleared; see tensor_adds.
struct tensor *op_result(struct tape *tape, int ndim, const int *dim, bool wanted);
struct tensor *op_result_2d(struct tape *tape, int rows, int columns, bool wanted);
struct tensor *op_result_like(struct tape *tape, const struct tensor *x, bool wanted);
// A tensor over x's memory from element offset on. Its gradient is x's, so nothing is recorded.
struct tensor *op_view(struct tape *tape, struct tensor *x, size_t offset, int ndim,
                       const int *dim);

// As tape_wants, for an input of the operation called name; x may be NULL. Aborts when x was used
// up by an earlier backward pass: its gradient would go nowhere.
bool op_wants(const struct tape *tape, const char *name, const struct tensor *x);

// To be called just before contributing to x's gradient: true = add to it, false = write all of it.
bool tensor_adds(struct tensor *x);
// Whether anything reached y's gradient; if not, backward has nothing to do.
bool tensor_reached(const struct tensor *y);

// Records backward with a copy of the context, which lives in the arena.
void op_record(struct tape *tape, tape_backward_fn backward, const void *context, size_t size);

// Tells the tape's trace, if there is one, what was computed.
void op_trace(const struct tape *tape, const struct trace_event *event);
#define OP_TRACE(tape, ...) op_trace(tape, &(struct trace_event){__VA_ARGS__})

int tensor_columns(const struct tensor *x); // last dimension
int tensor_rows(const struct tensor *x);    // product of the others

// Aborts unless ok: "op_add: shapes (256, 64) and (256, 32) do not fit"; b may be NULL.
void op_check(bool ok, const char *name, const struct tensor *a, const struct tensor *b);
bool tensor_same_shape(const struct tensor *a, const struct tensor *b);
