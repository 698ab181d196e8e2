#include "ssl/patches.h"

#include <math.h>

int patches_count(const struct patches *shape) {
    return (shape->height / shape->side) * (shape->width / shape->side);
}

int patches_size(const struct patches *shape) {
    return shape->side * shape->side * shape->channels;
}

static void normalize_patch(real *patch, int size) {
    double mean = 0, variance = 0;
    for (int i = 0; i < size; i++) mean += (double)patch[i] / size;
    for (int i = 0; i < size; i++)
        variance += ((double)patch[i] - mean) * ((double)patch[i] - mean);
    double scale = 1 / sqrt(variance / (size - 1) + 1e-6);
    for (int i = 0; i < size; i++) patch[i] = (real)(((double)patch[i] - mean) * scale);
}

// Exactly one of real_pixels and u8_pixels is given.
static void cut(const struct patches *shape, const real *real_pixels, const uint8_t *u8_pixels,
                double scale, double shift, bool normalize, real *out) {
    int across = shape->width / shape->side, count = patches_count(shape),
        size = patches_size(shape);
    size_t line = (size_t)shape->width * shape->channels,
           run = (size_t)shape->side * shape->channels;
    for (int i = 0; i < shape->n * count; i++) {
        int picture = i / count, top = i % count / across * shape->side,
            left = i % count % across * shape->side;
        real *patch = out + (size_t)i * size, *to = patch;
        for (int y = 0; y < shape->side; y++) {
            size_t from =
                ((size_t)picture * shape->height + top + y) * line + (size_t)left * shape->channels;
            for (size_t j = 0; j < run; j++, to++) {
                double value = u8_pixels ? u8_pixels[from + j] : (double)real_pixels[from + j];
                *to = (real)(value * scale + shift);
            }
        }
        if (normalize) normalize_patch(patch, size);
    }
}

void patches_cut(const struct patches *shape, const real *pixels, bool normalize, real *out) {
    cut(shape, pixels, NULL, 1, 0, normalize, out);
}

void patches_cut_u8(const struct patches *shape, const uint8_t *pixels, double scale, double shift,
                    bool normalize, real *out) {
    cut(shape, NULL, pixels, scale, shift, normalize, out);
}

int patches_mask(int n, int count, double ratio, const real *noise, int *kept, int *masked) {
    int keep = (int)(count * (1 - ratio));
    for (int i = 0; i < n; i++) {
        const real *own = noise + (size_t)i * count;
        int *order = kept + (size_t)i * keep, *rest = masked + (size_t)i * (count - keep);
        for (int p = 0, n_rest = 0; p < count; p++) {
            int rank = 0; // patches of smaller noise; ties by number
            for (int q = 0; q < count; q++) rank += own[q] < own[p] || (own[q] == own[p] && q < p);
            if (rank < keep) {
                order[rank] = p;
            } else {
                rest[n_rest++] = p;
            }
        }
    }
    return keep;
}

struct tensor *patches_loss(struct tape *tape, struct tensor *prediction, struct tensor *target) {
    return op_mean(tape, op_square(tape, op_sub(tape, prediction, target)));
}
