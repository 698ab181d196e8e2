#include "render/compare.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

enum { WINDOW = 11, MOMENTS = 5 };

double compare_abs(const uint8_t *a, const uint8_t *b, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += (uint64_t)abs(a[i] - b[i]);
    return count ? (double)sum / (double)count : 0;
}

static void gaussian(double weight[WINDOW]) {
    double sum = 0;
    for (int i = 0; i < WINDOW; i++) {
        double x = i - WINDOW / 2;
        weight[i] = exp(-x * x / (2 * 1.5 * 1.5));
        sum += weight[i];
    }
    for (int i = 0; i < WINDOW; i++) weight[i] /= sum;
}

// Windowed means of a, b, a a, b b, a b down a column, for one row of windows.
static void column_moments(const uint8_t *a, const uint8_t *b, int width, int channels,
                           const double weight[WINDOW], double *out) {
    for (int x = 0; x < width; x++, out += MOMENTS) {
        for (int k = 0; k < MOMENTS; k++) out[k] = 0;
        for (int i = 0; i < WINDOW; i++) {
            size_t at = ((size_t)i * (size_t)width + (size_t)x) * (size_t)channels;
            double p = a[at], q = b[at], w = weight[i];
            out[0] += w * p, out[1] += w * q;
            out[2] += w * p * p, out[3] += w * q * q, out[4] += w * p * q;
        }
    }
}

static double window_ssim(const double *column, const double weight[WINDOW]) {
    double m[MOMENTS] = {0};
    for (int i = 0; i < WINDOW; i++) {
        for (int k = 0; k < MOMENTS; k++) m[k] += weight[i] * column[i * MOMENTS + k];
    }
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
    double va = m[2] - m[0] * m[0], vb = m[3] - m[1] * m[1], cov = m[4] - m[0] * m[1];
    return (2 * m[0] * m[1] + c1) * (2 * cov + c2) /
           ((m[0] * m[0] + m[1] * m[1] + c1) * (va + vb + c2));
}

double compare_ssim(const uint8_t *a, const uint8_t *b, int height, int width, int channels) {
    double weight[WINDOW], sum = 0;
    gaussian(weight);
    double *column = MEM_ARRAY(double, width *MOMENTS);
    int rows = height - WINDOW + 1, columns = width - WINDOW + 1;
    for (int c = 0; c < channels; c++) {
        for (int y = 0; y < rows; y++) {
            size_t first = (size_t)y * (size_t)width * (size_t)channels + (size_t)c;
            column_moments(a + first, b + first, width, channels, weight, column);
            for (int x = 0; x < columns; x++) sum += window_ssim(column + x * MOMENTS, weight);
        }
    }
    mem_free(column);
    return sum / ((double)rows * columns * channels);
}
