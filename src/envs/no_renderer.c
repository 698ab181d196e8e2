// Stands in until src/render is linked: environments give states only.
#include "render/render.h"

__attribute__((weak)) const char *const render_backend_names[] = {"soft", "egl", "glfw", NULL};

__attribute__((weak)) struct renderer *renderer_create(enum render_backend backend,
                                                       const mjModel *model,
                                                       struct render_size size,
                                                       struct rl_error *err) {
    (void)backend, (void)model, (void)size;
    rl_fail(err, RL_EUNAVAILABLE, "built without a renderer; use --env.pixels=false");
    return NULL;
}

__attribute__((weak)) void renderer_destroy(struct renderer *renderer) {
    (void)renderer;
}

__attribute__((weak)) enum rl_status renderer_draw_camera(struct renderer *renderer, mjData *data,
                                                          int camera_id,
                                                          const struct render_target *target,
                                                          struct rl_error *err) {
    (void)renderer, (void)data, (void)camera_id, (void)target;
    return rl_fail(err, RL_EUNAVAILABLE, "built without a renderer");
}
