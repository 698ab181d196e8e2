#include "math/image_ref.h"

#include <math.h>
#include <string.h>

static int clamp(int x, int low, int high) {
    return x < low ? low : x > high ? high : x;
}

static uint8_t to_u8(double x) {
    return x <= 0 ? 0 : x >= 255 ? 255 : (uint8_t)(x + 0.5);
}

// Edges replicated.
static uint8_t pixel(struct image_size size, const uint8_t *in, int y, int x, int c) {
    size_t row = (size_t)clamp(y, 0, size.height - 1) * (size_t)size.width;
    return in[(row + (size_t)clamp(x, 0, size.width - 1)) * (size_t)size.channels + (size_t)c];
}

void image_ref_crop(struct image_size size, const uint8_t *in, int top, int left, int height,
                    int width, uint8_t *out) {
    for (int i = 0; i < height * width * size.channels; i++) {
        int c = i % size.channels, x = i / size.channels % width, y = i / size.channels / width;
        out[i] = pixel(size, in, top + y, left + x, c);
    }
}

void image_ref_resize(struct image_size size, const uint8_t *in, const struct image_box *box,
                      struct image_size out_size, uint8_t *out) {
    for (size_t i = 0; i < image_bytes(out_size); i++) {
        int c = (int)(i % (size_t)size.channels), at = (int)(i / (size_t)size.channels);
        int x = at % out_size.width, y = at / out_size.width;
        if (box->mirror) x = out_size.width - 1 - x;
        double sy = (double)box->top + (y + 0.5) * (double)box->height / out_size.height - 0.5;
        double sx = (double)box->left + (x + 0.5) * (double)box->width / out_size.width - 0.5;
        int y0 = (int)floor(sy), x0 = (int)floor(sx);
        double fy = sy - y0, fx = sx - x0;
        out[i] = to_u8((1 - fy) * ((1 - fx) * pixel(size, in, y0, x0, c) +
                                   fx * pixel(size, in, y0, x0 + 1, c)) +
                       fy * ((1 - fx) * pixel(size, in, y0 + 1, x0, c) +
                             fx * pixel(size, in, y0 + 1, x0 + 1, c)));
    }
}

void image_ref_flip(struct image_size size, const uint8_t *in, uint8_t *out) {
    for (size_t i = 0; i < image_bytes(size); i++) {
        int c = (int)(i % (size_t)size.channels), at = (int)(i / (size_t)size.channels);
        out[i] = pixel(size, in, at / size.width, size.width - 1 - at % size.width, c);
    }
}

static void saturate(struct image_size size, double saturation, uint8_t *image) {
    for (size_t i = 0; size.channels % 3 == 0 && i < image_bytes(size); i += 3) {
        double gray = 0.299 * image[i] + 0.587 * image[i + 1] + 0.114 * image[i + 2];
        for (int c = 0; c < 3; c++) {
            uint8_t *x = &image[i + (size_t)c];
            *x = to_u8(gray + saturation * (*x - gray));
        }
    }
}

void image_ref_colour_jitter(struct image_size size, const struct image_jitter *jitter,
                             uint8_t *image) {
    size_t count = image_bytes(size);
    double sum = 0, brightness = (double)jitter->brightness, contrast = (double)jitter->contrast;
    for (size_t i = 0; i < count; i++) sum += brightness * image[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) {
        image[i] = to_u8(mean + contrast * (brightness * image[i] - mean));
    }
    saturate(size, (double)jitter->saturation, image);
}

void image_ref_grayscale(struct image_size size, uint8_t *image) {
    saturate(size, 0, image);
}

void image_ref_solarise(size_t count, int threshold, uint8_t *image) {
    for (size_t i = 0; i < count; i++) {
        if (image[i] >= threshold) image[i] = (uint8_t)(255 - image[i]);
    }
}

static void blur_once(struct image_size size, const float *taps, int dy, int dx, const uint8_t *in,
                      uint8_t *out) {
    for (size_t i = 0; i < image_bytes(size); i++) {
        int c = (int)(i % (size_t)size.channels), at = (int)(i / (size_t)size.channels);
        double sum = 0;
        for (int k = -IMAGE_BLUR_RADIUS; k <= IMAGE_BLUR_RADIUS; k++) {
            sum += (double)taps[k + IMAGE_BLUR_RADIUS] *
                   pixel(size, in, at / size.width + k * dy, at % size.width + k * dx, c);
        }
        out[i] = to_u8(sum);
    }
}

void image_ref_blur(struct image_size size, float sigma, uint8_t *scratch, uint8_t *image) {
    float taps[2 * IMAGE_BLUR_RADIUS + 1];
    image_gaussian(sigma, taps);
    blur_once(size, taps, 0, 1, image, scratch);
    blur_once(size, taps, 1, 0, scratch, image);
}
