// How near two pictures are.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Mean of |a - b| over count values, 0..255.
double compare_abs(const uint8_t *a, const uint8_t *b, size_t count);

// Structural similarity (Wang et al. 2004) of two (H, W, channels) pictures of at least 11x11:
// Gaussian window of 11x11 with sigma 1.5, population covariance, K1 = 0.01, K2 = 0.03, range 255;
// mean over the pixels whose window lies inside, and over channels.
double compare_ssim(const uint8_t *a, const uint8_t *b, int height, int width, int channels);
