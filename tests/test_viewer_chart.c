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

static void png_has_the_lines(void **state) {
    (void)state;
    struct bytes bytes = draw(1, CHART_FORMAT_PNG);
    char path[] = "/tmp/test_viewer_chart_XXXXXX";
    struct rl_error err = {0};
    struct png_image image;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size);
    close(fd);
    if (png_read(path, &image, &err) != RL_OK) fail_msg("%s", err.message);
    unlink(path);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(svg_holds_titles_and_legend),
        cmocka_unit_test(png_has_the_lines),
    };
    return cmocka_run_group_tests_name("viewer_chart", tests, NULL, NULL);
}
