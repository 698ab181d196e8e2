#include "math/image.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "math/image_table.h"
#include "math/simd.h"

#define MAX_WIDTH     4096 // pixels of a resized row
#define MAX_ROW_BYTES 65536
#define NO_TAP        1e-6f // a part of the Gaussian that moves no byte by 0.001
#define TAPS          (2 * IMAGE_BLUR_RADIUS + 1)

static const struct image_table *image_table(void) {
#if defined(__x86_64__) && !defined(RL_DOUBLE)
    switch (simd_level()) {
    case SIMD_LEVEL_AVX512: return &image_table_avx512;
    case SIMD_LEVEL_AVX2: return &image_table_avx2;
    case SIMD_LEVEL_PORTABLE: break;
    }
#endif
    return &image_table_portable;
}

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

void image_crop(struct image_size size, const uint8_t *in, int top, int left, int height, int width,
                uint8_t *out) {
    RL_ASSERT(top >= 0 && left >= 0 && top + height <= size.height && left + width <= size.width);
    size_t row = (size_t)size.width * (size_t)size.channels;
    size_t bytes = (size_t)width * (size_t)size.channels;
    in += (size_t)top * row + (size_t)left * (size_t)size.channels;
    for (int y = 0; y < height; y++) memcpy(out + (size_t)y * bytes, in + (size_t)y * row, bytes);
}

// Where output number i of n lies between two of the inputs: out = (1 - mix) first + mix second.
struct place {
    int first, second;
    float mix;
};

static struct place place_of(int i, int n, float begin, float length, int inputs) {
    float at = begin + ((float)i + 0.5f) * length / (float)n - 0.5f;
    int low = (int)floorf(at);
    return (struct place){clamp(low, 0, inputs - 1), clamp(low + 1, 0, inputs - 1),
                          at - (float)low};
}

void image_resize(struct image_size size, const uint8_t *in, const struct image_box *box,
                  struct image_size out_size, uint8_t *out) {
    const struct image_table *table = image_table();
    int channels = size.channels, width = out_size.width;
    size_t row = (size_t)size.width * (size_t)channels;
    size_t out_row = (size_t)width * (size_t)channels;
    RL_ASSERT(row <= MAX_ROW_BYTES && out_row <= MAX_ROW_BYTES && width <= MAX_WIDTH);
    RL_ASSERT(out_size.channels == channels);
    int first[MAX_WIDTH], second[MAX_WIDTH];
    float mix[MAX_WIDTH];
    for (int x = 0; x < width; x++) {
        int from = box->mirror ? width - 1 - x : x;
        struct place place = place_of(from, width, box->left, box->width, size.width);
        first[x] = place.first * channels;
        second[x] = place.second * channels;
        mix[x] = place.mix;
    }
    float tall[MAX_ROW_BYTES + IMAGE_LANES], wide[MAX_ROW_BYTES + IMAGE_LANES];
    memset(tall + row, 0, sizeof(float) * IMAGE_LANES);
    for (int y = 0; y < out_size.height; y++) {
        struct place place = place_of(y, out_size.height, box->top, box->height, size.height);
        table->mix_rows(row, in + (size_t)place.first * row, in + (size_t)place.second * row,
                        place.mix, tall);
        table->mix_pixels(width, channels, first, second, mix, tall, wide);
        table->round(out_row, wide, out + (size_t)y * out_row);
    }
}

void image_flip(struct image_size size, const uint8_t *in, uint8_t *out) {
    size_t pixel = (size_t)size.channels, row = (size_t)size.width * pixel;
    for (int y = 0; y < size.height; y++, in += row, out += row) {
        for (size_t at = 0; at < row; at += pixel) memcpy(out + at, in + row - pixel - at, pixel);
    }
}

void image_colour_jitter(struct image_size size, const struct image_jitter *jitter,
                         uint8_t *image) {
    const struct image_table *table = image_table();
    size_t count = image_bytes(size);
    float brightness = jitter->brightness, contrast = jitter->contrast;
    if (brightness != 1 || contrast != 1) {
        double sum = (double)table->sum(count, image);
        float mean = (float)(sum / (double)count) * brightness;
        table->affine(count, brightness * contrast, mean * (1 - contrast), image);
    }
    if (size.channels % 3 == 0 && jitter->saturation != 1) {
        table->saturate(count / 3, jitter->saturation, image);
    }
}

void image_grayscale(struct image_size size, uint8_t *image) {
    if (size.channels % 3 == 0) image_table()->saturate(image_bytes(size) / 3, 0, image);
}

void image_solarise(size_t count, int threshold, uint8_t *image) {
    image_table()->solarise(count, threshold, image);
}

void image_gaussian(float sigma, float taps[TAPS]) {
    float total = 0;
    for (int k = -IMAGE_BLUR_RADIUS; k <= IMAGE_BLUR_RADIUS; k++) {
        float x = (float)k / sigma;
        total += taps[k + IMAGE_BLUR_RADIUS] = expf(-0.5f * x * x);
    }
    for (int k = 0; k < TAPS; k++) taps[k] /= total;
}

void image_blur(struct image_size size, float sigma, uint8_t *scratch, uint8_t *image) {
    const struct image_table *table = image_table();
    size_t pixel = (size_t)size.channels, row = (size_t)size.width * pixel;
    size_t edge = IMAGE_BLUR_RADIUS * pixel;
    RL_ASSERT(row + 2 * edge <= MAX_ROW_BYTES);
    float all[TAPS], *taps = all + IMAGE_BLUR_RADIUS; // taps[0] is the middle one
    image_gaussian(sigma, all);
    int radius = IMAGE_BLUR_RADIUS;
    while (radius > 0 && taps[radius] < NO_TAP) radius--;
    const uint8_t *around[TAPS], **rows = around + IMAGE_BLUR_RADIUS;
    uint8_t padded[MAX_ROW_BYTES];
    for (int k = 0; k < TAPS; k++) around[k] = padded + (size_t)k * pixel;
    for (int y = 0; y < size.height; y++) {
        const uint8_t *from = image + (size_t)y * row;
        for (size_t at = 0; at < edge; at += pixel) {
            memcpy(padded + at, from, pixel);
            memcpy(padded + edge + row + at, from + row - pixel, pixel);
        }
        memcpy(padded + edge, from, row);
        table->blur(row, radius, taps, rows, scratch + (size_t)y * row);
    }
    for (int y = 0; y < size.height; y++) {
        for (int k = -radius; k <= radius; k++) {
            rows[k] = scratch + (size_t)clamp(y + k, 0, size.height - 1) * row;
        }
        table->blur(row, radius, taps, rows, image + (size_t)y * row);
    }
}
