// What image.c chooses between: one table of loops for each instruction set.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define IMAGE_LANES 16 // channels that one step of a resized row handles, in every variant

struct image_table {
    // out = a + mix (b - a): between two rows of bytes.
    void (*mix_rows)(size_t count, const uint8_t *a, const uint8_t *b, float mix, float *out);
    // For each of width pixels: out = from[first] + mix (from[second] - from[first]) over the
    // channels. from and out have IMAGE_LANES numbers to spare.
    void (*mix_pixels)(int width, int channels, const int *first, const int *second,
                       const float *mix, const float *from, float *out);
    void (*round)(size_t count, const float *in, uint8_t *out); // to the nearest, cut at 0 and 255
    void (*affine)(size_t count, float scale, float shift, uint8_t *image);
    // gray + saturation (x - gray) of n_pixels pixels of three channels.
    void (*saturate)(size_t n_pixels, float saturation, uint8_t *image);
    void (*solarise)(size_t count, int threshold, uint8_t *image);
    uint64_t (*sum)(size_t count, const uint8_t *in);
    // out = rounded taps[0] rows[0] + sum over k from 1 to radius of taps[k] (rows[-k] + rows[k]).
    void (*blur)(size_t count, int radius, const float *taps, const uint8_t *const *rows,
                 uint8_t *out);
};

extern const struct image_table image_table_portable, image_table_avx2, image_table_avx512;
