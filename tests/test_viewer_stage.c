// What the mouse does to bodies and to the camera, without a window.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "viewer/stage.h"

static const char free_box[] =
    "<mujoco><worldbody><geom type='plane' size='5 5 .1' pos='0 0 -1'/>"
    "<camera name='eye' pos='0 -3 4' xyaxes='1 0 0 0 .8 .6'/>"
    "<body name='box'><freejoint/><geom type='box' size='.3 .3 .3'/></body>"
    "</worldbody></mujoco>";

struct fixture {
    mjModel *model;
    mjData *data;
    struct stage stage;
    struct controls controls;
};

static int setup(void **state) {
    static struct fixture f;
    char error[256];
    mjSpec *spec = mj_parseXMLString(free_box, NULL, error, sizeof(error));
    f.model = spec ? mj_compile(spec, NULL) : NULL;
    mj_deleteSpec(spec);
    if (!f.model) return -1;
    f.data = mj_makeData(f.model);
    mj_forward(f.model, f.data);
    stage_init(&f.stage, f.model, f.data);
    controls_init(&f.controls, -1, 0);
    stage_update(&f.stage, &f.controls);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    stage_release(&f->stage);
    mj_deleteData(f->data);
    mj_deleteModel(f->model);
    return 0;
}

static void button(struct fixture *f, enum control_button which, bool pressed, bool control,
                   double time_s) {
    struct control_event event = {.type = CONTROL_EVENT_BUTTON,
                                  .button = which,
                                  .pressed = pressed,
                                  .control = control,
                                  .x = 0.5,
                                  .y = 0.5,
                                  .time_s = time_s};
    stage_handle(&f->stage, &f->controls, &event);
}

static void drag(struct fixture *f, double x, double y, bool control) {
    struct control_event event = {
        .type = CONTROL_EVENT_MOVE, .control = control, .x = 0.5 + x, .y = 0.5 + y};
    stage_handle(&f->stage, &f->controls, &event);
}

static void double_click(struct fixture *f, enum control_button which, bool control,
                         double time_s) {
    for (int i = 0; i < 2; i++) {
        button(f, which, true, control, time_s + 0.1 * i);
        button(f, which, false, control, time_s + 0.1 * i + 0.05);
    }
    stage_pick(&f->stage, &f->controls, 1);
}

static double force_on_box(const struct fixture *f) {
    return mju_norm(f->data->xfrc_applied + 6, 6);
}

static void the_mouse_pulls_a_body(void **state) {
    struct fixture *f = *state;
    double_click(f, CONTROL_BUTTON_LEFT, false, 1); // the box is in the middle
    assert_int_equal(f->stage.perturb.select, 1);
    int before = f->stage.scene.ngeom;
    stage_update(&f->stage, &f->controls);
    assert_true(f->stage.scene.ngeom > before); // where it is held is shown
    button(f, CONTROL_BUTTON_RIGHT, true, true, 5);
    drag(f, 0, -0.2, true); // up
    stage_apply_force(&f->stage, &f->controls);
    assert_true(f->data->xfrc_applied[6 + 2] > 0.1);
    mj_step(f->model, f->data);
    button(f, CONTROL_BUTTON_RIGHT, false, true, 6);
    stage_apply_force(&f->stage, &f->controls);
    assert_true(force_on_box(f) == 0); // let go
}

static void paused_it_is_moved_itself(void **state) {
    struct fixture *f = *state;
    mjtNum before[3];
    double_click(f, CONTROL_BUTTON_LEFT, false, 10);
    mju_copy3(before, f->data->qpos);
    button(f, CONTROL_BUTTON_RIGHT, true, true, 15);
    drag(f, 0, -0.2, true);
    stage_apply_pose(&f->stage, &f->controls);
    assert_true(f->data->qpos[2] > before[2] + 0.01);
    assert_true(f->data->xpos[3 + 2] > before[2] + 0.01); // kinematics follow
    button(f, CONTROL_BUTTON_RIGHT, false, true, 16);
    mj_resetData(f->model, f->data);
    mj_forward(f->model, f->data);
}

static void the_world_is_not_selected(void **state) {
    struct fixture *f = *state;
    stage_update(&f->stage, &f->controls);
    f->controls.want_select = true;
    f->controls.x = f->controls.y = 0.02; // sky
    stage_pick(&f->stage, &f->controls, 1);
    assert_int_equal(f->stage.perturb.select, 0);
    button(f, CONTROL_BUTTON_RIGHT, true, true, 20);
    assert_false(f->controls.perturbing);
    button(f, CONTROL_BUTTON_RIGHT, false, true, 21);
}

static void the_camera_looks_and_follows(void **state) {
    struct fixture *f = *state;
    stage_update(&f->stage, &f->controls);
    mjvCamera *camera = &f->stage.free_camera;
    mju_zero3(camera->lookat);
    double_click(f, CONTROL_BUTTON_RIGHT, false, 30);
    assert_true(mju_norm3(camera->lookat) > 0.1); // the box's near side
    assert_int_equal(camera->type, mjCAMERA_FREE);
    double_click(f, CONTROL_BUTTON_RIGHT, true, 40);
    assert_int_equal(camera->type, mjCAMERA_TRACKING);
    assert_int_equal(camera->trackbodyid, 1);
    double azimuth = camera->azimuth, distance = camera->distance;
    button(f, CONTROL_BUTTON_LEFT, true, false, 50);
    drag(f, 0.1, 0, false);
    button(f, CONTROL_BUTTON_LEFT, false, false, 51);
    assert_true(camera->azimuth != azimuth);
    struct control_event scroll = {.type = CONTROL_EVENT_SCROLL, .y = 1};
    stage_handle(&f->stage, &f->controls, &scroll);
    assert_true(camera->distance > distance); // as in simulate
}

// The free camera takes over where the model's was.
static void the_free_camera_begins_at_the_models(void **state) {
    struct fixture *f = *state;
    f->controls.camera = 0;
    stage_update(&f->stage, &f->controls);
    mjvGLCamera before = f->stage.scene.camera[0];
    struct control_event escape = {.type = CONTROL_EVENT_KEY, .key = CONTROL_KEY_ESCAPE};
    stage_handle(&f->stage, &f->controls, &escape);
    assert_int_equal(f->controls.camera, -1);
    stage_update(&f->stage, &f->controls);
    for (int i = 0; i < 3; i++) {
        assert_true(fabs(f->stage.scene.camera[0].forward[i] - before.forward[i]) < 1e-5);
        assert_true(fabs(f->stage.scene.camera[0].pos[i] - before.pos[i]) < 1e-2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mouse_pulls_a_body),
        cmocka_unit_test(paused_it_is_moved_itself),
        cmocka_unit_test(the_world_is_not_selected),
        cmocka_unit_test(the_camera_looks_and_follows),
        cmocka_unit_test(the_free_camera_begins_at_the_models),
    };
    return cmocka_run_group_tests_name("viewer_stage", tests, setup, teardown);
}
