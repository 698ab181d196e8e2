#include "math/image.h"

#include <string.h>

static int clamp(int value, int low, int high) {
    return value < low ? low : value > high ? high : value;
}

void image_shift(const uint8_t *in, int height, int width, int channels, int dy, int dx,
                 uint8_t *out) {
    size_t row_bytes = (size_t)width * channels;
    int begin = clamp(-dx, 0, width),
        end = clamp(width - dx, 0, width); // columns inside the picture
    for (int y = 0; y < height; y++) {
        const uint8_t *from = in + clamp(y + dy, 0, height - 1) * row_bytes;
        uint8_t *to = out + y * row_bytes;
        for (int x = 0; x < begin; x++) memcpy(to + (size_t)x * channels, from, channels);
        if (end > begin) {
            memcpy(to + (size_t)begin * channels, from + (size_t)(begin + dx) * channels,
                   (size_t)(end - begin) * channels);
        }
        for (int x = end; x < width; x++) {
            memcpy(to + (size_t)x * channels, from + row_bytes - channels, channels);
        }
    }
}

void image_random_shift(const uint8_t *in, int height, int width, int channels, int pad,
                        struct rng *rng, uint8_t *out) {
    int dy = (int)rng_below(rng, 2 * pad + 1) - pad;
    int dx = (int)rng_below(rng, 2 * pad + 1) - pad;
    image_shift(in, height, width, channels, dy, dx, out);
}
