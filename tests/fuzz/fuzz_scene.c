// Scenes that no model has: what mjv_updateScene made is changed by the input's bytes (odd numbers
// in poses, sizes, colours, lights and cameras; wrong ids; thousands of geoms), then drawn. Either
// it is an error with a message, or every picture is whole, depths are within the frustum, and the
// portable kernel gives the same bytes as the machine's best.
#include <math.h>
#include <string.h>

#include <mujoco/mujoco.h>

#include "fuzz/fuzz.h"
#include "math/simd.h"
#include "render/render.h"

enum { WIDTH = 21, HEIGHT = 18, PIXELS = WIDTH * HEIGHT, GEOMS = 2500 };

static const char xml[] =
    "<mujoco><asset><texture name='sky' type='skybox' builtin='gradient' width='16' height='16'/>"
    "<texture name='grid' type='2d' builtin='checker' width='30' height='30'/><texture name='cube' "
    "type='cube' builtin='flat' width='8' height='8'/><material name='grid' texture='grid' "
    "reflectance='.3'/><material name='cube' texture='cube'/><mesh name='ball' builtin='sphere' "
    "params='1'/><hfield name='hills' nrow='4' ncol='5' size='1 1 .5 .1'/></asset><worldbody>"
    "<light pos='0 0 3'/><light pos='1 0 3' directional='true'/><camera pos='0 -3 1' xyaxes='1 0 0 "
    "0 .3 1'/><geom type='plane' size='0 0 .2' material='grid'/><geom type='plane' size='2 2 .2' "
    "pos='0 0 -.1' material='cube'/><geom type='sphere' size='.3' pos='0 0 .5' material='cube'/>"
    "<geom type='box' size='.3 .2 .2' pos='.5 0 .5' material='grid'/><geom type='capsule' "
    "size='.1 .3' pos='-.5 0 .5'/><geom type='mesh' mesh='ball' pos='0 .5 .5'/><geom type='hfield' "
    "hfield='hills' pos='0 1 .1'/><flexcomp name='rope' type='grid' dim='1' count='4 1 1' "
    "spacing='.1 .1 .1' pos='0 -.6 .6' radius='.03'><edge equality='true'/></flexcomp></worldbody>"
    "</mujoco>";

struct input { // bytes; zeros when they run out
    const uint8_t *data;
    size_t size;
};

static unsigned byte(struct input *in) {
    if (in->size == 0) return 0;
    in->size--;
    return *in->data++;
}

static float odd_number(struct input *in, float usual) {
    static const float table[] = {0,     -0.0f, 1,      -1,    0.1f,  1e-12f,   1e-30f, 1e6f,
                                  1e20f, 3e38f, -1e12f, 0.99f, -0.3f, INFINITY, -1e38f, NAN};
    unsigned b = byte(in);
    return b < 128 ? usual : b < 192 ? table[b & 15] : usual + ((float)(b & 63) - 32) / 16;
}

static void odd_numbers(struct input *in, float *x, int count) {
    for (int i = 0; i < count; i++) x[i] = odd_number(in, x[i]);
}

static void change_geom(struct input *in, mjvGeom *geom) {
    static const int types[] = {mjGEOM_PLANE,     mjGEOM_HFIELD,   mjGEOM_SPHERE, mjGEOM_CAPSULE,
                                mjGEOM_ELLIPSOID, mjGEOM_CYLINDER, mjGEOM_BOX,    mjGEOM_MESH,
                                mjGEOM_SDF,       mjGEOM_SKIN,     mjGEOM_FLEX,   mjGEOM_ARROW,
                                mjGEOM_LINE,      mjGEOM_LABEL,    mjGEOM_NONE,   -7};
    unsigned what = byte(in);
    if (what & 1) geom->type = types[byte(in) & 15];
    if (what & 2) geom->dataid = (int)byte(in) - 4;
    if (what & 4) geom->matid = (int)byte(in) - 4;
    if (what & 4) geom->texid = (int)byte(in) - 4;
    if (what & 8) odd_numbers(in, geom->size, 3);
    if (what & 16) odd_numbers(in, geom->pos, 3);
    if (what & 32) odd_numbers(in, geom->mat, 9);
    if (what & 64) odd_numbers(in, geom->rgba, 4);
    if (what & 128) {
        odd_numbers(in, geom->texrepeat, 2);
        geom->emission = odd_number(in, geom->emission);
        geom->specular = odd_number(in, geom->specular);
        geom->shininess = odd_number(in, geom->shininess);
        geom->reflectance = odd_number(in, geom->reflectance);
        geom->modelrbound = odd_number(in, geom->modelrbound);
        geom->segid = (int)byte(in) - 2;
        geom->objid = (int)byte(in) - 2;
        geom->texuniform = byte(in) & 1;
        geom->category = (int)byte(in) & 7;
        geom->texcoord = byte(in) & 1;
    }
}

static void change_camera(struct input *in, mjvGLCamera *camera) {
    odd_numbers(in, camera->pos, 3);
    odd_numbers(in, camera->forward, 3);
    odd_numbers(in, camera->up, 3);
    camera->orthographic = byte(in) & 1;
    camera->frustum_center = odd_number(in, camera->frustum_center);
    camera->frustum_width = odd_number(in, camera->frustum_width);
    camera->frustum_bottom = odd_number(in, camera->frustum_bottom);
    camera->frustum_top = odd_number(in, camera->frustum_top);
    camera->frustum_near = odd_number(in, camera->frustum_near);
    camera->frustum_far = odd_number(in, camera->frustum_far);
}

static void change_light(struct input *in, mjvLight *light) {
    odd_numbers(in, light->pos, 3);
    odd_numbers(in, light->dir, 3);
    odd_numbers(in, light->attenuation, 3);
    light->cutoff = odd_number(in, light->cutoff);
    light->exponent = odd_number(in, light->exponent);
    odd_numbers(in, light->ambient, 3);
    odd_numbers(in, light->diffuse, 3);
    odd_numbers(in, light->specular, 3);
    light->castshadow = byte(in) & 1;
    light->type = (int)byte(in) & 3;
}

static void change_scene(struct input *in, mjvScene *scene) {
    unsigned what = byte(in), flags = byte(in);
    mjvGLCamera *camera = scene->camera;
    scene->flags[mjRND_FOG] = flags & 1;
    scene->flags[mjRND_HAZE] = (flags & 2) != 0;
    scene->flags[mjRND_SHADOW] = (flags & 4) != 0;
    scene->flags[mjRND_REFLECTION] = (flags & 8) != 0;
    scene->flags[mjRND_SKYBOX] = (flags & 16) != 0;
    if (what & 1) {
        change_camera(in, &camera[0]);
        camera[1] = camera[0];
        if (what & 2) change_camera(in, &camera[1]);
    }
    for (int i = 0; what & 4 && i < 3; i++) change_light(in, &scene->lights[i]);
    if (what & 4) scene->nlight = (int)byte(in) % (mjMAXLIGHT + 1);
    if (what & 8) odd_numbers(in, scene->flexvert, 9);
    int own = scene->ngeom;
    while (in->size > 0 && scene->ngeom < GEOMS) {
        unsigned which = byte(in), copies = what & 16 ? byte(in) : 1;
        mjvGeom *geom = &scene->geoms[which % (unsigned)own];
        if (which & 128) { // copies of it, each a little further
            for (; copies > 0 && scene->ngeom < GEOMS; copies--) {
                scene->geoms[scene->ngeom] = *geom;
                scene->geoms[scene->ngeom].pos[0] += 0.01f * (float)copies;
                scene->ngeom++;
            }
            geom = &scene->geoms[scene->ngeom - 1];
        }
        change_geom(in, geom);
    }
}

struct stage {
    mjModel *model;
    mjData *data;
    mjvScene scene;
    mjvOption option;
    struct renderer *renderer[2];
};

static void open_stage(struct stage *stage) {
    struct rl_error err = {0};
    char error[256] = "";
    mjSpec *spec = mj_parseXMLString(xml, NULL, error, sizeof error);
    FUZZ_REQUIRE(spec);
    stage->model = mj_compile(spec, NULL);
    FUZZ_REQUIRE(stage->model);
    mj_deleteSpec(spec);
    stage->data = mj_makeData(stage->model);
    mj_forward(stage->model, stage->data);
    mjv_defaultOption(&stage->option);
    mjv_defaultScene(&stage->scene);
    mjv_makeScene(stage->model, &stage->scene, GEOMS);
    for (int i = 0; i < 2; i++) {
        stage->renderer[i] = renderer_create(RENDER_BACKEND_SOFT, stage->model,
                                             (struct render_size){WIDTH, HEIGHT}, &err);
        FUZZ_REQUIRE(stage->renderer[i]);
    }
}

static struct {
    uint8_t rgb[2][PIXELS * 3], gray[2][PIXELS];
    float depth[2][PIXELS];
    int32_t segmentation[2][PIXELS * 2];
} picture;

// The frustum's depths have one ulp of slack for each step of the way back from w.
static void check_depths(const mjvScene *scene) {
    float zfar = 0.5f * (scene->camera[0].frustum_far + scene->camera[1].frustum_far);
    for (int i = 0; i < PIXELS; i++) {
        FUZZ_REQUIRE(picture.depth[0][i] >= 0 && picture.depth[0][i] <= zfar * 1.0001f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct stage stage;
    if (!stage.model) open_stage(&stage);
    struct input in = {data, size};
    mjvCamera camera;
    mjv_defaultCamera(&camera);
    camera.type = mjCAMERA_FIXED;
    camera.fixedcamid = 0;
    mjv_updateScene(stage.model, stage.data, &stage.option, NULL, &camera, mjCAT_ALL, &stage.scene);
    change_scene(&in, &stage.scene);
    enum rl_status status[2];
    for (int i = 0; i < 2; i++) {
        struct rl_error err = {0};
        struct render_target target = {picture.rgb[i], picture.gray[i], picture.depth[i],
                                       picture.segmentation[i]};
        memset(picture.rgb[i], 1 + i, sizeof picture.rgb[i]); // what is left shows as a difference
        memset(picture.gray[i], 1 + i, sizeof picture.gray[i]);
        simd_limit(i ? SIMD_LEVEL_PORTABLE : SIMD_LEVEL_AVX512);
        status[i] = renderer_draw(stage.renderer[i], &stage.scene, &target, &err);
        FUZZ_REQUIRE(status[i] == RL_OK || err.message[0]);
    }
    FUZZ_REQUIRE(status[0] == status[1]);
    if (status[0] != RL_OK) return 0;
    FUZZ_REQUIRE(!memcmp(picture.rgb[0], picture.rgb[1], sizeof picture.rgb[0]));
    FUZZ_REQUIRE(!memcmp(picture.gray[0], picture.gray[1], sizeof picture.gray[0]));
    FUZZ_REQUIRE(!memcmp(picture.depth[0], picture.depth[1], sizeof picture.depth[0]));
    FUZZ_REQUIRE(
        !memcmp(picture.segmentation[0], picture.segmentation[1], sizeof picture.segmentation[0]));
    check_depths(&stage.scene);
    return 0;
}
