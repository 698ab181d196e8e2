// Reward shaping of the DeepMind Control Suite (Tassa et al. 2018, section 2): a tolerance is 1
// inside bounds and falls outside along a sigmoid whose value at the distance margin is chosen.
#pragma once

enum sigmoid {
    SIGMOID_GAUSSIAN,
    SIGMOID_HYPERBOLIC,
    SIGMOID_LONG_TAIL,
    SIGMOID_RECIPROCAL,
    SIGMOID_COSINE,
    SIGMOID_LINEAR,
    SIGMOID_QUADRATIC,
    SIGMOID_TANH_SQUARED,
};
extern const char *const sigmoid_names[]; // "gaussian", ..., NULL

// value_at_1 in (0, 1); the last bounded ones (cosine, linear, quadratic) also take 0.
double sigmoid_value(enum sigmoid sigmoid, double x, double value_at_1);

// margin >= 0; 0 makes it an indicator of [lower, upper] (both inclusive, either may be infinite).
double tolerance(double x, double lower, double upper, double margin, enum sigmoid sigmoid,
                 double value_at_margin);

double tolerance_indicator(double x, double lower, double upper);
// The suite's default: Gaussian with 0.1 at the margin.
double tolerance_gaussian(double x, double lower, double upper, double margin);
// At least bound: linear below it, value_at_margin a margin away.
double tolerance_at_least(double x, double bound, double margin, double value_at_margin);
// Mean over count controls of the quadratic tolerance at 0 with margin 1: 1 for no effort, 0 at
// full effort.
double small_control(const double *control, int count);
