// Drawing on pictures: what is drawn where, and that nothing lands outside.
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "viewer/overlay.h"
#include "viewer/palette.h"

enum { WIDTH = 40, HEIGHT = 30, GUARD = 64, BYTES = WIDTH * HEIGHT * 3 };

static uint8_t memory[GUARD + BYTES + GUARD];

static struct canvas blank(void) {
    memset(memory, 0, sizeof(memory));
    return (struct canvas){WIDTH, HEIGHT, memory + GUARD};
}

static void guards_untouched(void) {
    for (int i = 0; i < GUARD; i++) assert_true(!memory[i] && !memory[GUARD + BYTES + i]);
}

static int lit(const struct canvas *canvas) {
    int count = 0;
    for (int i = 0; i < WIDTH * HEIGHT; i++) count += canvas->rgb[3 * i] != 0;
    return count;
}

static void fills_and_clips(void **state) {
    (void)state;
    struct canvas canvas = blank();
    canvas_fill(&canvas, (struct canvas_rect){2, 3, 4, 5}, 0xff8040, 256);
    assert_int_equal(lit(&canvas), 20);
    const uint8_t *corner = canvas.rgb + (3 * WIDTH + 2) * 3;
    assert_true(corner[0] == 0xff && corner[1] == 0x80 && corner[2] == 0x40);
    canvas_fill(&canvas, (struct canvas_rect){2, 3, 1, 1}, 0, 128); // half covered
    assert_true(corner[0] == 127 && corner[1] == 64);
    const struct canvas_rect outside[] = {{-10, -10, 12, 12}, {WIDTH - 1, HEIGHT - 1, 50, 50},
                                          {-5, 5, 3, 3},      {5, HEIGHT, 3, 3},
                                          {WIDTH, 0, 5, 5},   {5, 5, -3, 4},
                                          {0, 0, 0, 0}};
    canvas = blank();
    for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
        canvas_fill(&canvas, outside[i], 0xffffff, 256);
    }
    assert_int_equal(lit(&canvas), 4 + 1);
    guards_untouched();
}

static void text(void **state) {
    (void)state;
    struct canvas canvas = blank();
    canvas_text(&canvas, 1, 1, 1, 0xffffff, "-");
    assert_int_equal(lit(&canvas), 5); // one row of the glyph
    canvas = blank();
    canvas_text(&canvas, 1, 1, 2, 0xffffff, "-");
    assert_int_equal(lit(&canvas), 20);
    struct canvas capital = blank();
    canvas_text(&capital, 0, 0, 1, 0xffffff, "A");
    static uint8_t kept[BYTES];
    memcpy(kept, capital.rgb, BYTES);
    canvas = blank();
    canvas_text(&canvas, 0, 0, 1, 0xffffff, "a");
    assert_memory_equal(canvas.rgb, kept, BYTES);
    canvas = blank();
    canvas_text(&canvas, 0, 0, 1, 0xffffff, "?");
    int question = lit(&canvas);
    canvas = blank();
    canvas_text(&canvas, 0, 0, 1, 0xffffff, "\x7f\xff\x01");
    assert_int_equal(lit(&canvas), 3 * question);
    canvas = blank();
    canvas_text(&canvas, -3, HEIGHT - 3, 1, 0xffffff, "a long line that leaves the picture");
    assert_true(lit(&canvas) > 0);
    guards_untouched();
    assert_int_equal(canvas_text_width(2, "abc"), 36);
}

static void pictures_are_scaled(void **state) {
    (void)state;
    static const uint8_t two[] = {10, 20, 30, 200, 210, 220};
    struct canvas canvas = blank();
    canvas_picture(&canvas, (struct canvas_rect){0, 0, 8, 4}, two, 2, 1);
    assert_int_equal(canvas.rgb[3 * 3], 10);
    assert_int_equal(canvas.rgb[4 * 3 + 2], 220);
    assert_int_equal(lit(&canvas), 32);
    canvas_picture(&canvas, (struct canvas_rect){WIDTH - 2, -2, 8, 4}, two, 2, 1);
    guards_untouched();
}

static void overlays_on_any_size(void **state) {
    (void)state;
    static const uint8_t seen[12] = {1, 2, 3};
    static const double action[] = {-1, 0, 0.5, 7, -7};
    struct canvas canvas = blank();
    struct overlay overlay = {"cheetah-run", 123.4, 250, 9.5, action, 5, seen, 2, 2};
    overlay_draw(&canvas, &overlay);
    assert_true(lit(&canvas) > 100);
    guards_untouched();
}

// What comes back is within half a cell (4) and the dither (4) of what went in, for few colours; a
// picture of many is near in the mean.
static void palettes(void **state) {
    (void)state;
    struct palette *palette = MEM_NEW(struct palette);
    static uint8_t rgb[BYTES], index[WIDTH * HEIGHT];
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const uint8_t few[3][3] = {{200, 60, 20}, {20, 30, 60}, {240, 240, 240}};
        memcpy(rgb + 3 * i, few[i % 3], 3);
    }
    palette_make(palette, rgb, WIDTH * HEIGHT);
    palette_apply(palette, rgb, WIDTH, HEIGHT, index, WIDTH);
    for (int i = 0; i < BYTES; i++) {
        assert_in_range(palette->colour[index[i / 3]][i % 3] - rgb[i] + 12, 0, 24);
    }
    double error = 0;
    for (int i = 0; i < BYTES; i++)
        rgb[i] = (uint8_t)(i % 3 == 0 ? i / 15 : i % 3 == 1 ? i : i / 40);
    palette_make(palette, rgb, WIDTH * HEIGHT);
    palette_apply(palette, rgb, WIDTH, HEIGHT, index, WIDTH);
    for (int i = 0; i < BYTES; i++) error += abs(palette->colour[index[i / 3]][i % 3] - rgb[i]);
    assert_true(error / BYTES < 12);
    mem_free(palette);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_and_clips),
        cmocka_unit_test(text),
        cmocka_unit_test(pictures_are_scaled),
        cmocka_unit_test(overlays_on_any_size),
        cmocka_unit_test(palettes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
