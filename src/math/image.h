// Augmentation on u8 images (H, W, C), into a caller's buffer of the same size unless said
// otherwise.
#pragma once

#include <stdint.h>

#include "base/rng.h"

// Integer random shift of DrQ (Kostrikov 2020; DrQ-v2's bilinear form equals it to 1e-5 px): pad by
// replication, crop at (dy, dx) in [-pad, pad].
void image_shift(const uint8_t *in, int height, int width, int channels, int dy, int dx,
                 uint8_t *out);

// Draws dy, dx uniformly in [-pad, pad] and shifts.
void image_random_shift(const uint8_t *in, int height, int width, int channels, int pad,
                        struct rng *rng, uint8_t *out);
