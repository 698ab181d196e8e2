#include "envs/terrain.h"

#include <math.h>
#include <stdlib.h>

#include "base/err.h"

// Turns count samples, stride apart, into the coefficients of the cubic B-spline through them, with
// mirrored ends (Unser 1999, "Splines: a perfect fit for signal and image processing", box 2).
static void spline_coefficients(double *sample, int count, int stride) {
    const double pole = sqrt(3) - 2;
    double gain = (1 - pole) * (1 - 1 / pole);
    for (int i = 0; i < count; i++) sample[i * stride] *= gain;
    // causal start: the mirrored signal is periodic with 2 count - 2
    double power = pole, last = pow(pole, count - 1),
           sum = sample[0] + last * sample[(count - 1) * stride];
    double back = last * last / pole;
    for (int i = 1; i < count - 1; i++) {
        sum += (power + back) * sample[i * stride];
        power *= pole;
        back /= pole;
    }
    sample[0] = sum / (1 - last * last);
    for (int i = 1; i < count; i++) sample[i * stride] += pole * sample[(i - 1) * stride];
    int end = (count - 1) * stride;
    sample[end] = pole / (pole * pole - 1) * (pole * sample[end - stride] + sample[end]);
    for (int i = end - stride; i >= 0; i -= stride)
        sample[i] = pole * (sample[i + stride] - sample[i]);
}

// The four neighbours of position x in [0, count - 1] and their weights.
static void spline_weights(double x, int count, int *index, double *weight) {
    int base = (int)floor(x);
    double t = x - base, u = 1 - t;
    weight[0] = u * u * u / 6;
    weight[1] = (4 - 3 * t * t * (2 - t)) / 6;
    weight[2] = (4 - 3 * u * u * (2 - u)) / 6;
    weight[3] = t * t * t / 6;
    for (int k = 0; k < 4; k++) {
        int i = abs(base - 1 + k);
        index[k] = i < count ? i : 2 * (count - 1) - i;
    }
}

static double bump(const double *coefficient, int n, double y, double x) {
    int row[4], column[4];
    double wy[4], wx[4], sum = 0;
    spline_weights(y, n, row, wy);
    spline_weights(x, n, column, wx);
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) sum += wy[i] * wx[j] * coefficient[row[i] * n + column[j]];
    }
    return sum;
}

void terrain_make(struct rng *rng, int size, int n_bumps, double smoothness, float *height) {
    RL_ASSERT(n_bumps >= 4 && n_bumps <= TERRAIN_MAX_BUMPS && size >= 2);
    double bumps[TERRAIN_MAX_BUMPS * TERRAIN_MAX_BUMPS];
    for (int i = 0; i < n_bumps * n_bumps; i++) bumps[i] = rng_range(rng, smoothness, 1);
    for (int i = 0; i < n_bumps; i++) spline_coefficients(bumps + i, n_bumps, n_bumps);
    for (int i = 0; i < n_bumps; i++) spline_coefficients(bumps + i * n_bumps, n_bumps, 1);
    double scale = (n_bumps - 1.0) / (size - 1.0);
    for (int r = 0; r < size; r++) {
        for (int c = 0; c < size; c++) {
            double y = 2.0 * r / (size - 1) - 1, x = 2.0 * c / (size - 1) - 1;
            double radius = fmin(fmax(sqrt(x * x + y * y), 0.04), 1);
            double bowl = 0.5 - cos(2 * M_PI * radius) / 2;
            height[r * size + c] = (float)(bowl * bump(bumps, n_bumps, r * scale, c * scale));
        }
    }
}
