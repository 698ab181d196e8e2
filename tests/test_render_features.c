// What the renderer draws, one feature a scene, without any OpenGL: its depth and objects against
// MuJoCo's own ray casts, its effects by what they change.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "math/simd.h"
#include "render/render.h"
#include "render_scenes.h"

struct stage { // a model, its scene, and a picture of it
    mjModel *model;
    mjData *data;
    mjvScene scene;
    mjvOption option;
    struct renderer *renderer;
    struct render_size size;
    struct render_target target;
};

static void look(struct stage *stage, int camera_id) {
    mjvCamera camera;
    mjv_defaultCamera(&camera);
    camera.type = mjCAMERA_FIXED;
    camera.fixedcamid = camera_id;
    mjv_updateScene(stage->model, stage->data, &stage->option, NULL, &camera, mjCAT_ALL,
                    &stage->scene);
}

static void open_xml(struct stage *stage, const char *xml, int width, int height) {
    char error[256] = "";
    struct rl_error err = {0};
    mjSpec *spec = mj_parseXMLString(xml, NULL, error, sizeof error);
    if (!spec) fail_msg("%s", error);
    stage->model = mj_compile(spec, NULL);
    if (!stage->model) fail_msg("%s", mjs_getError(spec));
    mj_deleteSpec(spec);
    stage->data = mj_makeData(stage->model);
    mj_forward(stage->model, stage->data);
    mjv_defaultScene(&stage->scene);
    mjv_makeScene(stage->model, &stage->scene, 200);
    mjv_defaultOption(&stage->option);
    stage->size = (struct render_size){width, height};
    stage->renderer = renderer_create(RENDER_BACKEND_SOFT, stage->model, stage->size, &err);
    if (!stage->renderer) fail_msg("%s", err.message);
    size_t pixels = (size_t)width * (size_t)height;
    stage->target =
        (struct render_target){MEM_ARRAY(uint8_t, pixels * 3), MEM_ARRAY(uint8_t, pixels),
                               MEM_ARRAY(float, pixels), MEM_ARRAY(int32_t, pixels * 2)};
    look(stage, 0);
}

static void open_scene(struct stage *stage, const char *name, int width, int height) {
    for (int i = 0; i < SCENES; i++) {
        if (strcmp(scenes[i].name, name)) continue;
        open_xml(stage, scenes[i].xml, width, height);
        stage->scene.flags[mjRND_FOG] = (mjtByte)scenes[i].fog;
        return;
    }
    fail_msg("no scene '%s'", name);
}

static void close_stage(struct stage *stage) {
    renderer_destroy(stage->renderer);
    mjv_freeScene(&stage->scene);
    mj_deleteData(stage->data);
    mj_deleteModel(stage->model);
    mem_free(stage->target.rgb), mem_free(stage->target.gray);
    mem_free(stage->target.depth), mem_free(stage->target.segmentation);
}

static void draw(struct stage *stage) {
    struct rl_error err = {0};
    if (renderer_draw(stage->renderer, &stage->scene, &stage->target, &err) != RL_OK) {
        fail_msg("%s", err.message);
    }
}

static size_t pixel_count(const struct stage *stage) {
    return (size_t)stage->size.width * (size_t)stage->size.height;
}

// The picture's colours; to free.
static uint8_t *draw_rgb(struct stage *stage) {
    uint8_t *copy = MEM_ARRAY(uint8_t, pixel_count(stage) * 3);
    draw(stage);
    memcpy(copy, stage->target.rgb, pixel_count(stage) * 3);
    return copy;
}

static void same_bytes_for_every_instruction_set(void **state) {
    (void)state;
    for (int i = 0; i < SCENES; i++) {
        struct stage stage, other;
        open_scene(&stage, scenes[i].name, 61, 47);
        open_scene(&other, scenes[i].name, 61, 47);
        simd_limit(SIMD_LEVEL_PORTABLE);
        draw(&stage);
        for (enum simd_level level = SIMD_LEVEL_AVX2; level <= simd_level_cpu(); level++) {
            size_t pixels = pixel_count(&stage);
            simd_limit(level);
            draw(&other);
            assert_memory_equal(stage.target.rgb, other.target.rgb, pixels * 3);
            assert_memory_equal(stage.target.depth, other.target.depth, pixels * sizeof(float));
            assert_memory_equal(stage.target.segmentation, other.target.segmentation,
                                pixels * 2 * sizeof(int32_t));
        }
        simd_limit(SIMD_LEVEL_AVX512);
        close_stage(&stage);
        close_stage(&other);
    }
}

// Distance along the view axis of what MuJoCo's ray through a pixel's centre meets, and its geom.
static double cast_ray(const struct stage *stage, int column, int row, int *geom) {
    const mjvGLCamera *c = &stage->scene.camera[0];
    double forward[3], up[3], right[3], from[3], way[3], normal[3];
    for (int k = 0; k < 3; k++) forward[k] = c->forward[k], up[k] = c->up[k];
    mju_cross(right, forward, up);
    double height = c->frustum_top - c->frustum_bottom;
    double x = ((column + 0.5) / stage->size.width - 0.5) * height * stage->size.width /
               stage->size.height;
    double y = c->frustum_bottom + (1 - (row + 0.5) / stage->size.height) * height;
    for (int k = 0; k < 3; k++) {
        // both eyes are at the same place
        from[k] = 0.5 * ((double)c->pos[k] + (double)stage->scene.camera[1].pos[k]);
        if (c->orthographic) {
            from[k] += x * right[k] + y * up[k];
            way[k] = forward[k];
        } else {
            way[k] = forward[k] + (x * right[k] + y * up[k]) / (double)c->frustum_near;
        }
    }
    return mj_ray(stage->model, stage->data, from, way, NULL, 1, -1, geom, normal);
}

static void depth_and_objects_agree_with_rays(void **state) {
    (void)state;
    static const char *const names[] = {"bodies", "orthographic", "meshes", "hills", "haze"};
    static const struct render_size sizes[] = {{16, 16}, {84, 84}, {203, 121}, {1920, 1080}};
    for (int n = 0; n < 5 * 4; n++) {
        struct stage stage;
        struct render_size size = sizes[n % 4];
        open_scene(&stage, names[n / 4], size.width, size.height);
        draw(&stage);
        int step_x = size.width / 16, step_y = size.height / 16, wrong = 0, far = 0, tried = 0;
        for (int y = 0; y < size.height; y += step_y) {
            for (int x = 0; x < size.width; x += step_x, tried++) {
                int geom;
                double want = cast_ray(&stage, x, y, &geom);
                size_t at = (size_t)y * (size_t)size.width + (size_t)x;
                double zfar = (double)stage.scene.camera[0].frustum_far;
                if (want < 0 || want > zfar) want = zfar, geom = -1;
                wrong += stage.target.segmentation[2 * at] != geom;
                far += !(fabs((double)stage.target.depth[at] - want) < 2e-3 * want);
            }
        }
        if (wrong > tried / 100 + 1 || far > tried / 100 + 1) {
            fail_msg("%s at %dx%d: of %d pixels %d show another object, %d another depth",
                     names[n / 4], size.width, size.height, tried, wrong, far);
        }
        close_stage(&stage);
    }
}

static void gray_is_the_luma_of_the_colours(void **state) {
    (void)state;
    struct stage stage;
    open_scene(&stage, "bodies", 50, 37);
    draw(&stage);
    for (size_t i = 0; i < pixel_count(&stage); i++) {
        const uint8_t *c = stage.target.rgb + 3 * i;
        assert_int_equal(stage.target.gray[i], render_luma(c[0], c[1], c[2]));
    }
    close_stage(&stage);
}

// One renderer for several cameras in turn gives what a renderer for each would.
static void cameras_in_turn(void **state) {
    (void)state;
    static const char xml[] = SCENE_HEAD SCENE_ASSETS SCENE_SPOT SCENE_EYE
        "<camera pos='0 0 5' xyaxes='1 0 0 0 1 0'/><camera pos='2 2 2' xyaxes='-1 1 0 -1 -1 2'/>"
        "<camera pos='0 -3 1' xyaxes='1 0 0 0 0 1' fovy='2' projection='orthographic'/>" SCENE_FLOOR
            SCENE_BODIES SCENE_END;
    struct stage one;
    uint8_t *first[4];
    open_xml(&one, xml, 40, 40);
    for (int i = 0; i < 12; i++) {
        look(&one, i % 4);
        uint8_t *rgb = draw_rgb(&one);
        struct stage fresh;
        open_xml(&fresh, xml, 40, 40);
        look(&fresh, i % 4);
        draw(&fresh);
        assert_memory_equal(rgb, fresh.target.rgb, 40 * 40 * 3);
        close_stage(&fresh);
        if (i < 4) {
            first[i] = rgb;
            for (int k = 0; k < i; k++) assert_memory_not_equal(first[k], rgb, 40 * 40 * 3);
        } else {
            mem_free(rgb);
        }
    }
    for (int i = 0; i < 4; i++) mem_free(first[i]);
    close_stage(&one);
}

// Meshes, height fields and deformable bodies darken what is behind them in the light, and nothing
// gets lighter.
static void triangles_cast_shadows(void **state) {
    (void)state;
    static const char *const names[] = {"meshes", "hills", "flex"};
    for (int n = 0; n < 3; n++) {
        struct stage stage;
        open_scene(&stage, names[n], 84, 84);
        uint8_t *with = draw_rgb(&stage);
        for (int i = 0; i < stage.scene.ngeom; i++) {
            mjvGeom *geom = &stage.scene.geoms[i];
            bool triangles = geom->type == mjGEOM_MESH || geom->type == mjGEOM_HFIELD ||
                             geom->type == mjGEOM_FLEX;
            if (triangles) geom->category = mjCAT_DECOR; // casts no shadow
        }
        draw(&stage);
        int darker = 0, lighter = 0;
        for (size_t i = 0; i < pixel_count(&stage); i++) {
            int change = with[3 * i] - stage.target.rgb[3 * i];
            darker += change < -4 && stage.target.segmentation[2 * i] >= 0;
            lighter += change > 0;
        }
        if (darker < 30 || lighter > 0) {
            fail_msg("%s: %d pixels darker, %d lighter", names[n], darker, lighter);
        }
        mem_free(with);
        close_stage(&stage);
    }
}

// A box's upper side reflects, and only that.
static void boxes_reflect(void **state) {
    (void)state;
    struct stage stage;
    open_scene(&stage, "box mirror", 84, 84);
    int mirror = mj_name2id(stage.model, mjOBJ_GEOM, "mirror"), changed = 0;
    uint8_t *with = draw_rgb(&stage);
    stage.scene.flags[mjRND_REFLECTION] = 0;
    draw(&stage);
    for (size_t i = 0; i < pixel_count(&stage); i++) {
        int change = with[3 * i + 2] - stage.target.rgb[3 * i + 2];
        if (change == 0) continue;
        bool near = false; // on an outline the centre may show something else
        int width = stage.size.width, x = (int)i % width, y = (int)i / width;
        for (int k = 0; k < 9; k++) {
            int to_x = x + k % 3 - 1, to_y = y + k / 3 - 1;
            if (to_x < 0 || to_x >= width || to_y < 0 || to_y >= stage.size.height) continue;
            near |= stage.target.segmentation[2 * (to_y * width + to_x)] == mirror;
        }
        assert_true(near);
        assert_true(change > 0);
        changed++;
    }
    assert_true(changed > 50);
    mem_free(with);
    close_stage(&stage);
}

static void fog_hides_what_is_far(void **state) {
    (void)state;
    static const int fog[3] = {178, 204, 153};
    struct stage stage;
    open_scene(&stage, "foggy haze", 84, 84);
    draw(&stage);
    int hidden = 0;
    for (size_t i = 0; i < pixel_count(&stage); i++) {
        // fog is full at 18 m; the bodies are further right
        if (stage.target.depth[i] < 20 || i % (size_t)stage.size.width > 9) continue;
        hidden++;
        for (size_t k = 0; k < 3; k++) {
            assert_in_range(stage.target.rgb[3 * i + k], fog[k] - 1, fog[k] + 1);
        }
    }
    assert_true(hidden > 100);
    uint8_t *foggy = draw_rgb(&stage);
    stage.scene.flags[mjRND_FOG] = 0;
    draw(&stage);
    int clear = 0;
    for (size_t i = 85; i < pixel_count(&stage) - 85; i++) { // none before 4 m, on the bodies
        bool near = true;
        for (size_t k = 0; k < 9; k++) {
            size_t at = i + (k / 3) * 84 + k % 3 - 85;
            near &= stage.target.depth[at] < 3.5f && stage.target.segmentation[2 * at] > 0;
        }
        if (!near) continue;
        assert_int_equal(foggy[3 * i + 1], stage.target.rgb[3 * i + 1]);
        clear++;
    }
    assert_true(clear > 50);
    mem_free(foggy);
    close_stage(&stage);
}

// A white line at the edge of an infinite plane, and only there.
static void haze_covers_the_horizon(void **state) {
    (void)state;
    struct stage stage;
    open_scene(&stage, "haze", 84, 84);
    uint8_t *with = draw_rgb(&stage);
    stage.scene.flags[mjRND_HAZE] = 0;
    draw(&stage);
    int white = 0, white_before = 0;
    for (size_t row = 0; row < 84; row++) {
        size_t at = 3 * (row * 84 + 2); // a column beside the bodies
        white += with[at] > 240 && with[at + 1] > 240 && with[at + 2] > 240;
        white_before += stage.target.rgb[at] > 240;
    }
    assert_int_equal(white_before, 0);
    assert_in_range(white, 1, 4);
    mem_free(with);
    close_stage(&stage);
}

static void no_allocation_after_the_first_frame(void **state) {
    (void)state;
    for (int i = 0; i < SCENES; i++) {
        struct stage stage;
        open_scene(&stage, scenes[i].name, 32, 32);
        draw(&stage);
        uint64_t before = mem_allocation_count();
        draw(&stage);
        assert_int_equal(mem_allocation_count(), before);
        close_stage(&stage);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_for_every_instruction_set),
        cmocka_unit_test(depth_and_objects_agree_with_rays),
        cmocka_unit_test(gray_is_the_luma_of_the_colours),
        cmocka_unit_test(cameras_in_turn),
        cmocka_unit_test(triangles_cast_shadows),
        cmocka_unit_test(boxes_reflect),
        cmocka_unit_test(fog_hides_what_is_far),
        cmocka_unit_test(haze_covers_the_horizon),
        cmocka_unit_test(no_allocation_after_the_first_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
