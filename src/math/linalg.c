#include "math/linalg.h"

#include <math.h>

#define SWEEPS 30

// Rows and columns p, q of a turned by the angle that makes a[p][q] zero.
static void rotate(int n, double *a, double *vectors, int p, int q) {
    double apq = a[p * n + q];
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
    double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (int i = 0; i < n; i++) {
        double ip = a[i * n + p], iq = a[i * n + q];
        a[i * n + p] = c * ip - s * iq;
        a[i * n + q] = s * ip + c * iq;
    }
    for (int i = 0; i < n; i++) {
        double pi = a[p * n + i], qi = a[q * n + i];
        a[p * n + i] = c * pi - s * qi;
        a[q * n + i] = s * pi + c * qi;
    }
    for (int i = 0; vectors && i < n; i++) {
        double ip = vectors[i * n + p], iq = vectors[i * n + q];
        vectors[i * n + p] = c * ip - s * iq;
        vectors[i * n + q] = s * ip + c * iq;
    }
}

void linalg_eigen(int n, double *a, double *values, double *vectors) {
    for (int i = 0; vectors && i < n * n; i++) vectors[i] = i % (n + 1) == 0;
    double total = 0;
    for (int i = 0; i < n * n; i++) total += a[i] * a[i];
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        double off = 0;
        for (int p = 0; p < n; p++) {
            for (int q = p + 1; q < n; q++) off += a[p * n + q] * a[p * n + q];
        }
        if (off <= 1e-24 * total) break;
        // Elements too small to matter are left for a later sweep, if ever.
        double floor = 1e-13 * sqrt(total) / n;
        for (int p = 0; p < n; p++) {
            for (int q = p + 1; q < n; q++) {
                if (fabs(a[p * n + q]) > floor) rotate(n, a, vectors, p, q);
            }
        }
    }
    for (int i = 0; i < n; i++) values[i] = a[i * (n + 1)];
}

bool linalg_solve(int n, double *a, int m, double *b) {
    for (int j = 0; j < n; j++) {
        for (int i = j; i < n; i++) {
            double sum = a[i * n + j];
            for (int k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
            if (i == j && !(sum > 0)) return false;
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
        }
    }
    for (int c = 0; c < m; c++) {
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < i; k++) b[i * m + c] -= a[i * n + k] * b[k * m + c];
            b[i * m + c] /= a[i * n + i];
        }
        for (int i = n; i-- > 0;) {
            for (int k = i + 1; k < n; k++) b[i * m + c] -= a[k * n + i] * b[k * m + c];
            b[i * m + c] /= a[i * n + i];
        }
    }
    return true;
}
