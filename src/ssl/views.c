#include "ssl/views.h"

#include <math.h>
#include <string.h>

#include "math/image.h"

#define JITTER_CHANCE 0.8
#define CROP_TRIES    10
#define BLUR_RADIUS   6

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

static uint8_t to_u8(float x) {
    return x <= 0 ? 0 : x >= 255 ? 255 : (uint8_t)(x + 0.5f);
}

static int clamp(int x, int low, int high) {
    return x < low ? low : x > high ? high : x;
}

// Bilinear, pixel centres at half-integers, edges replicated.
static void resize(const struct view_plan *plan, const uint8_t *in, int height, int width,
                   int channels, uint8_t *out) {
    for (int y = 0; y < height; y++) {
        float sy = plan->top + (y + 0.5f) * plan->high / height - 0.5f;
        int y0 = (int)floorf(sy);
        float fy = sy - y0;
        const uint8_t *upper = in + (size_t)clamp(y0, 0, height - 1) * width * channels;
        const uint8_t *lower = in + (size_t)clamp(y0 + 1, 0, height - 1) * width * channels;
        for (int x = 0; x < width; x++) {
            int from = plan->flip ? width - 1 - x : x;
            float sx = plan->left + (from + 0.5f) * plan->wide / width - 0.5f;
            int x0 = (int)floorf(sx);
            float fx = sx - x0;
            size_t a = (size_t)clamp(x0, 0, width - 1) * channels,
                   b = (size_t)clamp(x0 + 1, 0, width - 1) * channels;
            uint8_t *to = out + ((size_t)y * width + x) * channels;
            for (int c = 0; c < channels; c++) {
                float top = upper[a + c] + fx * (upper[b + c] - upper[a + c]);
                float bottom = lower[a + c] + fx * (lower[b + c] - lower[a + c]);
                to[c] = to_u8(top + fy * (bottom - top));
            }
        }
    }
}

static float luminance(const uint8_t *pixel) {
    return 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
}

// Brightness, then contrast about the mean, then saturation; order fixed.
static void recolour(const struct view_plan *plan, int pixels, int channels, uint8_t *image) {
    bool colour = channels % 3 == 0;
    size_t count = (size_t)pixels * channels;
    float saturation = plan->gray ? 0 : plan->saturation;
    if (plan->brightness != 1 || plan->contrast != 1) {
        double sum = 0;
        for (size_t i = 0; i < count; i++) sum += image[i];
        float mean = (float)(sum / count) * plan->brightness;
        float scale = plan->brightness * plan->contrast, shift = mean * (1 - plan->contrast);
        for (size_t i = 0; i < count; i++) image[i] = to_u8(image[i] * scale + shift);
    }
    if (!colour || saturation == 1) return;
    for (size_t i = 0; i < count; i += 3) {
        float gray = luminance(image + i);
        for (int c = 0; c < 3; c++) image[i + c] = to_u8(gray + saturation * (image[i + c] - gray));
    }
}

// One pass of a separable Gaussian: step is the distance between neighbours along the line.
static void blur_line(const float *kernel, const uint8_t *in, int length, size_t step,
                      uint8_t *out) {
    for (int i = 0; i < length; i++) {
        float sum = 0;
        for (int k = -BLUR_RADIUS; k <= BLUR_RADIUS; k++)
            sum += kernel[k + BLUR_RADIUS] * in[(size_t)clamp(i + k, 0, length - 1) * step];
        out[(size_t)i * step] = to_u8(sum);
    }
}

static void blur(float sigma, int height, int width, int channels, uint8_t *scratch,
                 uint8_t *image) {
    float kernel[2 * BLUR_RADIUS + 1], total = 0;
    for (int k = -BLUR_RADIUS; k <= BLUR_RADIUS; k++)
        total += kernel[k + BLUR_RADIUS] = expf(-0.5f * k * k / (sigma * sigma));
    for (int k = 0; k <= 2 * BLUR_RADIUS; k++) kernel[k] /= total;
    size_t row = (size_t)width * channels;
    for (int y = 0; y < height; y++) {
        for (int c = 0; c < channels; c++)
            blur_line(kernel, image + y * row + c, width, channels, scratch + y * row + c);
    }
    for (size_t x = 0; x < row; x++) blur_line(kernel, scratch + x, height, row, image + x);
}

void view_apply(const struct view_plan *plan, const uint8_t *in, int height, int width,
                int channels, uint8_t *scratch, uint8_t *out) {
    size_t bytes = (size_t)height * width * channels;
    switch (plan->kind) {
    case VIEW_COPY: memcpy(out, in, bytes); return;
    case VIEW_SHIFT: image_shift(in, height, width, channels, plan->dy, plan->dx, out); return;
    case VIEW_CROP: break;
    }
    resize(plan, in, height, width, channels, out);
    recolour(plan, height * width, channels, out);
    if (plan->blur_sigma > 0) blur(plan->blur_sigma, height, width, channels, scratch, out);
}
