#include "ssl/views.h"

#include <math.h>
#include <string.h>

#include "math/image.h"

#define JITTER_CHANCE 0.8
#define CROP_TRIES    10

struct view_plan view_draw_shift(const struct view_options *options, struct rng *rng) {
    int pad = options->shift_pad;
    struct view_plan plan = {.kind = VIEW_SHIFT};
    plan.dy = (int)rng_below(rng, 2 * pad + 1) - pad;
    plan.dx = (int)rng_below(rng, 2 * pad + 1) - pad;
    return plan;
}

static float draw_factor(double strength, struct rng *rng) {
    double low = strength < 1 ? 1 - strength : 0;
    return (float)rng_range(rng, low, 1 + strength);
}

static void draw_box(struct view_plan *plan, const struct view_options *options, int height,
                     int width, struct rng *rng) {
    for (int i = 0; i < CROP_TRIES; i++) {
        double area = height * width * rng_range(rng, options->crop_min, options->crop_max);
        double aspect = exp(rng_range(rng, log(3.0 / 4), log(4.0 / 3)));
        double wide = sqrt(area * aspect), high = sqrt(area / aspect);
        if (wide > width || high > height) continue;
        plan->wide = (float)wide;
        plan->high = (float)high;
        plan->left = (float)rng_range(rng, 0, width - wide);
        plan->top = (float)rng_range(rng, 0, height - high);
        return;
    }
    plan->wide = (float)width;
    plan->high = (float)height;
}

struct view_plan view_draw_crop(const struct view_options *options, int height, int width,
                                struct rng *rng) {
    struct view_plan plan = {.kind = VIEW_CROP, .brightness = 1, .contrast = 1, .saturation = 1};
    draw_box(&plan, options, height, width, rng);
    plan.flip = options->flip && rng_uniform(rng) < 0.5;
    if (options->jitter > 0 && rng_uniform(rng) < JITTER_CHANCE) {
        plan.brightness = draw_factor(options->jitter, rng);
        plan.contrast = draw_factor(options->jitter, rng);
        plan.saturation = draw_factor(options->jitter, rng);
    }
    plan.gray = rng_uniform(rng) < options->gray;
    // Sigma 0.1 .. 2 pixels at 224, in proportion.
    double sigma = rng_range(rng, 0.1, 2.0) * height / 224;
    if (rng_uniform(rng) < options->blur) plan.blur_sigma = (float)sigma;
    return plan;
}

void view_apply(const struct view_plan *plan, const uint8_t *in, int height, int width,
                int channels, uint8_t *scratch, uint8_t *out) {
    struct image_size size = {height, width, channels};
    switch (plan->kind) {
    case VIEW_COPY: memcpy(out, in, image_bytes(size)); return;
    case VIEW_SHIFT: image_shift(in, height, width, channels, plan->dy, plan->dx, out); return;
    case VIEW_CROP: break;
    }
    struct image_box box = {plan->top, plan->left, plan->high, plan->wide, plan->flip};
    image_resize(size, in, &box, size, out);
    float saturation = plan->gray ? 0 : plan->saturation;
    struct image_jitter jitter = {plan->brightness, plan->contrast, saturation};
    image_colour_jitter(size, &jitter, out);
    if (plan->blur_sigma > 0) image_blur(size, plan->blur_sigma, scratch, out);
}
