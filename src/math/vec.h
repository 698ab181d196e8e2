// Elementwise loops, broadcasts over rows and reductions. One source (vec_loops.h) is compiled for
// every instruction set and chosen at run time; without fused multiply-add and with a fixed number
// of lanes in the sums, all variants give the same bits. Gradients are written or added
// (accumulate).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"
#include "base/real.h"

// X(NAME, value) with value an expression in x[i], y[i], z[i], a, b.
// Forward: of x (and y). *_GRAD: x the input, y the output (MUL, MIN: the other input), z the
// gradient of the output. NaN comes through everywhere.
// clang-format off
#define VEC_LIST(X)                                                                                \
    X(COPY, x[i])                                                                                  \
    X(FILL, a)                                                                                     \
    X(SCALE, a * x[i])                                                                             \
    X(AFFINE, a * x[i] + b)                                                                        \
    X(ADD, x[i] + y[i])                                                                            \
    X(SUB, x[i] - y[i])                                                                            \
    X(MUL, x[i] * y[i])                                                                            \
    X(PASS_GRAD, z[i])                                                                             \
    X(SCALE_GRAD, a * z[i])                                                                        \
    X(MUL_GRAD, y[i] * z[i])                                                                       \
    X(MIN, x[i] < y[i] || x[i] != x[i] ? x[i] : y[i])                                              \
    X(MIN_GRAD, x[i] < y[i] ? z[i] : x[i] > y[i] ? 0 : z[i] * (real)0.5)                           \
    X(RELU, x[i] < 0 ? 0 : x[i])                                                                   \
    X(RELU_GRAD, y[i] > 0 ? z[i] : 0)                                                              \
    X(ELU, x[i] > 0 ? x[i] : loop_expm1(x[i]))                                                     \
    X(ELU_GRAD, x[i] > 0 ? z[i] : z[i] * (y[i] + 1))                                               \
    X(SILU, x[i] * loop_sigmoid(x[i]))                                                             \
    X(SILU_GRAD, z[i] * loop_silu_slope(x[i]))                                                     \
    X(GELU, x[i] * loop_normal_cdf(x[i]))                                                          \
    X(GELU_GRAD, z[i] * loop_gelu_slope(x[i]))                                                     \
    X(TANH, loop_tanh(x[i]))                                                                       \
    X(TANH_GRAD, z[i] * (1 - y[i] * y[i]))                                                         \
    X(SIGMOID, loop_sigmoid(x[i]))                                                                 \
    X(SIGMOID_GRAD, z[i] * (y[i] * (1 - y[i])))                                                    \
    X(SOFTPLUS, loop_softplus(x[i]))                                                               \
    X(SOFTPLUS_GRAD, z[i] * loop_sigmoid(x[i]))                                                    \
    X(EXP, loop_exp(x[i]))                                                                         \
    X(LOG, loop_log(x[i]))                                                                         \
    X(LOG_GRAD, z[i] / x[i])                                                                       \
    X(SQUARE, x[i] * x[i])                                                                         \
    X(SQUARE_GRAD, z[i] * 2 * x[i])                                                                \
    X(SQRT, loop_sqrt(x[i]))                                                                       \
    X(SQRT_GRAD, z[i] * (real)0.5 / y[i])                                                          \
    X(CLAMP, x[i] < a ? a : x[i] > b ? b : x[i])                                                   \
    X(CLAMP_GRAD, x[i] >= a && x[i] <= b ? z[i] : 0)
// clang-format on

enum vec_op {
#define VEC_ENUM(name, value) VEC_##name,
    VEC_LIST(VEC_ENUM)
#undef VEC_ENUM
        VEC_N_OPS
};

struct vec_args {
    const real *x, *y, *z; // those that the operation reads
    real *out;             // may be one of them
    real a, b;
    bool accumulate; // out += value instead of out = value
};

// For i in [0, count), over the pool when count is large.
void vec_run(struct pool *pool, enum vec_op op, const struct vec_args *args, size_t count);

// x (rows, columns): y = [relu](x + b); y may be x.
void vec_add_row(struct pool *pool, int rows, int columns, const real *x, const real *b, bool relu,
                 real *y);
// out (+)= x * b, b (columns).
void vec_mul_row(struct pool *pool, int rows, int columns, const real *x, const real *b,
                 bool accumulate, real *out);

// out (columns) += sum over rows of x, or of x * y when y is given.
void vec_sum_rows(struct pool *pool, int rows, int columns, const real *x, const real *y,
                  real *out);
// gy = 0 where y <= 0, in place, and (gb given) gb += sum over rows of what is left.
void vec_relu_sum_rows(struct pool *pool, int rows, int columns, const real *y, real *gy, real *gb);

// Sums, in blocks whose totals are added in double.
double vec_sum(struct pool *pool, size_t count, const real *x);
double vec_dot(struct pool *pool, size_t count, const real *x, const real *y);
bool vec_is_finite(size_t count, const real *x);
