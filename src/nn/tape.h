// Tensors and a reverse-mode tape over an arena. An operation computes at once and, when any input
// wants a gradient, records how to go back. After the losses: tape_backward; then tape_reset drops
// everything.
//   struct tensor *h = op_relu(tape, linear(tape, params, &layer, x));
// Nothing here allocates outside the arena. Shapes that do not fit abort, naming the operation and
// both shapes. Operations are in nn/ops.h, layers in nn/layers.h.
//
// Gradient buffers of results are not cleared beforehand: the first contribution is written, the
// others are added. So read a gradient only after the backward pass, and seed one with tape_seed or
// tape_seed_values, never by hand. An operation of your own (tape_record) may simply add into the
// grad of its inputs: the tape clears them before it runs.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/pool.h"
#include "base/real.h"
#include "nn/params.h"

#define TENSOR_MAX_DIMS 4

struct tensor {
    real *data;
    real *grad; // NULL: no gradient flows here
    int ndim, dim[TENSOR_MAX_DIMS];
    size_t count;
    // The tape's own:
    struct tensor *owner; // of the gradient buffer: itself, or what this is a view of
    struct tensor *older; // the result before it
    bool grad_set;        // owner's: something has been written
    unsigned pass;        // which backward pass it belongs to; 0 for weights and variables
};

struct tape; // owns its arena

// What one operation read and computed, for whoever follows a forward pass (src/export). y is NULL
// for none of them; the other fields are those that the operation has.
struct trace_event {
    const char *name;                           // "op_conv"
    const struct tensor *y, *x, *weight, *bias; // weight is also the second of two operands
    const uint8_t *pixels;                      // instead of x
    double scale, shift;                        // of the pixels; shift: a norm's eps
    int stride, pad, kernel, heads, begin;
    bool relu;
};
typedef void (*tape_trace_fn)(void *context, const struct trace_event *event);

// arena_bytes bounds everything one update needs (activations and their gradients).
struct tape *tape_create(size_t arena_bytes, struct pool *pool, struct rl_error *err);
void tape_destroy(struct tape *tape);
void tape_reset(struct tape *tape);
struct arena *tape_arena(struct tape *tape); // for scratch that lives until the reset
struct pool *tape_pool(struct tape *tape);

// Calls trace after each operation that has a trace event, until set to NULL; survives resets.
void tape_set_trace(struct tape *tape, tape_trace_fn trace, void *context);

// Recording is on after a reset; off = no gradients are kept (targets, acting).
bool tape_set_recording(struct tape *tape, bool on); // returns the old setting

// A view of the caller's data, which must live until the reset. No gradient.
struct tensor *tape_input(struct tape *tape, const real *data, int ndim, const int *dim);
struct tensor *tape_input_2d(struct tape *tape, const real *data, int rows, int columns);
// The same with a gradient buffer, zeroed: for tests and for gradients with respect to inputs.
struct tensor *tape_variable(struct tape *tape, const real *data, int ndim, const int *dim);
// Uninitialised tensor of this shape; with_grad gives it a zeroed gradient.
struct tensor *tape_new(struct tape *tape, int ndim, const int *dim, bool with_grad);
// Weights: data and grad are the block's own, so backward adds into params->grad.
struct tensor *tape_param(struct tape *tape, const struct params *params, int id);

// For operations: backward is called in reverse order of recording with the context it was given
// (taken from the tape's arena, as its result is: tape_new(..., tape_wants(tape, x))).
typedef void (*tape_backward_fn)(struct tape *tape, void *context);
void tape_record(struct tape *tape, tape_backward_fn backward, void *context);
bool tape_is_recording(const struct tape *tape);
bool tape_wants(const struct tape *tape, const struct tensor *x); // recording, and x has a gradient

// Adds d loss / d everything into the gradients; loss is one number. What was recorded is used up:
// an operation on its results afterwards must detach them. Several losses: sum them, or seed each
// root and run once.
void tape_backward(struct tape *tape, struct tensor *loss);
void tape_seed(struct tensor *root, real scale); // root's gradient += scale, everywhere
void tape_seed_values(struct tensor *root, const real *values); // root's gradient += values (count)
void tape_run_backward(struct tape *tape);
