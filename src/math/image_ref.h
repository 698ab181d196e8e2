// The specification of image.h: one pixel after the other.
#pragma once

#include "math/image.h"

void image_ref_crop(struct image_size size, const uint8_t *in, int top, int left, int height,
                    int width, uint8_t *out);
void image_ref_resize(struct image_size size, const uint8_t *in, const struct image_box *box,
                      struct image_size out_size, uint8_t *out);
void image_ref_flip(struct image_size size, const uint8_t *in, uint8_t *out);
void image_ref_colour_jitter(struct image_size size, const struct image_jitter *jitter,
                             uint8_t *image);
void image_ref_grayscale(struct image_size size, uint8_t *image);
void image_ref_solarise(size_t count, int threshold, uint8_t *image);
void image_ref_blur(struct image_size size, float sigma, uint8_t *scratch, uint8_t *image);
