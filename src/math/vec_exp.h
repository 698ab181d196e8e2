// Exponentials and their kin for the loops of vec_loops.h: without branches, so that the compiler
// vectorises them, and accurate to about 1e-7 relative (tests/test_vec.c). The polynomials are our
// own weighted least-squares fits of the functions named beside them. Double precision uses the C
// library.
#pragma once

static inline real loop_sqrt(real x) {
    return sqrt(x);
}

#ifdef RL_DOUBLE

static inline real loop_exp(real x) {
    return exp(x);
}

static inline real loop_expm1(real x) {
    return expm1(x);
}

static inline real loop_log(real x) {
    return log(x);
}

static inline real loop_log1p(real x) {
    return log1p(x);
}

static inline real loop_tanh(real x) {
    return tanh(x);
}

// Standard normal distribution function.
static inline real loop_normal_cdf(real x) {
    return 0.5 * erfc(x * -0.70710678118654752440);
}

#else

#include <stdint.h>
#include <string.h>

#define LN2_HIGH                0.693359375f // few bits, so that times a small integer is exact
#define LN2_LOW                 -2.12194440e-4f
#define POLY4(x, a, b, c, d, e) ((a) + (x) * ((b) + (x) * ((c) + (x) * ((d) + (x) * (e)))))

static inline float loop_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t loop_to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float loop_power_of_two(int32_t n) { // -126 to 127
    return loop_from_bits((uint32_t)(n + 127) << 23);
}

// exp(x) = 2^n exp(r), |r| <= ln(2) / 2; the power in two factors, so that it reaches denormals and
// infinity. Comparisons keep NaN.
static inline float loop_exp(float x) {
    const float magic = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer in the low bits
    x = x > 89.5f ? 89.5f : x;
    x = x < -104.0f ? -104.0f : x;
    float shifted = x * 1.44269504f + magic, n = shifted - magic;
    int32_t power = (int32_t)(loop_to_bits(shifted) - loop_to_bits(magic)), half = power >> 1;
    float r = (x - n * LN2_HIGH) - n * LN2_LOW;
    // (exp(r) - 1 - r) / r^2
    float p = POLY4(r, 0.5f, 0.166665122f, 0.0416661873f, 0.00836959854f, 0.00139517197f);
    float value = (p * (r * r) + r) + 1.0f;
    return value * loop_power_of_two(half) * loop_power_of_two(power - half);
}

// For x <= 0 (ELU).
static inline float loop_expm1(float x) {
    // (expm1(x) - x) / x^2 on [-0.5, 0]
    float p = 0.49999997f + x * POLY4(x, 0.166665673f, 0.0416581705f, 0.00829908159f,
                                      0.00131964963f, 0.00013171896f);
    float near = x + x * x * p, far = loop_exp(x) - 1.0f;
    return x > -0.5f ? near : far;
}

// log(1 + f) + e log(2) for f in [sqrt(1/2) - 1, sqrt(2) - 1].
static inline float loop_log_part(float f, float e) {
    // (log1p(f) - f + f^2 / 2) / f^3
    float high = POLY4(f, 0.142195523f, -0.124055892f, 0.11888162f, -0.116756521f, 0.0674664006f);
    float p =
        0.333333135f + f * (-0.250000089f + f * (0.200021192f + f * (-0.166679963f + f * high)));
    float square = f * f;
    float small = e * LN2_LOW + (square * f * p - 0.5f * square);
    return e * LN2_HIGH + (f + small);
}

static inline float loop_log(float x) {
    bool tiny = x < 1.17549435e-38f; // denormals have no exponent to read
    float scaled = tiny ? x * 8388608.0f : x;
    // The exponent that leaves a mantissa in [sqrt(1/2), sqrt(2)).
    int32_t e = (int32_t)(loop_to_bits(scaled) - 0x3f3504f3u) >> 23;
    float mantissa = loop_from_bits(loop_to_bits(scaled) - ((uint32_t)e << 23));
    float value = loop_log_part(mantissa - 1.0f, (float)(tiny ? e - 23 : e));
    value = x < INFINITY ? value : x; // infinity and NaN
    value = x < 0 ? NAN : value;
    return x == 0 ? -INFINITY : value;
}

// For x in [0, 1] (softplus): halves 1 + x where it is above sqrt(2).
static inline float loop_log1p(float x) {
    bool halve = x > 0.41421356f;
    return loop_log_part(halve ? 0.5f * (x - 1.0f) : x, halve ? 1.0f : 0.0f);
}

static inline float loop_tanh(float x) {
    float size = x < 0 ? -x : x, z = x * x;
    // (tanh(x) - x) / x^3 in x^2, below 0.625
    float p = POLY4(z, -0.333332807f, 0.133314416f, -0.0537397154f, 0.0206390861f, -0.00570498686f);
    float near = x + x * (z * p), far = 1.0f - 2.0f / (loop_exp(2.0f * size) + 1.0f);
    far = x < 0 ? -far : far;
    return size < 0.625f ? near : far;
}

// Standard normal distribution function: below zero exp(-x^2 / 2) t q(t) with t = 1 / (1 + 0.35
// |x|).
static inline float loop_normal_cdf(float x) {
    float size = x < 0 ? -x : x, t = 1.0f / (1.0f + 0.35f * size);
    float high =
        POLY4(t, -0.0231098142f, 0.159174129f, -0.255714238f, 0.143971682f, -0.0291459281f);
    float q =
        0.139621407f + t * (0.139861867f + t * (0.119832873f + t * (0.105507992f + t * high)));
    float tail = loop_exp(-0.5f * size * size) * (t * q);
    return x < 0 ? tail : 1.0f - tail;
}

#endif

static inline real loop_sigmoid(real x) {
    return 1 / (1 + loop_exp(-x));
}

static inline real loop_softplus(real x) {
    real up = x > 0 ? x : 0, down = x > 0 ? -x : x; // down keeps a NaN
    return up + loop_log1p(loop_exp(down));
}

static inline real loop_silu_slope(real x) {
    real s = loop_sigmoid(x);
    return s * (1 + x * (1 - s));
}

static inline real loop_gelu_slope(real x) {
    return loop_normal_cdf(x) + x * (real)0.39894228040143267794 * loop_exp((real)-0.5 * x * x);
}
