#include "math/polar.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define ITERATION_LIMIT 60
#define TOLERANCE       1e-13

// inverse (n, n) of a, which is destroyed: Gauss-Jordan with partial pivoting.
static bool invert(int n, double *a, double *inverse) {
    for (int i = 0; i < n * n; i++) inverse[i] = i % (n + 1) == 0;
    for (int column = 0; column < n; column++) {
        int pivot = column;
        for (int i = column + 1; i < n; i++) {
            if (fabs(a[i * n + column]) > fabs(a[pivot * n + column])) pivot = i;
        }
        double value = a[pivot * n + column];
        if (!(fabs(value) > 1e-280)) return false;
        for (int j = 0; j < n; j++) {
            double t = a[pivot * n + j], u = inverse[pivot * n + j];
            a[pivot * n + j] = a[column * n + j];
            inverse[pivot * n + j] = inverse[column * n + j];
            a[column * n + j] = t / value;
            inverse[column * n + j] = u / value;
        }
        for (int i = 0; i < n; i++) {
            double factor = a[i * n + column];
            if (i == column || factor == 0) continue;
            for (int j = 0; j < n; j++) {
                a[i * n + j] -= factor * a[column * n + j];
                inverse[i * n + j] -= factor * inverse[column * n + j];
            }
        }
    }
    return true;
}

static double frobenius(int n, const double *a) {
    double sum = 0;
    for (int i = 0; i < n * n; i++) sum += a[i] * a[i];
    return sqrt(sum);
}

static bool set_identity(int n, double *r) {
    for (int i = 0; i < n * n; i++) r[i] = i % (n + 1) == 0;
    return false;
}

bool polar_factor(int n, const double *m, double *r, double *scratch) {
    double *copy = scratch, *inverse = scratch + (size_t)n * n;
    memcpy(r, m, sizeof *r * n * n);
    for (int iteration = 0; iteration < ITERATION_LIMIT; iteration++) {
        memcpy(copy, r, sizeof *r * n * n);
        if (!invert(n, copy, inverse)) return set_identity(n, r);
        double scale = sqrt(frobenius(n, inverse) / frobenius(n, r)), change = 0;
        if (!isfinite(scale)) return set_identity(n, r);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                double old = r[i * n + j];
                double next = 0.5 * (scale * old + inverse[j * n + i] / scale);
                change += (next - old) * (next - old);
                r[i * n + j] = next;
            }
        }
        if (sqrt(change) < TOLERANCE * n) return true;
    }
    return true;
}
