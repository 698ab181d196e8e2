// A trained policy as a list of plain operations on one observation: what `rlrun export` writes. It
// is made by following one forward pass (tape_set_trace), so that an encoder or an agent needs no
// code of its own to be exported as long as its operations are known here.
#pragma once

#include "train/policy.h"

// The table of operations: X(name, its name in the tape or "" where export adds it).
#define EXPORT_OPS(X)                                                                              \
    X(PIXELS, "") /* (float)u8 * scale + shift */                                                  \
    X(CONV, "op_conv")                                                                             \
    X(LINEAR, "op_linear") /* weight transposed: (in, out) */                                      \
    X(LAYER_NORM, "op_layer_norm")                                                                 \
    X(ADD, "op_add") /* weight: the other operand, repeated to x's size */                         \
    X(RELU, "op_relu")                                                                             \
    X(TANH, "op_tanh")                                                                             \
    X(GELU, "op_gelu")                                                                             \
    X(MAX_POOL, "op_max_pool")                                                                     \
    X(MEAN_POOL, "op_mean_pool")                                                                   \
    X(ATTENTION, "op_attention_qkv")                                                               \
    X(COLUMNS, "op_columns")                                                                       \
    X(CONCAT, "op_concat")                                                                         \
    X(NORMALISE, "") /* (x - weight) * bias */                                                     \
    X(CLIP, "")      /* to [-scale, scale] */                                                      \
    X(RECALL, "")    /* x, then what it was in the steps before */

enum export_op {
#define X(op, name) EXPORT_##op,
    EXPORT_OPS(X)
#undef X
};

// An operand: numbers of the block of constants, or the result of an operation.
struct export_ref {
    enum { EXPORT_NONE, EXPORT_CONSTANT, EXPORT_VALUE, EXPORT_INPUT } kind;
    int value;                      // index of the operation
    size_t offset;                  // of the constant in the block
    int ndim, dim[TENSOR_MAX_DIMS]; // as the reader sees it, batch of 1 first
};

struct export_node {
    enum export_op op;
    struct export_ref x, weight, bias;
    int ndim, dim[TENSOR_MAX_DIMS]; // of the result
    size_t count;
    float scale, shift; // pixels, clip; shift: eps of a norm
    int stride, pad, kernel, heads, begin;
    bool relu;
    int last_use;          // index of the last operation that reads the result
    size_t at, scratch_at; // where the result lies in the memory of a run; attention's scores
};

struct export_graph {
    struct export_node *nodes;
    int n_nodes, capacity;
    float *constants;
    size_t n_constants, constants_capacity;
    size_t memory;      // floats that a run needs
    bool pixels;        // input: a stack of frames u8 (H, W, C); else float (input_dim[0])
    int input_dim[3];   // H, W, stacked C
    int frame_channels; // of one frame
    int action_dim;
    int latent_dim, past; // floats of earlier latents that a run needs; 0 = a policy without memory
};

// The mean action of a policy. RL_EUSAGE names an operation that has no exported form.
RL_CHECKED enum rl_status export_graph_create(struct export_graph *graph, struct policy *policy,
                                              struct rl_error *err);
void export_graph_release(struct export_graph *graph);

size_t export_input_count(const struct export_graph *graph); // numbers or bytes of one input

// Computes one action by the kernels of policy_kernels.h, in exactly the order of the C header.
// input: u8 or float as the graph says; past: graph->past floats, carried from step to step of an
// episode; first: its first step, past is not read; memory: graph->memory floats.
void export_graph_run(const struct export_graph *graph, const void *input, float *past, bool first,
                      float *memory, float *action);

// Writes the policy as one C99 header. about: one line for its comment.
RL_CHECKED enum rl_status export_write_c(const struct export_graph *graph, const char *path,
                                         const char *about, struct rl_error *err);
// Writes the policy as ONNX, opset 17: one input ("pixels" u8 (1, H, W, C), or "observation" float
// (1, n)), one output "action" (1, action_dim). With latents of several steps there is an input
// "past" too, and an output "latent" that the caller puts before it for the next step.
RL_CHECKED enum rl_status export_write_onnx(const struct export_graph *graph, const char *path,
                                            const char *about, struct rl_error *err);
