#include "ssl/monitor.h"

#include <math.h>
#include <string.h>

#include "math/linalg.h"

static double sqrt_positive(double x) {
    return x > 0 ? sqrt(x) : 0;
}

struct monitor_figures monitor_measure(const real *rows, int n, int d, double *scratch) {
    double *sum = scratch, *square = scratch + d, *raw_sum = square + d, *raw_square = raw_sum + d;
    memset(scratch, 0, 4 * (size_t)d * sizeof *scratch);
    double norms =
        0; // sum of the squared lengths of the normalised rows: n, or less with zero rows
    for (int i = 0; i < n; i++) {
        const real *row = rows + (size_t)i * d;
        double length = 0;
        for (int j = 0; j < d; j++) length += (double)row[j] * row[j];
        double scale = length > 0 ? 1 / sqrt(length) : 0;
        norms += length > 0;
        for (int j = 0; j < d; j++) {
            double x = row[j];
            raw_sum[j] += x;
            raw_square[j] += x * x;
            sum[j] += x * scale;
            square[j] += x * scale * x * scale;
        }
    }
    struct monitor_figures figures = {.healthy = 1 / sqrt(d)};
    double mean_length = 0; // squared length of the sum of rows
    for (int j = 0; j < d; j++) {
        double mean = sum[j] / n, raw_mean = raw_sum[j] / n;
        figures.std += sqrt_positive(square[j] / n - mean * mean) / d;
        figures.raw_std += sqrt_positive(raw_square[j] / n - raw_mean * raw_mean) / d;
        mean_length += sum[j] * sum[j];
    }
    if (n > 1) figures.cosine = (mean_length - norms) / ((double)n * (n - 1));
    return figures;
}

size_t monitor_rank_scratch(int n, int d) {
    size_t m = n < d ? n : d;
    return (size_t)n * d + m * m + m;
}

double monitor_rank(const real *rows, int n, int d, double *scratch) {
    // The covariance (d, d) and the Gram matrix (n, n) share their eigenvalues: take the smaller.
    int m = n < d ? n : d, inner = n < d ? d : n;
    double *centred = scratch, *matrix = scratch + (size_t)n * d, *values = matrix + (size_t)m * m;
    for (int j = 0; j < d; j++) {
        double mean = 0;
        for (int i = 0; i < n; i++) mean += rows[(size_t)i * d + j];
        mean /= n;
        for (int i = 0; i < n; i++) {
            size_t at = n < d ? (size_t)i * d + j : (size_t)j * n + i; // (m, inner)
            centred[at] = rows[(size_t)i * d + j] - mean;
        }
    }
    for (int a = 0; a < m; a++) {
        for (int b = a; b < m; b++) {
            const double *x = centred + (size_t)a * inner, *y = centred + (size_t)b * inner;
            double dot = 0;
            for (int k = 0; k < inner; k++) dot += x[k] * y[k];
            matrix[a * m + b] = matrix[b * m + a] = dot;
        }
    }
    linalg_eigen(m, matrix, values, NULL);
    double total = 0, entropy = 0;
    for (int i = 0; i < m; i++) total += values[i] > 0 ? values[i] : 0;
    if (!(total > 0)) return 0;
    for (int i = 0; i < m; i++) {
        double share = values[i] / total;
        if (share > 0) entropy -= share * log(share);
    }
    return exp(entropy);
}
