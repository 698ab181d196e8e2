// Augmented views of u8 pictures (H, W, C). What happens to each is drawn first, in order, from one
// stream; making the pixels then needs no randomness and may run on any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"

struct view_options { // how strong, see struct ssl_options
    int shift_pad;
    double crop_min, crop_max, jitter, gray, blur;
    bool flip;
};

struct view_plan {
    enum { VIEW_COPY, VIEW_SHIFT, VIEW_CROP } kind;
    int dy, dx;                  // shift in pixels
    float top, left, high, wide; // crop, in pixels; resized to the whole picture
    bool flip, gray;
    float brightness, contrast, saturation; // factors, 1 = as it is
    float blur_sigma;                       // pixels, 0 = none
};

struct view_plan view_draw_shift(const struct view_options *options, struct rng *rng);
// Random resized crop with aspect 3/4 .. 4/3, mirror, jitter, gray, blur, as in SimCLR (Chen et al.
// 2020, appendix A), without the change of hue.
struct view_plan view_draw_crop(const struct view_options *options, int height, int width,
                                struct rng *rng);

// Rows of n pictures by plan. Colour changes treat channels in threes (stacked RGB frames) when
// their number is a multiple of three. scratch holds one picture.
void view_apply(const struct view_plan *plan, const uint8_t *in, int height, int width,
                int channels, uint8_t *scratch, uint8_t *out);
