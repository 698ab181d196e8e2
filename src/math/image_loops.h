// The loops of image.h, included once for every instruction set by image_portable.c, image_avx2.c,
// image_avx512.c, which define IMAGE_TABLE, the name of the table that results.
#include <string.h>

#include "math/image_table.h"

#define CHUNK      256 // pixels that stay in the first-level cache between two loops
#define BLUR_BLOCK 64

static inline uint8_t to_u8(float x) {
    x = x > 0 ? x : 0;
    x = x < 255 ? x : 255;
    return (uint8_t)(int32_t)(x + 0.5f);
}

static void mix_rows(size_t count, const uint8_t *restrict a, const uint8_t *restrict b, float mix,
                     float *restrict out) {
    for (size_t i = 0; i < count; i++) {
        float first = a[i], second = b[i];
        out[i] = first + mix * (second - first);
    }
}

static void mix_pixels(int width, int channels, const int *first, const int *second,
                       const float *mix, const float *restrict from, float *restrict out) {
    for (int x = 0; x < width; x++) {
        const float *a = from + first[x], *b = from + second[x];
        float part = mix[x];
        for (int c = 0; c < channels; c += IMAGE_LANES) {
            // Lanes past the channels are overwritten by the next pixel.
            for (int k = 0; k < IMAGE_LANES; k++) {
                out[c + k] = a[c + k] + part * (b[c + k] - a[c + k]);
            }
        }
        out += channels;
    }
}

static void round_row(size_t count, const float *restrict in, uint8_t *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = to_u8(in[i]);
}

static void affine(size_t count, float scale, float shift, uint8_t *image) {
    for (size_t i = 0; i < count; i++) image[i] = to_u8(image[i] * scale + shift);
}

static void saturate(size_t n_pixels, float saturation, uint8_t *image) {
    float red[CHUNK], green[CHUNK], blue[CHUNK], gray[CHUNK];
    for (size_t at = 0; at < n_pixels; at += CHUNK, image += 3 * CHUNK) {
        int count = n_pixels - at < CHUNK ? (int)(n_pixels - at) : CHUNK;
        for (int i = 0; i < count; i++) {
            red[i] = image[3 * i], green[i] = image[3 * i + 1], blue[i] = image[3 * i + 2];
        }
        for (int i = 0; i < count; i++) {
            gray[i] = 0.299f * red[i] + 0.587f * green[i] + 0.114f * blue[i];
        }
        for (int i = 0; i < count; i++) {
            image[3 * i] = to_u8(gray[i] + saturation * (red[i] - gray[i]));
            image[3 * i + 1] = to_u8(gray[i] + saturation * (green[i] - gray[i]));
            image[3 * i + 2] = to_u8(gray[i] + saturation * (blue[i] - gray[i]));
        }
    }
}

static void solarise(size_t count, int threshold, uint8_t *image) {
    for (size_t i = 0; i < count; i++) {
        image[i] = image[i] >= threshold ? (uint8_t)(255 - image[i]) : image[i];
    }
}

static uint64_t sum(size_t count, const uint8_t *in) {
    uint64_t total = 0;
    for (size_t i = 0; i < count; i += CHUNK * CHUNK) { // at most 2^24: fits 32 bits
        size_t stop = count - i < CHUNK * CHUNK ? count : i + CHUNK * CHUNK;
        uint32_t part = 0;
        for (size_t j = i; j < stop; j++) part += in[j];
        total += part;
    }
    return total;
}

// Sums of a few bytes beside one another stay in registers while all taps pass.
static inline void blur_block(int width, int radius, const float *taps, const uint8_t *const *rows,
                              size_t at, uint8_t *restrict out) {
    float sums[BLUR_BLOCK];
    const uint8_t *middle = rows[0] + at;
    for (int i = 0; i < width; i++) sums[i] = taps[0] * middle[i];
    for (int k = 1; k <= radius; k++) {
        const uint8_t *restrict before = rows[-k] + at, *restrict after = rows[k] + at;
        for (int i = 0; i < width; i++) sums[i] += taps[k] * (float)(before[i] + after[i]);
    }
    for (int i = 0; i < width; i++) out[at + (size_t)i] = to_u8(sums[i]);
}

static void blur(size_t count, int radius, const float *taps, const uint8_t *const *rows,
                 uint8_t *restrict out) {
    size_t at = 0;
    for (; at + BLUR_BLOCK <= count; at += BLUR_BLOCK) {
        blur_block(BLUR_BLOCK, radius, taps, rows, at, out);
    }
    if (at < count) blur_block((int)(count - at), radius, taps, rows, at, out);
}

const struct image_table IMAGE_TABLE = {
    .mix_rows = mix_rows,
    .mix_pixels = mix_pixels,
    .round = round_row,
    .affine = affine,
    .saturate = saturate,
    .solarise = solarise,
    .sum = sum,
    .blur = blur,
};
