// Augmentation on u8 images (H, W, C), into a caller's buffer of the same size unless said
// otherwise; in and out differ unless an operation works in place. The same bits for every
// instruction set; image_ref.h has each as plain loops.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

#define IMAGE_BLUR_RADIUS 6 // taps of the Gaussian on either side

struct image_size {
    int height, width, channels;
};

static inline size_t image_bytes(struct image_size size) {
    return (size_t)size.height * (size_t)size.width * (size_t)size.channels;
}

// Integer random shift of DrQ (Kostrikov 2020; DrQ-v2's bilinear form equals it to 1e-5 px): pad by
// replication, crop at (dy, dx) in [-pad, pad].
void image_shift(const uint8_t *in, int height, int width, int channels, int dy, int dx,
                 uint8_t *out);

// Draws dy, dx uniformly in [-pad, pad] and shifts.
void image_random_shift(const uint8_t *in, int height, int width, int channels, int pad,
                        struct rng *rng, uint8_t *out);

// The box with its corner at (top, left), inside the image, into out (height, width, channels).
void image_crop(struct image_size size, const uint8_t *in, int top, int left, int height, int width,
                uint8_t *out);

// A box in pixels, fractions allowed: pixel (y, x) covers [y, y + 1) x [x, x + 1).
struct image_box {
    float top, left, height, width;
    bool mirror; // left and right change places
};

// The box bilinearly resized to the size of out (same channels): pixel centres at half-integers,
// edges replicated. No smoothing when it shrinks (torch's antialias=False).
void image_resize(struct image_size size, const uint8_t *in, const struct image_box *box,
                  struct image_size out_size, uint8_t *out);

void image_flip(struct image_size size, const uint8_t *in, uint8_t *out); // left to right

// The others work in place. Factors of 1 leave an image as it is.
struct image_jitter {
    float brightness, contrast, saturation;
};
// x * brightness, then contrast about the image's mean, rounded; then saturation about each pixel's
// luminance (0: gray). Saturation and gray treat channels in threes (stacked RGB frames) and do
// nothing when their number is no multiple of three.
void image_colour_jitter(struct image_size size, const struct image_jitter *jitter, uint8_t *image);
void image_grayscale(struct image_size size, uint8_t *image); // Rec. 601 luminance in all three

// x -> 255 - x from the threshold on (BYOL, Grill 2020, uses 128).
void image_solarise(size_t count, int threshold, uint8_t *image);

// Gaussian of sigma pixels, cut at IMAGE_BLUR_RADIUS, edges replicated, rows first, rounded between
// the two passes. scratch holds one image.
void image_blur(struct image_size size, float sigma, uint8_t *scratch, uint8_t *image);

// The kernel of image_blur: taps -radius .. radius, sum 1.
void image_gaussian(float sigma, float taps[2 * IMAGE_BLUR_RADIUS + 1]);
