// Differentiable operations. All return a new tensor of the tape; rows are the batch. (B, D) unless
// said.
#pragma once

#include "nn/tape.h"

struct tensor *op_detach(struct tape *tape, struct tensor *x); // stop-gradient (a view)
struct tensor *op_reshape(struct tape *tape, struct tensor *x, int ndim, const int *dim); // a view
struct tensor *op_flatten(struct tape *tape, struct tensor *x); // (B, ...) -> (B, product)

// Elementwise; same shapes.
struct tensor *op_add(struct tape *tape, struct tensor *a, struct tensor *b);
struct tensor *op_sub(struct tape *tape, struct tensor *a, struct tensor *b);
struct tensor *op_mul(struct tape *tape, struct tensor *a, struct tensor *b);
struct tensor *op_min(struct tape *tape, struct tensor *a, struct tensor *b); // ties: half each
struct tensor *op_affine(struct tape *tape, struct tensor *x, double scale, double shift);
// x + b and x * b with b (D) broadcast over rows of x (..., D).
struct tensor *op_add_row(struct tape *tape, struct tensor *x, struct tensor *b);
struct tensor *op_mul_row(struct tape *tape, struct tensor *x, struct tensor *b);
struct tensor *op_relu(struct tape *tape, struct tensor *x);
struct tensor *op_elu(struct tape *tape, struct tensor *x);
struct tensor *op_silu(struct tape *tape, struct tensor *x);
struct tensor *op_gelu(struct tape *tape, struct tensor *x); // exact (erf)
struct tensor *op_tanh(struct tape *tape, struct tensor *x);
struct tensor *op_sigmoid(struct tape *tape, struct tensor *x);
struct tensor *op_softplus(struct tape *tape, struct tensor *x);
struct tensor *op_exp(struct tape *tape, struct tensor *x);
struct tensor *op_log(struct tape *tape, struct tensor *x);
struct tensor *op_square(struct tape *tape, struct tensor *x);
struct tensor *op_sqrt(struct tape *tape, struct tensor *x);
// The gradient outside [low, high] is 0 with op_clamp, 1 with op_clamp_through.
struct tensor *op_clamp(struct tape *tape, struct tensor *x, double low, double high);
struct tensor *op_clamp_through(struct tape *tape, struct tensor *x, double low, double high);

// Rearranging.
struct tensor *op_concat(struct tape *tape, struct tensor *a, struct tensor *b); // (B, D1 + D2)
// (B1 + B2, ...)
struct tensor *op_concat_rows(struct tape *tape, struct tensor *a, struct tensor *b);
struct tensor *op_columns(struct tape *tape, struct tensor *x, int begin, int count);
struct tensor *op_rows(struct tape *tape, struct tensor *x, int begin, int count);
struct tensor *op_gather_rows(struct tape *tape, struct tensor *x, const int *rows, int count);
struct tensor *op_repeat_row(struct tape *tape, struct tensor *b, int rows); // (D) -> (rows, D)
struct tensor *op_transpose(struct tape *tape, struct tensor *x);            // (A, B) -> (B, A)

// Products.
struct tensor *op_matmul(struct tape *tape, struct tensor *a, bool trans_a, struct tensor *b,
                         bool trans_b);
// x (B, in) w (out, in) b (out) or NULL -> (B, out); torch's layout.
struct tensor *op_linear(struct tape *tape, struct tensor *x, struct tensor *w, struct tensor *b,
                         bool relu);
struct tensor *op_row_dot(struct tape *tape, struct tensor *a, struct tensor *b); // (B, 1)

// Convolution and pooling, (B, H, W, C); weights (k, k, in, out).
struct tensor *op_conv(struct tape *tape, struct tensor *x, struct tensor *w, struct tensor *b,
                       int stride, int pad, bool relu);
// u8 pixels read as x * scale + shift; no gradient to the pixels. The images must live until the
// reset.
struct tensor *op_conv_u8(struct tape *tape, const uint8_t *x, const int *dim /* B, H, W, C */,
                          double scale, double shift, struct tensor *w, struct tensor *b,
                          int stride, int pad, bool relu);
struct tensor *op_max_pool(struct tape *tape, struct tensor *x, int kernel, int stride, int pad);
struct tensor *op_mean_pool(struct tape *tape, struct tensor *x); // (B, H, W, C) -> (B, C)
struct tensor *op_u8(struct tape *tape, const uint8_t *x, int ndim, const int *dim, double scale,
                     double shift);

// Normalisation. Layer norm over the last dimension; weight and bias may be NULL.
struct tensor *op_layer_norm(struct tape *tape, struct tensor *x, struct tensor *weight,
                             struct tensor *bias, double eps);
struct tensor *op_group_norm(struct tape *tape, struct tensor *x, int groups, struct tensor *weight,
                             struct tensor *bias, double eps); // (B, H, W, C) or (B, C)
// Over all but the last dimension. train: batch statistics, and the running ones move by momentum
// (variance unbiased, as torch); otherwise the running ones are used. mean, var: (C) buffers, may
// be NULL.
struct tensor *op_batch_norm(struct tape *tape, struct tensor *x, struct tensor *weight,
                             struct tensor *bias, real *running_mean, real *running_var, bool train,
                             double momentum, double eps);
// Rows divided by max(norm, eps).
struct tensor *op_l2_normalize(struct tape *tape, struct tensor *x, double eps);

// Softmax over the last dimension; attention.
struct tensor *op_softmax(struct tape *tape, struct tensor *x);
struct tensor *op_log_softmax(struct tape *tape, struct tensor *x);
// q, k, v (B, T, H * D): softmax(q k' / sqrt(D)) v for each head -> (B, T, H * D). weights_out, if
// not NULL, receives (B, H, T, T).
struct tensor *op_attention(struct tape *tape, struct tensor *q, struct tensor *k, struct tensor *v,
                            int heads, real *weights_out);
// The same on one tensor (B, T, 3 * H * D) with all of q, then k, then v in each row.
struct tensor *op_attention_qkv(struct tape *tape, struct tensor *qkv, int heads,
                                real *weights_out);

// Sums to a scalar (1), or over rows / columns.
struct tensor *op_sum(struct tape *tape, struct tensor *x);
struct tensor *op_mean(struct tape *tape, struct tensor *x);
struct tensor *op_mean_rows(struct tape *tape, struct tensor *x);   // (B, D) -> (D)
struct tensor *op_sum_columns(struct tape *tape, struct tensor *x); // (B, D) -> (B, 1)
struct tensor *op_logsumexp(struct tape *tape, struct tensor *x);   // (B, D) -> (B, 1)

// Losses, mean over the batch (torch's defaults); no gradient flows to the targets. op_huber is
// torch's huber_loss: off^2 / 2 near, delta (|off| - delta / 2) far.
struct tensor *op_mse(struct tape *tape, struct tensor *x, struct tensor *target);
struct tensor *op_huber(struct tape *tape, struct tensor *x, struct tensor *target, double delta);
struct tensor *op_cross_entropy(struct tape *tape, struct tensor *logits, const int *label);
struct tensor *op_soft_cross_entropy(struct tape *tape, struct tensor *logits,
                                     struct tensor *target);
struct tensor *op_bce_logits(struct tape *tape, struct tensor *logits, struct tensor *target);
