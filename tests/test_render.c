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
#include "base/rng.h"
#include "math/simd.h"
#include "render/render.h"

static const char scene_xml[] =
    "<mujoco><visual><headlight ambient='.4 .4 .4' diffuse='.8 .8 .8' specular='.1 .1 "
    ".1'/></visual>"
    "<asset><texture name='sky' type='skybox' builtin='gradient' rgb1='.4 .6 .8' rgb2='0 0 0' "
    "width='64'"
    " height='64' mark='random' markrgb='1 1 1'/><texture name='grid' type='2d' builtin='checker' "
    "rgb1='.1"
    " .2 .3' rgb2='.2 .3 .4' width='100' height='100' mark='edge' markrgb='.2 .3 .4'/><material "
    "name='grid'"
    " texture='grid' texrepeat='1 1' texuniform='true' reflectance='.2'/></asset><worldbody>"
    "<light pos='0 0 3' dir='0 0 -1' diffuse='.7 .7 .7'/><geom type='plane' size='4 4 .2'"
    " material='grid'/><camera name='c' pos='0 -3 1.2' xyaxes='1 0 0 0 .3 1'/>"
    "<body pos='-.6 0 .5'><freejoint/><geom type='capsule' size='.1 .3' rgba='.8 .4 .2 1'/></body>"
    "<body pos='0 .2 .6'><freejoint/><geom type='sphere' size='.25' rgba='.2 .8 .3 1'/></body>"
    "<body pos='.6 0 .5'><freejoint/><geom type='box' size='.2 .15 .3' rgba='.3 .4 .9 1'/></body>"
    "<body pos='.1 -.5 .3'><freejoint/><geom type='cylinder' size='.12 .2' rgba='.9 .9 .2 "
    "1'/></body>"
    "<body pos='-.2 -.4 .9'><freejoint/><geom type='ellipsoid' size='.2 .1 .15' rgba='.9 .2 .6 "
    "1'/></body>"
    "</worldbody></mujoco>";

struct fixture {
    mjModel *model;
    mjData *data;
};

static int load(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    mjSpec *spec;
    char error[256] = "";
    spec = mj_parseXMLString(scene_xml, NULL, error, sizeof error);
    if (!spec) fail_msg("%s", error);
    f->model = mj_compile(spec, NULL);
    assert_non_null(f->model);
    mj_deleteSpec(spec);
    f->data = mj_makeData(f->model);
    mj_forward(f->model, f->data);
    *state = f;
    return 0;
}

static int unload(void **state) {
    struct fixture *f = *state;
    mj_deleteData(f->data);
    mj_deleteModel(f->model);
    free(f);
    return 0;
}

static uint8_t *draw(const struct fixture *f, struct render_size size) {
    struct rl_error err = {0};
    struct renderer *renderer = renderer_create(RENDER_BACKEND_SOFT, f->model, size, &err);
    if (!renderer) fail_msg("%s", err.message);
    uint8_t *rgb = mem_alloc((size_t)(size.width * size.height * 3));
    struct render_target target = {.rgb = rgb};
    if (renderer_draw_camera(renderer, f->data, 0, &target, &err) != RL_OK)
        fail_msg("%s", err.message);
    renderer_destroy(renderer);
    return rgb;
}

static void same_bytes_for_every_instruction_set(void **state) {
    static const struct render_size sizes[] = {{84, 84}, {17, 23}, {320, 240}, {16, 16}, {101, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t bytes = (size_t)(sizes[i].width * sizes[i].height * 3);
        simd_limit(SIMD_LEVEL_PORTABLE);
        uint8_t *portable = draw(*state, sizes[i]);
        for (enum simd_level level = SIMD_LEVEL_AVX2; level <= simd_level_cpu(); level++) {
            simd_limit(level);
            uint8_t *other = draw(*state, sizes[i]);
            assert_memory_equal(portable, other, bytes);
            mem_free(other);
        }
        simd_limit(SIMD_LEVEL_AVX512);
        mem_free(portable);
    }
}

static void drawing_allocates_nothing(void **state) {
    struct fixture *f = *state;
    struct rl_error err = {0};
    struct renderer *renderer =
        renderer_create(RENDER_BACKEND_SOFT, f->model, (struct render_size){84, 84}, &err);
    assert_non_null(renderer);
    static uint8_t rgb[84 * 84 * 3];
    struct render_target target = {.rgb = rgb};
    uint64_t before = mem_allocation_count();
    for (int i = 0; i < 5; i++) {
        mj_step(f->model, f->data);
        assert_int_equal(renderer_draw_camera(renderer, f->data, 0, &target, &err), RL_OK);
    }
    assert_int_equal(mem_allocation_count(), before);
    renderer_destroy(renderer);
}

static void refuses_what_it_cannot_draw(void **state) {
    struct fixture *f = *state;
    struct rl_error err = {0};
    assert_null(renderer_create(RENDER_BACKEND_SOFT, f->model, (struct render_size){15, 84}, &err));
    assert_int_equal(err.code, RL_EUSAGE);
    struct renderer *renderer =
        renderer_create(RENDER_BACKEND_SOFT, f->model, (struct render_size){16, 16}, &err);
    assert_non_null(renderer);
    uint8_t rgb[16 * 16 * 3];
    struct render_target target = {.rgb = rgb};
    assert_int_equal(renderer_draw_camera(renderer, f->data, 1, &target, &err), RL_EUSAGE);
    mjtNum keep = f->data->geom_xpos[4];
    f->data->geom_xpos[4] = NAN;
    assert_int_equal(renderer_draw_camera(renderer, f->data, 0, &target, &err), RL_EMODEL);
    f->data->geom_xpos[4] = keep;
    assert_int_equal(renderer_draw_camera(renderer, f->data, 0, &target, &err), RL_OK);
    renderer_destroy(renderer);
}

// Scenes that no model has: nothing crashes, and what cannot be drawn is an error.
static void hostile_scenes(void **state) {
    struct fixture *f = *state;
    struct rl_error err = {0};
    struct renderer *renderer =
        renderer_create(RENDER_BACKEND_SOFT, f->model, (struct render_size){33, 31}, &err);
    assert_non_null(renderer);
    mjvScene scene;
    mjvOption option;
    mjvCamera camera;
    mjv_defaultScene(&scene);
    mjv_makeScene(f->model, &scene, 3000);
    mjv_defaultOption(&option);
    mjv_defaultCamera(&camera);
    camera.type = mjCAMERA_FIXED, camera.fixedcamid = 0;
    mjv_updateScene(f->model, f->data, &option, NULL, &camera, mjCAT_ALL, &scene);
    int own = scene.ngeom;
    struct rng rng = rng_seed(9);
    static uint8_t rgb[33 * 31 * 3], gray[33 * 31];
    static float depth[33 * 31];
    static int32_t segmentation[33 * 31 * 2];
    struct render_target target = {rgb, gray, depth, segmentation};
    static const float odd[] = {0, -1, 1e-12f, 1e12f, 0.1f, 1, 3};
    for (int round = 0; round < 60; round++) {
        scene.ngeom = round % 10 == 9 ? 3000 : own + (int)rng_below(&rng, 80);
        for (int i = own; i < scene.ngeom; i++) {
            mjvGeom *geom = &scene.geoms[i];
            *geom = scene.geoms[rng_below(&rng, (uint32_t)own)];
            geom->type = (int)rng_below(&rng, mjGEOM_BOX + 2);
            geom->dataid = (int)rng_below(&rng, 5) - 2;
            geom->matid = (int)rng_below(&rng, 5) - 2;
            geom->texid = (int)rng_below(&rng, 6) - 2;
            geom->segid = i;
            for (int k = 0; k < 3; k++) {
                geom->size[k] = odd[rng_below(&rng, 7)];
                geom->pos[k] = odd[rng_below(&rng, 7)] - 1;
                geom->rgba[k] = odd[rng_below(&rng, 7)];
            }
            for (int k = 0; k < 9; k++) geom->mat[k] = odd[rng_below(&rng, 7)];
            geom->rgba[3] = (float)rng_uniform(&rng) * 1.5f;
            geom->shininess = odd[rng_below(&rng, 7)];
            geom->reflectance = (float)rng_uniform(&rng);
        }
        assert_int_equal(renderer_draw(renderer, &scene, &target, &err), RL_OK);
    }
    scene.ngeom = own;
    scene.geoms[1].size[0] = INFINITY;
    assert_int_equal(renderer_draw(renderer, &scene, &target, &err), RL_EMODEL);
    scene.geoms[1].size[0] = 1;
    scene.camera[0].pos[1] = NAN;
    assert_int_equal(renderer_draw(renderer, &scene, &target, &err), RL_EMODEL);
    mjv_freeScene(&scene);
    renderer_destroy(renderer);
}

static void png_round_trip(void **state) {
    (void)state;
    uint8_t pixels[5 * 7 * 3];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37);
    char path[] = "/tmp/test_render_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct rl_error err = {0};
    for (int channels = 1; channels <= 3; channels += 2) {
        struct png_image image;
        assert_int_equal(png_write(path, pixels, 5, 7, channels, &err), RL_OK);
        assert_int_equal(png_read(path, &image, &err), RL_OK);
        assert_int_equal(image.width, 5);
        assert_int_equal(image.height, 7);
        assert_int_equal(image.channels, channels);
        assert_memory_equal(image.pixels, pixels, (size_t)(5 * 7 * channels));
        mem_free(image.pixels);
    }
    assert_int_equal(truncate(path, 40), 0);
    struct png_image torn;
    assert_int_equal(png_read(path, &torn, &err), RL_EFORMAT);
    assert_null(torn.pixels);
    unlink(path);
    assert_int_equal(png_read(path, &torn, &err), RL_ENOTFOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_for_every_instruction_set),
        cmocka_unit_test(drawing_allocates_nothing),
        cmocka_unit_test(refuses_what_it_cannot_draw),
        cmocka_unit_test(hostile_scenes),
        cmocka_unit_test(png_round_trip),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
