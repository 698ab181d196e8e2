// Exponentials for the loops of vec_loops.h.
#pragma once

static inline real loop_exp(real x) {
    return exp(x);
}

static inline real loop_expm1(real x) {
    return expm1(x);
}

static inline real loop_log(real x) {
    return log(x);
}

static inline real loop_sqrt(real x) {
    return sqrt(x);
}

static inline real loop_tanh(real x) {
    return tanh(x);
}

static inline real loop_sigmoid(real x) {
    return 1 / (1 + loop_exp(-x));
}

static inline real loop_softplus(real x) {
    return (x > 0 ? x : 0) + log1p(loop_exp(x > 0 ? -x : x));
}

static inline real loop_silu_slope(real x) {
    real s = loop_sigmoid(x);
    return s * (1 + x * (1 - s));
}

// Standard normal distribution function.
static inline real loop_normal_cdf(real x) {
    return (real)0.5 * erfc(x * (real)-0.70710678118654752440);
}

static inline real loop_gelu_slope(real x) {
    return loop_normal_cdf(x) + x * (real)0.39894228040143267794 * loop_exp((real)-0.5 * x * x);
}
