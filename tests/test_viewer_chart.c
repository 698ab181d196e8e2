// Charts as SVG and PNG: what they hold, that gaps and lone points are no trouble, and that the
// same curves give the same bytes.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/png_file.h"
#include "viewer/chart.h"

static const double x[] = {0, 1e5, 2e5, 3e5}, y[] = {1, 4, 2, 8};
static const double low[] = {0, 3, NAN, 6}, high[] = {2, 5, NAN, 9};
static const struct chart_curve curves[] = {{x, y, low, high, 4, 0},
                                            {x, high, NULL, NULL, 2, 1},
                                            {x + 2, y, low + 2, high + 2, 1, 2},
                                            {x, y, NULL, NULL, 0, 3}};
static const struct chart_panel panels[] = {{"first title", "frames", "return", curves, 4},
                                            {"second title", "frames", "loss", curves, 0}};
static const char *const legend[] = {"one & two", "a < b", "three", "four"};

static struct bytes draw(int n_panels, enum chart_format format) {
    struct chart chart = {panels, n_panels, legend, 4, 600, 300};
    struct bytes bytes;
    struct rl_error err = {0};
    enum rl_status status = chart_draw(&chart, format, &bytes, &err);
    if (status == RL_EUNAVAILABLE) skip();
    if (status != RL_OK) fail_msg("%s", err.message);
    return bytes;
}

static void svg_holds_titles_and_legend(void **state) {
    (void)state;
    struct bytes bytes = draw(2, CHART_FORMAT_SVG), again = draw(2, CHART_FORMAT_SVG);
    const char *text = (const char *)bytes.data;
    static const char *const wanted[] = {"first title", "second title", "one & two", "a < b",
                                         "100k"};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        char letters[256]; // as PLplot writes them: character references
        size_t length = 0;
        for (const char *c = wanted[i]; *c; c++) {
            length += (size_t)snprintf(letters + length, sizeof(letters) - length, "&#x%x;", *c);
        }
        if (!strstr(text, letters)) fail_msg("the SVG lacks %s", wanted[i]);
    }
    assert_null(strstr(text, "nan,"));
    assert_non_null(strstr(text, "</svg>"));
    assert_int_equal(bytes.size, again.size);
    assert_memory_equal(bytes.data, again.data, bytes.size);
    mem_free(bytes.data);
    mem_free(again.data);
}

static struct png_image read_picture(const struct bytes *bytes) {
    char path[] = "/tmp/test_viewer_chart_XXXXXX";
    struct rl_error err = {0};
    struct png_image image;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, bytes->data, bytes->size) == (ssize_t)bytes->size);
    close(fd);
    if (png_read(path, &image, &err) != RL_OK) fail_msg("%s", err.message);
    unlink(path);
    return image;
}

static void png_has_the_lines(void **state) {
    (void)state;
    struct bytes bytes = draw(1, CHART_FORMAT_PNG);
    struct png_image image = read_picture(&bytes);
    assert_true(image.width == 600 && image.height >= 300 && image.height < 400);
    unsigned int wanted[3];
    assert_int_equal(sscanf(chart_colour(0), "#%2x%2x%2x", &wanted[0], &wanted[1], &wanted[2]), 3);
    int found = 0;
    for (int i = 0; i < image.width * image.height; i++) {
        const uint8_t *pixel = image.pixels + 3 * (size_t)i;
        found += pixel[0] == wanted[0] && pixel[1] == wanted[1] && pixel[2] == wanted[2];
    }
    assert_true(found > 200);
    mem_free(image.pixels);
    mem_free(bytes.data);
}

static bool column_is_paper(const struct png_image *image, int column) {
    for (int row = 0; row < image->height; row++) {
        const uint8_t *pixel = image->pixels + 3 * ((size_t)row * image->width + column);
        if (pixel[0] != 255 || pixel[1] != 255 || pixel[2] != 255) return false;
    }
    return true;
}

// Between the label of the y axis and the numbers beside the axis some columns stay paper, however
// long the numbers are.
static void y_label_keeps_its_distance(void **state) {
    (void)state;
    static const double tops[] = {850, 0.0123, -0.00025, 1.2e6, 0.00012, 1e-9};
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        double values[] = {0.85 * tops[i], tops[i]};
        struct chart_curve curve = {x, values, NULL, NULL, 2, 0};
        struct chart_panel panel[] = {{"", "frames", "evaluation return", &curve, 1},
                                      {"", "frames", "critic loss", &curve, 1}};
        for (int n_panels = 1; n_panels <= 2; n_panels++) {
            struct chart chart = {panel, n_panels, NULL, 0, 720, 400};
            struct bytes bytes;
            struct rl_error err = {0};
            enum rl_status status = chart_draw(&chart, CHART_FORMAT_PNG, &bytes, &err);
            if (status == RL_EUNAVAILABLE) skip();
            if (status != RL_OK) fail_msg("%s", err.message);
            struct png_image image = read_picture(&bytes);
            int begin = 0, gap = 0;
            while (begin < 60 && column_is_paper(&image, begin)) begin++;
            int end = begin; // of the label's letters
            while (end < 60 && !column_is_paper(&image, end)) end++;
            while (column_is_paper(&image, end + gap)) gap++;
            print_message("top %g, %d panels: label %d..%d, then %d of paper\n", tops[i], n_panels,
                          begin, end, gap);
            assert_true(begin > 0 && end - begin < 24 && gap >= 4);
            mem_free(image.pixels);
            mem_free(bytes.data);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(svg_holds_titles_and_legend),
        cmocka_unit_test(png_has_the_lines),
        cmocka_unit_test(y_label_keeps_its_distance),
    };
    return cmocka_run_group_tests_name("viewer_chart", tests, NULL, NULL);
}
