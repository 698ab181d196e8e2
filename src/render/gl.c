#include "render/gl.h"

#include <string.h>

#include "base/mem.h"
#include "render/gl_window.h"

struct gl {
    struct gl_window *window;
    struct render_size size;
    mjrContext context;
    mjvGeom *geoms; // mjr_render writes to its scene: a copy
    int *order;
    int capacity;
    uint8_t *rgb; // rows from the bottom, as OpenGL gives them
    float *depth;
};

struct gl *gl_create(enum render_backend backend, const mjModel *model, struct render_size size,
                     struct rl_error *err) {
    struct gl_window *window = gl_window_create(backend, err);
    if (!window) return NULL;
    struct gl *gl = MEM_NEW(struct gl);
    size_t pixels = (size_t)size.width * (size_t)size.height;
    gl->window = window;
    gl->size = size;
    gl->rgb = MEM_ARRAY(uint8_t, pixels * 3);
    gl->depth = MEM_ARRAY(float, pixels);
    mjr_defaultContext(&gl->context);
    mjr_makeContext(model, &gl->context, mjFONTSCALE_150);
    if (gl->context.offWidth < size.width || gl->context.offHeight < size.height) {
        mjr_resizeOffscreen(size.width, size.height, &gl->context);
    }
    mjr_setBuffer(mjFB_OFFSCREEN, &gl->context);
    if (gl->context.currentBuffer == mjFB_OFFSCREEN) return gl;
    rl_fail(err, RL_EUNAVAILABLE, "renderer %s: no offscreen buffer",
            render_backend_names[backend]);
    gl_destroy(gl);
    return NULL;
}

void gl_destroy(struct gl *gl) {
    if (!gl) return;
    struct rl_error ignored;
    if (gl_window_use(gl->window, &ignored) == RL_OK) mjr_freeContext(&gl->context);
    gl_window_destroy(gl->window);
    mem_free(gl->geoms);
    mem_free(gl->order);
    mem_free(gl->rgb);
    mem_free(gl->depth);
    mem_free(gl);
}

static mjvScene copy_scene(struct gl *gl, const mjvScene *scene) {
    if (scene->ngeom > gl->capacity) {
        mem_free(gl->geoms);
        mem_free(gl->order);
        gl->capacity = scene->ngeom + scene->ngeom / 2;
        gl->geoms = MEM_ARRAY(mjvGeom, gl->capacity);
        gl->order = MEM_ARRAY(int, gl->capacity);
    }
    mjvScene copy = *scene;
    copy.geoms = gl->geoms;
    copy.geomorder = gl->order;
    if (scene->ngeom) memcpy(copy.geoms, scene->geoms, (size_t)scene->ngeom * sizeof *copy.geoms);
    return copy;
}

// Index into a top-down picture of pixel i of a bottom-up one.
static size_t flipped(const struct gl *gl, size_t i) {
    size_t width = (size_t)gl->size.width, height = (size_t)gl->size.height;
    return (height - 1 - i / width) * width + i % width;
}

static void draw_colors(struct gl *gl, mjvScene *scene, mjrRect rect,
                        const struct render_target *target) {
    mjr_render(rect, scene, &gl->context);
    mjr_readPixels(gl->rgb, NULL, rect, &gl->context);
    size_t pixels = (size_t)gl->size.width * (size_t)gl->size.height;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *from = gl->rgb + 3 * i;
        size_t at = flipped(gl, i);
        if (target->rgb) memcpy(target->rgb + 3 * at, from, 3);
        if (target->gray) target->gray[at] = render_luma(from[0], from[1], from[2]);
    }
}

// Without the sky, which would write the depth of its cylinder.
static void draw_depth(struct gl *gl, mjvScene *scene, mjrRect rect, float *depth) {
    scene->flags[mjRND_SKYBOX] = 0;
    mjr_render(rect, scene, &gl->context);
    mjr_readPixels(NULL, gl->depth, rect, &gl->context);
    float near = 0.5f * (scene->camera[0].frustum_near + scene->camera[1].frustum_near);
    float far = 0.5f * (scene->camera[0].frustum_far + scene->camera[1].frustum_far);
    bool flat = scene->camera[0].orthographic;
    size_t pixels = (size_t)gl->size.width * (size_t)gl->size.height;
    for (size_t i = 0; i < pixels; i++) {
        float z = gl->depth[i];
        depth[flipped(gl, i)] = flat ? near + z * (far - near) : near / (1 - z * (1 - near / far));
    }
}

static void draw_objects(struct gl *gl, mjvScene *scene, mjrRect rect, int32_t *segmentation) {
    scene->flags[mjRND_SEGMENT] = scene->flags[mjRND_IDCOLOR] = 1;
    mjr_render(rect, scene, &gl->context);
    mjr_readPixels(gl->rgb, NULL, rect, &gl->context);
    size_t pixels = (size_t)gl->size.width * (size_t)gl->size.height;
    for (int i = 0; i < scene->ngeom; i++) { // order[segment] = geom
        int segment = scene->geoms[i].segid;
        if (segment >= 0 && segment < scene->ngeom) scene->geomorder[segment] = i;
    }
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *c = gl->rgb + 3 * i;
        int segment = (c[0] | c[1] << 8 | c[2] << 16) - 1;
        int32_t *out = segmentation + 2 * flipped(gl, i);
        bool known = segment >= 0 && segment < scene->ngeom;
        const mjvGeom *geom = known ? &scene->geoms[scene->geomorder[segment]] : NULL;
        out[0] = geom ? geom->objid : -1;
        out[1] = geom ? geom->objtype : -1;
    }
}

enum rl_status gl_draw(struct gl *gl, const mjvScene *scene, const struct render_target *target,
                       struct rl_error *err) {
    if (gl_window_use(gl->window, err) != RL_OK) return RL_EUNAVAILABLE;
    mjrRect rect = {0, 0, gl->size.width, gl->size.height};
    if (target->rgb || target->gray) {
        mjvScene copy = copy_scene(gl, scene);
        draw_colors(gl, &copy, rect, target);
    }
    if (target->depth) {
        mjvScene copy = copy_scene(gl, scene);
        draw_depth(gl, &copy, rect, target->depth);
    }
    if (target->segmentation) {
        mjvScene copy = copy_scene(gl, scene);
        draw_objects(gl, &copy, rect, target->segmentation);
    }
    return RL_OK;
}
