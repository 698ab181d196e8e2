#include "envs/rewards.h"

#include <math.h>
#include <stddef.h>

#include "base/err.h"

const char *const sigmoid_names[] = {"gaussian",   "hyperbolic",   "long_tail",
                                     "reciprocal", "cosine",       "linear",
                                     "quadratic",  "tanh_squared", NULL};

double sigmoid_value(enum sigmoid sigmoid, double x, double value_at_1) {
    double v = value_at_1, scaled;
    switch (sigmoid) {
    case SIGMOID_GAUSSIAN: scaled = x * sqrt(-2 * log(v)); return exp(-0.5 * scaled * scaled);
    case SIGMOID_HYPERBOLIC: return 1 / cosh(x * acosh(1 / v));
    case SIGMOID_LONG_TAIL: scaled = x * sqrt(1 / v - 1); return 1 / (scaled * scaled + 1);
    case SIGMOID_RECIPROCAL: return 1 / (fabs(x) * (1 / v - 1) + 1);
    case SIGMOID_COSINE:
        scaled = x * acos(2 * v - 1) / M_PI;
        return fabs(scaled) < 1 ? (1 + cos(M_PI * scaled)) / 2 : 0;
    case SIGMOID_LINEAR: scaled = x * (1 - v); return fabs(scaled) < 1 ? 1 - scaled : 0;
    case SIGMOID_QUADRATIC:
        scaled = x * sqrt(1 - v);
        return fabs(scaled) < 1 ? 1 - scaled * scaled : 0;
    case SIGMOID_TANH_SQUARED: scaled = tanh(x * atanh(sqrt(1 - v))); return 1 - scaled * scaled;
    }
    RL_ASSERT(!"unknown sigmoid");
    return 0;
}

double tolerance(double x, double lower, double upper, double margin, enum sigmoid sigmoid,
                 double value_at_margin) {
    if (lower <= x && x <= upper) return 1;
    if (margin == 0) return 0;
    double distance = (x < lower ? lower - x : x - upper) / margin;
    return sigmoid_value(sigmoid, distance, value_at_margin);
}

double tolerance_indicator(double x, double lower, double upper) {
    return lower <= x && x <= upper ? 1 : 0;
}

double tolerance_gaussian(double x, double lower, double upper, double margin) {
    return tolerance(x, lower, upper, margin, SIGMOID_GAUSSIAN, 0.1);
}

double tolerance_at_least(double x, double bound, double margin, double value_at_margin) {
    return tolerance(x, bound, INFINITY, margin, SIGMOID_LINEAR, value_at_margin);
}

double small_control(const double *control, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += tolerance(control[i], 0, 0, 1, SIGMOID_QUADRATIC, 0);
    return sum / count;
}
