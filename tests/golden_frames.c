// The software renderer against MuJoCo's own pictures: on every scene, at least as near as MuJoCo
// without multisampling is to MuJoCo with it; which object a pixel shows, by the stored
// segmentation.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "envs/env.h"
#include "golden_model.h"
#include "render/compare.h"
#include "render/render.h"
#include "support/golden.h"

// Share of pixels whose object may differ: pixels on an outline, where the round shape and MuJoCo's
// polygon differ by a fraction of a pixel.
static const double max_wrong_objects = 0.003;

struct frames {
    const struct golden_case *golden;
    struct env *env;
    struct renderer *renderer;
    struct render_size size;
    int camera, count;
    uint8_t *rgb;
    int32_t *segmentation;
    double ssim, abs_error, wrong_objects; // sums over frames
};

static double number(const struct golden_case *golden, const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("%s: the manifest has no '%s'", golden->path, key);
    return json_number_value(value);
}

static void open_frames(struct frames *f) {
    const json_t *entry = f->golden->entry;
    const char *domain = json_string_value(json_object_get(entry, "domain"));
    const char *task = json_string_value(json_object_get(entry, "task"));
    if (!domain || !task) fail_msg("%s: the manifest names no domain and task", f->golden->path);
    char name[128];
    snprintf(name, sizeof name, "%s/%s", domain, task);
    struct env_options options;
    struct rl_error err = {0};
    opt_set_defaults(&env_opts, &options);
    options.pixels = false;
    f->env = env_create(name, &options, 1, &err);
    if (!f->env) fail_msg("%s: %s", f->golden->path, err.message);
    f->size.height = (int)number(f->golden, entry, "height");
    f->size.width = (int)number(f->golden, entry, "width");
    f->camera = (int)number(f->golden, entry, "camera_id");
    f->renderer = renderer_create(RENDER_BACKEND_SOFT, env_model(f->env), f->size, &err);
    if (!f->renderer) fail_msg("%s: %s", f->golden->path, err.message);
    size_t pixels = (size_t)f->size.height * (size_t)f->size.width;
    f->rgb = MEM_ARRAY(uint8_t, pixels * 3);
    f->segmentation = MEM_ARRAY(int32_t, pixels * 2);
    f->count = (int)golden_tensor(f->golden, "image")->dim[0];
}

static void set_row(const struct golden_case *golden, const char *key, int row, mjtNum *out,
                    int count) {
    if (count == 0) return;
    const struct st_tensor *tensor = golden_tensor(golden, key);
    assert_int_equal(tensor->count, tensor->dim[0] * count);
    for (int i = 0; i < count; i++) out[i] = st_get(tensor, (int64_t)row * count + i);
}

static void set_state(struct frames *f, int row) {
    mjModel *model = env_model(f->env);
    mjData *data = env_data(f->env);
    mj_resetData(model, data);
    set_model_fields(f->golden, model, row);
    set_row(f->golden, "qpos", row, data->qpos, (int)model->nq);
    set_row(f->golden, "qvel", row, data->qvel, (int)model->nv);
    set_row(f->golden, "act", row, data->act, (int)model->na);
    set_row(f->golden, "time", row, &data->time, 1);
    mj_forward(model, data);
}

// Share of pixels that show another object than the stored picture.
static double wrong_objects(const struct frames *f, int row) {
    if (!st_find(&f->golden->data, "segmentation_id")) return 0; // the large pictures have none
    const struct st_tensor *id = golden_tensor(f->golden, "segmentation_id");
    const struct st_tensor *type = golden_tensor(f->golden, "segmentation_type");
    int64_t pixels = (int64_t)f->size.height * f->size.width, wrong = 0;
    for (int64_t i = 0; i < pixels; i++) {
        double want_id = st_get(id, row * pixels + i), want_type = st_get(type, row * pixels + i);
        if (want_id == 255) want_id = -1;
        if (want_type == 255) want_type = -1;
        wrong += f->segmentation[2 * i] != (int32_t)want_id ||
                 f->segmentation[2 * i + 1] != (int32_t)want_type;
    }
    return (double)wrong / (double)pixels;
}

static void compare_frame(struct frames *f, int row) {
    struct render_target target = {.rgb = f->rgb, .segmentation = f->segmentation};
    struct rl_error err = {0};
    set_state(f, row);
    mjData *data = env_data(f->env);
    if (renderer_draw_camera(f->renderer, data, f->camera, &target, &err) != RL_OK) {
        fail_msg("%s: %s", f->golden->path, err.message);
    }
    const struct st_tensor *image = golden_tensor(f->golden, "image");
    size_t bytes = (size_t)f->size.height * (size_t)f->size.width * 3;
    const uint8_t *want = (const uint8_t *)image->data + (size_t)row * bytes;
    f->abs_error += compare_abs(f->rgb, want, bytes) / f->count;
    f->ssim += compare_ssim(f->rgb, want, f->size.height, f->size.width, 3) / f->count;
    f->wrong_objects += wrong_objects(f, row) / f->count;
}

static void check_frames(const struct golden_case *golden, void *context) {
    int *failures = context;
    struct frames f = {.golden = golden};
    open_frames(&f);
    for (int i = 0; i < f.count; i++) compare_frame(&f, i);
    const json_t *yardstick =
        json_object_get(json_object_get(golden->entry, "yardstick_mean"), "no_msaa");
    double ssim = number(golden, yardstick, "ssim");
    double abs_error = number(golden, yardstick, "mean_abs_err");
    bool good = f.ssim >= ssim && f.abs_error <= abs_error && f.wrong_objects <= max_wrong_objects;
    print_message("%s %-44s ssim %.4f (at least %.4f)  error %.3f (at most %.3f)  objects %.2f%%\n",
                  good ? "ok " : "BAD", golden->path, f.ssim, ssim, f.abs_error, abs_error,
                  100 * f.wrong_objects);
    *failures += !good;
    renderer_destroy(f.renderer);
    env_destroy(f.env);
    mem_free(f.rgb);
    mem_free(f.segmentation);
}

static void test_frames(void **state) {
    (void)state;
    int failures = 0;
    golden_each("frames", check_frames, &failures);
    assert_int_equal(failures, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_frames)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
