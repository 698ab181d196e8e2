// Image operations against their specification over odd shapes, every SIMD variant with the same
// bits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "math/image_ref.h"
#include "math/simd.h"

#define MOST 32768

static struct rng rng;

static const struct image_size sizes[] = {{1, 1, 1},   {1, 17, 3},  {5, 1, 4},   {7, 9, 9},
                                          {13, 31, 3}, {84, 84, 3}, {33, 20, 17}};

typedef void (*operation_fn)(struct image_size size, const uint8_t *in, uint8_t *out, int variant,
                             bool specification);

// Runs an operation for every size, variant of its arguments and instruction set. allowed: largest
// difference from the specification, where rounding in float meets a half.
static void check(operation_fn operation, int variants, int allowed) {
    static uint8_t in[MOST], out[MOST], expected[MOST], portable[MOST];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t bytes = image_bytes(sizes[s]);
        for (size_t i = 0; i < bytes; i++) in[i] = (uint8_t)rng_below(&rng, 256);
        for (int variant = 0; variant < variants; variant++) {
            operation(sizes[s], in, expected, variant, true);
            for (int level = 0; level <= (int)simd_level_cpu(); level++) {
                simd_limit((enum simd_level)level);
                memset(out, 1, sizeof out);
                operation(sizes[s], in, out, variant, false);
                if (level == 0) memcpy(portable, out, sizeof out);
                assert_memory_equal(out, portable, sizeof out);
            }
            int off = 0;
            for (size_t i = 0; i < bytes; i++) {
                int distance = abs(out[i] - expected[i]);
                if (distance > allowed) fail_msg("byte %zu: %d, not %d", i, out[i], expected[i]);
                off += distance > 0;
            }
            assert_true(off <= (int)bytes / 100 + 1);
        }
    }
    simd_limit(SIMD_LEVEL_AVX512);
}

static void crop(struct image_size size, const uint8_t *in, uint8_t *out, int variant,
                 bool specification) {
    int height = variant ? (size.height + 1) / 2 : size.height;
    int width = variant ? (size.width + 2) / 3 : size.width;
    int top = size.height - height, left = (size.width - width) / 2;
    (specification ? image_ref_crop : image_crop)(size, in, top, left, height, width, out);
    size_t used = image_bytes((struct image_size){height, width, size.channels});
    memset(out + used, 0, image_bytes(size) - used);
}

static void resize(struct image_size size, const uint8_t *in, uint8_t *out, int variant,
                   bool specification) {
    float h = (float)size.height, w = (float)size.width;
    const struct image_box boxes[] = {
        {0, 0, h, w, false}, {0.3f * h, 0.2f * w, 0.61f * h, 0.53f * w, true}, {0, 0, h, w, true}};
    struct image_size to = size;
    if (variant == 2) to.height = (size.height + 1) / 2, to.width = (size.width + 1) / 2;
    (specification ? image_ref_resize : image_resize)(size, in, &boxes[variant], to, out);
    memset(out + image_bytes(to), 0, image_bytes(size) - image_bytes(to));
}

static void flip(struct image_size size, const uint8_t *in, uint8_t *out, int variant,
                 bool specification) {
    (void)variant;
    (specification ? image_ref_flip : image_flip)(size, in, out);
}

static void jitter(struct image_size size, const uint8_t *in, uint8_t *out, int variant,
                   bool specification) {
    static const struct image_jitter jitters[] = {
        {1, 1, 1}, {0.63f, 1.37f, 1}, {1.4f, 0.7f, 0.55f}, {1, 1, 1.6f}};
    memcpy(out, in, image_bytes(size));
    (specification ? image_ref_colour_jitter : image_colour_jitter)(size, &jitters[variant], out);
}

static void grayscale(struct image_size size, const uint8_t *in, uint8_t *out, int variant,
                      bool specification) {
    (void)variant;
    memcpy(out, in, image_bytes(size));
    (specification ? image_ref_grayscale : image_grayscale)(size, out);
}

static void solarise(struct image_size size, const uint8_t *in, uint8_t *out, int variant,
                     bool specification) {
    static const int thresholds[] = {0, 128, 255, 256};
    memcpy(out, in, image_bytes(size));
    (specification ? image_ref_solarise : image_solarise)(image_bytes(size), thresholds[variant],
                                                          out);
}

static void blur(struct image_size size, const uint8_t *in, uint8_t *out, int variant,
                 bool specification) {
    static const float sigmas[] = {0.05f, 0.7f, 2};
    static uint8_t scratch[MOST];
    memcpy(out, in, image_bytes(size));
    (specification ? image_ref_blur : image_blur)(size, sigmas[variant], scratch, out);
}

static void exact_operations(void **state) {
    (void)state;
    check(crop, 2, 0);
    check(flip, 1, 0);
    check(solarise, 4, 0);
}

static void rounded_operations(void **state) {
    (void)state;
    check(resize, 3, 1);
    check(jitter, 4, 2); // rounded twice
    check(grayscale, 1, 1);
    check(blur, 3, 1);
}

// A resize to the same box is the image; blur and gray keep an even image.
static void identities(void **state) {
    (void)state;
    struct image_size size = {9, 11, 6};
    uint8_t in[9 * 11 * 6], out[sizeof in], scratch[sizeof in];
    for (size_t i = 0; i < sizeof in; i++) in[i] = (uint8_t)rng_below(&rng, 256);
    image_resize(size, in, &(struct image_box){0, 0, 9, 11, false}, size, out);
    assert_memory_equal(in, out, sizeof in);
    memset(in, 77, sizeof in);
    memset(out, 77, sizeof out);
    image_blur(size, 1.5f, scratch, out);
    image_grayscale(size, out);
    assert_memory_equal(in, out, sizeof in);
}

int main(void) {
    rng = rng_seed(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_operations),
        cmocka_unit_test(rounded_operations),
        cmocka_unit_test(identities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
