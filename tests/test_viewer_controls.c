// Keys and mouse without a window.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "viewer/controls.h"

static void key(struct controls *controls, enum control_key which) {
    struct control_event event = {.type = CONTROL_EVENT_KEY, .key = which, .pressed = true};
    struct control_drag drag = controls_handle(controls, &event, false);
    assert_int_equal(drag.action, mjMOUSE_NONE);
}

static void button(struct controls *controls, enum control_button which, bool pressed,
                   double time_s, bool control, bool has_selection) {
    struct control_event event = {.type = CONTROL_EVENT_BUTTON,
                                  .button = which,
                                  .pressed = pressed,
                                  .control = control,
                                  .x = 0.5,
                                  .y = 0.5,
                                  .time_s = time_s};
    controls_handle(controls, &event, has_selection);
}

static struct control_drag move(struct controls *controls, double x, double y, bool shift) {
    struct control_event event = {.type = CONTROL_EVENT_MOVE, .x = x, .y = y, .shift = shift};
    return controls_handle(controls, &event, false);
}

static void pace(void **state) {
    (void)state;
    struct controls controls;
    controls_init(&controls, 0, 2);
    int steps = 0;
    for (int i = 0; i < 600; i++) steps += controls_due_steps(&controls, 1 / 60.0, 0.02);
    assert_in_range(steps, 499, 500); // 10 s at 50 steps/s
    key(&controls, CONTROL_KEY_MINUS);
    key(&controls, CONTROL_KEY_MINUS);
    assert_true(controls.speed == 0.25);
    steps = 0;
    for (int i = 0; i < 600; i++) steps += controls_due_steps(&controls, 1 / 60.0, 0.02);
    assert_in_range(steps, 124, 126);
    for (int i = 0; i < 20; i++) key(&controls, CONTROL_KEY_EQUAL);
    assert_true(controls.speed == CONTROLS_MAX_SPEED);
    for (int i = 0; i < 40; i++) key(&controls, CONTROL_KEY_MINUS);
    assert_true(controls.speed == CONTROLS_MIN_SPEED);
    key(&controls, CONTROL_KEY_0);
    assert_true(controls.speed == 1);
    // After a long stall the show goes on from now; a clock that steps back owes nothing.
    assert_int_equal(controls_due_steps(&controls, 1000, 0.02), CONTROLS_MAX_STEPS);
    assert_int_equal(controls_due_steps(&controls, -5, 0.02), 0);
    key(&controls, CONTROL_KEY_SPACE);
    assert_true(controls.paused);
    assert_int_equal(controls_due_steps(&controls, 10, 0.02), 0);
}

static void single_steps_only_while_paused(void **state) {
    (void)state;
    struct controls controls;
    controls_init(&controls, -1, 0);
    key(&controls, CONTROL_KEY_RIGHT);
    assert_false(controls.want_step);
    key(&controls, CONTROL_KEY_SPACE);
    key(&controls, CONTROL_KEY_RIGHT);
    assert_true(controls.want_step);
    key(&controls, CONTROL_KEY_SPACE);
    assert_false(controls.paused);
}

static void cameras(void **state) {
    (void)state;
    struct controls controls;
    controls_init(&controls, 1, 2);
    const int forward[] = {-1, 0, 1, -1};
    for (int i = 0; i < 4; i++) {
        key(&controls, CONTROL_KEY_RIGHT_BRACKET);
        assert_int_equal(controls.camera, forward[i]);
    }
    key(&controls, CONTROL_KEY_LEFT_BRACKET);
    assert_int_equal(controls.camera, 1);
    key(&controls, CONTROL_KEY_ESCAPE);
    assert_int_equal(controls.camera, -1);
    controls_init(&controls, -1, 0); // a model without cameras
    key(&controls, CONTROL_KEY_RIGHT_BRACKET);
    assert_int_equal(controls.camera, -1);
    controls_init(&controls, 0, 1);
    button(&controls, CONTROL_BUTTON_LEFT, true, 0, false, false);
    move(&controls, 0.6, 0.5, false);
    assert_int_equal(controls.camera, -1); // dragging frees it
}

static void dragging(void **state) {
    (void)state;
    const struct {
        enum control_button button;
        bool shift;
        mjtMouse action;
    } cases[] = {{CONTROL_BUTTON_LEFT, false, mjMOUSE_ROTATE_V},
                 {CONTROL_BUTTON_LEFT, true, mjMOUSE_ROTATE_H},
                 {CONTROL_BUTTON_RIGHT, false, mjMOUSE_MOVE_V},
                 {CONTROL_BUTTON_RIGHT, true, mjMOUSE_MOVE_H},
                 {CONTROL_BUTTON_MIDDLE, false, mjMOUSE_ZOOM}};
    for (int i = 0; i < 5; i++) {
        struct controls controls;
        controls_init(&controls, -1, 0);
        assert_int_equal(move(&controls, 0.4, 0.4, cases[i].shift).action, mjMOUSE_NONE);
        button(&controls, cases[i].button, true, 0, false, true);
        struct control_drag drag = move(&controls, 0.75, 0.25, cases[i].shift);
        assert_int_equal(drag.action, cases[i].action);
        assert_false(drag.perturb);
        assert_true(drag.dx == 0.25 && drag.dy == -0.25);
        button(&controls, cases[i].button, false, 1, false, true);
        assert_int_equal(move(&controls, 0, 0, cases[i].shift).action, mjMOUSE_NONE);
    }
    struct controls controls;
    controls_init(&controls, 0, 1);
    struct control_event scroll = {.type = CONTROL_EVENT_SCROLL, .y = 2};
    struct control_drag drag = controls_handle(&controls, &scroll, false);
    assert_true(drag.action == mjMOUSE_ZOOM && fabs(drag.dy + 0.1) < 1e-12);
}

static void perturbing(void **state) {
    (void)state;
    struct controls controls;
    controls_init(&controls, 0, 1);
    button(&controls, CONTROL_BUTTON_RIGHT, true, 0, true, false);
    assert_false(controls.perturbing); // nothing is selected
    button(&controls, CONTROL_BUTTON_RIGHT, false, 0, true, false);
    button(&controls, CONTROL_BUTTON_RIGHT, true, 1, true, true);
    assert_true(controls.perturbing);
    assert_true(move(&controls, 0.1, 0.2, false).perturb);
    assert_int_equal(controls.camera, 0); // the camera stays
    button(&controls, CONTROL_BUTTON_LEFT, true, 0, true, true);
    button(&controls, CONTROL_BUTTON_LEFT, false, 0, true, true);
    assert_true(controls.perturbing); // the right button is still down
    button(&controls, CONTROL_BUTTON_RIGHT, false, 0, false, true);
    assert_false(controls.perturbing);
}

static void double_clicks_select(void **state) {
    (void)state;
    struct controls controls;
    controls_init(&controls, 0, 1);
    button(&controls, CONTROL_BUTTON_LEFT, true, 0, false, false);
    button(&controls, CONTROL_BUTTON_LEFT, false, 0.05, false, false);
    button(&controls, CONTROL_BUTTON_LEFT, true, 1, false, false); // too late
    assert_false(controls.want_select);
    button(&controls, CONTROL_BUTTON_LEFT, true, 1.2, false, false);
    assert_true(controls.want_select);
    assert_true(controls.x == 0.5 && controls.y == 0.5);
    controls.want_select = false;
    button(&controls, CONTROL_BUTTON_LEFT, true, 1.3, false, false); // the third of three
    assert_false(controls.want_select);
    assert_false(controls.want_look || controls.want_track);
}

static void double_right_clicks_look(void **state) {
    (void)state;
    struct controls controls;
    controls_init(&controls, 0, 1);
    for (int i = 0; i < 2; i++) button(&controls, CONTROL_BUTTON_RIGHT, true, 0.1 * i, false, true);
    assert_true(controls.want_look && !controls.want_track && !controls.want_select);
    assert_int_equal(controls.camera, -1); // only the free one can be turned
    controls.want_look = false;
    for (int i = 0; i < 2; i++)
        button(&controls, CONTROL_BUTTON_RIGHT, true, 2 + 0.1 * i, true, true);
    assert_true(controls.want_track && !controls.want_look && !controls.perturbing);
    button(&controls, CONTROL_BUTTON_LEFT, true, 2.2, false, true); // another button's click
    assert_false(controls.want_select);
}

static void toggles(void **state) {
    (void)state;
    struct controls controls;
    controls_init(&controls, 0, 1);
    const struct {
        enum control_key key;
        bool *flag;
    } cases[] = {
        {CONTROL_KEY_F1, &controls.help},          {CONTROL_KEY_TAB, &controls.figures},
        {CONTROL_KEY_A, &controls.bars},           {CONTROL_KEY_I, &controls.inset},
        {CONTROL_KEY_C, &controls.contact_points}, {CONTROL_KEY_F, &controls.contact_forces},
        {CONTROL_KEY_J, &controls.joints},         {CONTROL_KEY_T, &controls.transparent}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool before = *cases[i].flag;
        key(&controls, cases[i].key);
        assert_int_equal(*cases[i].flag, !before);
        key(&controls, cases[i].key);
        assert_int_equal(*cases[i].flag, before);
    }
    key(&controls, CONTROL_KEY_P);
    key(&controls, CONTROL_KEY_Q);
    key(&controls, CONTROL_KEY_BACKSPACE);
    assert_true(controls.want_screenshot && controls.want_quit && controls.want_reset);
    struct controls before = controls;
    key(&controls, CONTROL_KEY_OTHER);
    assert_memory_equal(&before, &controls, sizeof(before));
}

static void help_has_a_text_for_each_key(void **state) {
    (void)state;
    int lines[2] = {0};
    for (const char *c = controls_help_keys; *c; c++) lines[0] += *c == '\n';
    for (const char *c = controls_help_text; *c; c++) lines[1] += *c == '\n';
    assert_int_equal(lines[0], lines[1]);
    assert_true(lines[0] > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pace),
        cmocka_unit_test(single_steps_only_while_paused),
        cmocka_unit_test(cameras),
        cmocka_unit_test(dragging),
        cmocka_unit_test(perturbing),
        cmocka_unit_test(double_clicks_select),
        cmocka_unit_test(double_right_clicks_look),
        cmocka_unit_test(toggles),
        cmocka_unit_test(help_has_a_text_for_each_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
