#include "render/render.h"

#include <string.h>

#include "base/mem.h"
#include "render/gl.h"
#include "render/soft.h"

const char *const render_backend_names[] = {"soft", "egl", "glfw", NULL};

struct renderer {
    const mjModel *model;
    enum render_backend backend;
    struct render_size size;
    struct soft *soft; // one of the two
    struct gl *gl;
    mjvScene scene; // of renderer_draw_camera
    mjvOption option;
    mjvPerturb perturb;
    mjvCamera camera;
};

static enum rl_status create_backend(struct renderer *renderer, struct rl_error *err) {
    if (renderer->backend == RENDER_BACKEND_SOFT) {
        renderer->soft = soft_create(renderer->model, renderer->size, err);
        return renderer->soft ? RL_OK : err->code;
    }
    renderer->gl = gl_create(renderer->backend, renderer->model, renderer->size, err);
    return renderer->gl ? RL_OK : err->code;
}

// Room for every object of the model and its decorations, as dm_control reckons it.
static int scene_geoms(const mjModel *model) {
    return 1000 + 4 * (model->ngeom + model->nsite + model->nskin + model->nflex) +
           64 * model->ntendon;
}

struct renderer *renderer_create(enum render_backend backend, const mjModel *model,
                                 struct render_size size, struct rl_error *err) {
    struct rl_error ignored;
    if (!err) err = &ignored;
    if (size.width < 16 || size.width > 1920 || size.height < 16 || size.height > 1080) {
        rl_fail(err, RL_EUSAGE, "a picture of %dx%d is asked for; 16x16 to 1920x1080 is allowed",
                size.width, size.height);
        return NULL;
    }
    struct renderer *renderer = MEM_NEW(struct renderer);
    renderer->model = model;
    renderer->backend = backend;
    renderer->size = size;
    mjv_defaultScene(&renderer->scene);
    mjv_defaultOption(&renderer->option);
    mjv_defaultPerturb(&renderer->perturb);
    mjv_defaultCamera(&renderer->camera);
    renderer->option.flags[mjVIS_RANGEFINDER] = 0; // dm_control's only change to the defaults
    mjv_makeScene(model, &renderer->scene, scene_geoms(model));
    if (create_backend(renderer, err) == RL_OK) return renderer;
    renderer_destroy(renderer);
    return NULL;
}

void renderer_destroy(struct renderer *renderer) {
    if (!renderer) return;
    soft_destroy(renderer->soft);
    gl_destroy(renderer->gl);
    mjv_freeScene(&renderer->scene);
    mem_free(renderer);
}

enum rl_status renderer_draw(struct renderer *renderer, const mjvScene *scene,
                             const struct render_target *target, struct rl_error *err) {
    if (renderer->gl) return gl_draw(renderer->gl, scene, target, err);
    return soft_draw(renderer->soft, scene, target, err);
}

enum rl_status renderer_draw_camera(struct renderer *renderer, mjData *data, int camera_id,
                                    const struct render_target *target, struct rl_error *err) {
    if (camera_id < -1 || camera_id >= renderer->model->ncam) {
        return rl_fail(err, RL_EUSAGE,
                       "camera %d is asked for; the model has %d (-1 is the free camera)",
                       camera_id, (int)renderer->model->ncam);
    }
    if (camera_id >= 0) {
        renderer->camera.type = mjCAMERA_FIXED;
        renderer->camera.fixedcamid = camera_id;
    } else {
        mjv_defaultFreeCamera(renderer->model, &renderer->camera);
    }
    mjv_updateScene(renderer->model, data, &renderer->option, &renderer->perturb, &renderer->camera,
                    mjCAT_ALL, &renderer->scene);
    return renderer_draw(renderer, &renderer->scene, target, err);
}
