// MuJoCo's own OpenGL renderer behind the interface of render.h, for comparison.
#pragma once

#include "render/render.h"

struct gl;

struct gl *gl_create(enum render_backend backend, const mjModel *model, struct render_size size,
                     struct rl_error *err);
void gl_destroy(struct gl *gl);
RL_CHECKED enum rl_status gl_draw(struct gl *gl, const mjvScene *scene,
                                  const struct render_target *target, struct rl_error *err);
