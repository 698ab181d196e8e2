// Pixels of a MuJoCo scene. The software renderer (the default) needs no GPU, display or OpenGL and
// gives the same bytes on every machine; the OpenGL ones are MuJoCo's own, loaded at run time, for
// comparison.
#pragma once

#include <mujoco/mujoco.h>
#include <stdint.h>

#include "base/err.h"

enum render_backend { RENDER_BACKEND_SOFT, RENDER_BACKEND_EGL, RENDER_BACKEND_GLFW };
extern const char *const render_backend_names[]; // "soft", "egl", "glfw", NULL

struct render_size {
    int width, height; // 16..1920 x 16..1080
};

// Where a picture goes; NULL = not wanted. Rows from the top, no padding.
struct render_target {
    uint8_t *rgb;          // (H, W, 3)
    uint8_t *gray;         // (H, W) luma
    float *depth;          // (H, W) metres along the viewing axis; zfar where nothing is
    int32_t *segmentation; // (H, W, 2) object id and mjtObj type, -1 -1 where nothing is
};

// Gray value of a colour (Rec. 601 luma).
static inline uint8_t render_luma(int r, int g, int b) {
    return (uint8_t)((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
}

struct renderer; // one a thread; all of a model's textures and meshes are prepared at creation

// Keeps model (must outlive). NULL + err.
struct renderer *renderer_create(enum render_backend backend, const mjModel *model,
                                 struct render_size size, struct rl_error *err);
void renderer_destroy(struct renderer *renderer);

// Draws what mjv_updateScene put into scene, seen by scene->camera. No allocation. A scene that
// cannot be drawn (poses not finite) is an RL_EMODEL error.
RL_CHECKED enum rl_status renderer_draw(struct renderer *renderer, const mjvScene *scene,
                                        const struct render_target *target, struct rl_error *err);

// Updates the renderer's own scene for a camera of the model (id >= 0; -1 = free camera looking at
// the model's centre) with dm_control's visual options, then draws it.
RL_CHECKED enum rl_status renderer_draw_camera(struct renderer *renderer, mjData *data,
                                               int camera_id, const struct render_target *target,
                                               struct rl_error *err);
