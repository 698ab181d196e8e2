// The software renderer beside MuJoCo's own through EGL, where this machine has it: on every scene
// of the suite and on one for each feature, at least as near to MuJoCo's picture with 4 samples as
// MuJoCo's without multisampling is. And that GLFW's window draws the same as EGL's. Skipped where
// there is no OpenGL.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "envs/env.h"
#include "render/compare.h"
#include "render/render.h"
#include "render_scenes.h"

enum { SIDE = 84, BYTES = SIDE * SIDE * 3, MAX_MODELS = 64 };
static const struct render_size size = {SIDE, SIDE};

static void draw(enum render_backend backend, const mjModel *model, const mjvScene *scene,
                 uint8_t *rgb) {
    struct rl_error err = {0};
    struct renderer *renderer = renderer_create(backend, model, size, &err);
    if (!renderer) fail_msg("%s", err.message);
    struct render_target target = {.rgb = rgb};
    if (renderer_draw(renderer, scene, &target, &err) != RL_OK) fail_msg("%s", err.message);
    renderer_destroy(renderer);
}

// True when ours is as near as it should be; prints a line.
static bool as_near(const char *name, mjModel *model, const mjvScene *scene, const uint8_t *ours) {
    static uint8_t theirs[BYTES], plain[BYTES];
    int samples = model->vis.quality.offsamples;
    draw(RENDER_BACKEND_EGL, model, scene, theirs);
    model->vis.quality.offsamples = 0;
    draw(RENDER_BACKEND_EGL, model, scene, plain);
    model->vis.quality.offsamples = samples;
    double error = compare_abs(ours, theirs, BYTES), limit = compare_abs(plain, theirs, BYTES);
    double ssim = compare_ssim(ours, theirs, SIDE, SIDE, 3);
    double least = compare_ssim(plain, theirs, SIDE, SIDE, 3);
    bool good = error <= limit && ssim >= least;
    print_message("%s %-26s error %.3f (at most %.3f)  ssim %.4f (at least %.4f)\n",
                  good ? "ok " : "BAD", name, error, limit, ssim, least);
    return good;
}

static void look(const mjModel *model, mjData *data, int camera_id, mjvScene *scene) {
    mjvOption option;
    mjvCamera camera;
    mjv_defaultOption(&option);
    mjv_defaultCamera(&camera);
    option.flags[mjVIS_RANGEFINDER] = 0;
    camera.type = mjCAMERA_FIXED;
    camera.fixedcamid = camera_id;
    if (camera_id < 0) mjv_defaultFreeCamera(model, &camera);
    mjv_defaultScene(scene);
    mjv_makeScene(model, scene, 1000);
    mjv_updateScene(model, data, &option, NULL, &camera, mjCAT_ALL, scene);
}

static bool has_egl(void) {
    struct rl_error err = {0};
    mjModel *model = NULL;
    mjSpec *spec = mj_makeSpec();
    model = mj_compile(spec, NULL);
    mj_deleteSpec(spec);
    assert_non_null(model);
    struct renderer *renderer = renderer_create(RENDER_BACKEND_EGL, model, size, &err);
    renderer_destroy(renderer);
    mj_deleteModel(model);
    if (!renderer) print_message("no EGL here: %s\n", err.message);
    return renderer != NULL;
}

// Compared without shadows: MuJoCo's shadow map speckles ground that lies aslant to the light, and
// moves shadows by more than a pixel of a small figure.
static const char *const speckled[] = {"quadruped-escape", "gym-humanoid"};

// Every task's first picture, once for tasks that look alike.
static void suite_scenes(void **state) {
    (void)state;
    if (!has_egl()) skip();
    static uint8_t seen[MAX_MODELS][BYTES];
    int count = 0, failures = 0;
    for (int i = 0; i < env_task_count(); i++) {
        struct env_options options;
        struct rl_error err = {0};
        struct time_step step;
        opt_set_defaults(&env_opts, &options);
        options.pixels = false;
        struct env *env = env_create(env_task_name(i), &options, 1, &err);
        if (!env || env_reset(env, &step, &err) != RL_OK) fail_msg("%s", err.message);
        mjvScene scene;
        look(env_model(env), env_data(env), env_camera(env), &scene);
        for (size_t k = 0; k < sizeof speckled / sizeof *speckled; k++) {
            if (!strcmp(env_task_name(i), speckled[k])) scene.flags[mjRND_SHADOW] = 0;
        }
        assert_true(count < MAX_MODELS);
        draw(RENDER_BACKEND_SOFT, env_model(env), &scene, seen[count]);
        bool again = false;
        for (int k = 0; k < count; k++) again |= !memcmp(seen[k], seen[count], BYTES);
        if (!again) failures += !as_near(env_task_name(i), env_model(env), &scene, seen[count++]);
        mjv_freeScene(&scene);
        env_destroy(env);
    }
    assert_int_equal(failures, 0);
}

struct opened {
    mjModel *model;
    mjData *data;
    mjvScene scene;
};

static void open_scene(const struct scene *from, struct opened *opened) {
    char error[256] = "";
    mjSpec *spec = mj_parseXMLString(from->xml, NULL, error, sizeof error);
    if (!spec) fail_msg("%s: %s", from->name, error);
    opened->model = mj_compile(spec, NULL);
    if (!opened->model) fail_msg("%s: %s", from->name, mjs_getError(spec));
    mj_deleteSpec(spec);
    opened->data = mj_makeData(opened->model);
    mj_forward(opened->model, opened->data);
    look(opened->model, opened->data, 0, &opened->scene);
    opened->scene.flags[mjRND_FOG] = (mjtByte)from->fog;
}

static void close_scene(struct opened *opened) {
    mjv_freeScene(&opened->scene);
    mj_deleteData(opened->data);
    mj_deleteModel(opened->model);
}

static void feature_scenes(void **state) {
    (void)state;
    if (!has_egl()) skip();
    int failures = 0;
    for (int i = 0; i < SCENES; i++) {
        static uint8_t ours[BYTES];
        struct opened opened;
        open_scene(&scenes[i], &opened);
        draw(RENDER_BACKEND_SOFT, opened.model, &opened.scene, ours);
        failures += !as_near(scenes[i].name, opened.model, &opened.scene, ours);
        close_scene(&opened);
    }
    assert_int_equal(failures, 0);
}

// A display without a screen for GLFW; -1 when there is none to be had.
static pid_t start_display(void) {
    int ends[2];
    char number[16] = "";
    if (pipe(ends)) return -1;
    pid_t child = fork();
    if (child == 0) {
        char descriptor[16];
        snprintf(descriptor, sizeof descriptor, "%d", ends[1]);
        execlp("Xvfb", "Xvfb", "-displayfd", descriptor, "-screen", "0", "64x64x24", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    ssize_t length = read(ends[0], number + 1, sizeof number - 2);
    close(ends[0]);
    number[0] = ':';
    number[strcspn(number, "\n")] = 0;
    if (length > 0) setenv("DISPLAY", number, 1);
    if (length > 0) return child;
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    return -1;
}

static void glfw_draws_what_egl_draws(void **state) {
    (void)state;
    struct rl_error err = {0};
    pid_t display = start_display();
    struct opened opened;
    open_scene(&scenes[0], &opened);
    struct renderer *renderer = renderer_create(RENDER_BACKEND_GLFW, opened.model, size, &err);
    static uint8_t window[BYTES], egl[BYTES], ours[BYTES];
    if (renderer) {
        struct render_target target = {.rgb = window};
        if (renderer_draw(renderer, &opened.scene, &target, &err) != RL_OK)
            fail_msg("%s", err.message);
        renderer_destroy(renderer);
        draw(RENDER_BACKEND_SOFT, opened.model, &opened.scene, ours);
        assert_true(compare_abs(window, ours, BYTES) < 1);
        if (has_egl()) {
            draw(RENDER_BACKEND_EGL, opened.model, &opened.scene, egl);
            assert_true(compare_abs(window, egl, BYTES) < 0.1);
        }
    } else {
        assert_int_equal(err.code, RL_EUNAVAILABLE);
        print_message("no GLFW here: %s\n", err.message);
    }
    close_scene(&opened);
    if (display > 0) {
        kill(display, SIGTERM);
        waitpid(display, NULL, 0);
    }
    if (!renderer) skip();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite_scenes),
        cmocka_unit_test(feature_scenes),
        cmocka_unit_test(glfw_draws_what_egl_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
