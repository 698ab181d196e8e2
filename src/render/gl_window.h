// An OpenGL context without a window in sight, through libEGL or libglfw loaded at run time.
#pragma once

#include "base/err.h"
#include "render/render.h"

struct gl_window;

// NULL + RL_EUNAVAILABLE when the library, a display or a context cannot be had.
struct gl_window *gl_window_create(enum render_backend backend, struct rl_error *err);
void gl_window_destroy(struct gl_window *window);
// Makes it the calling thread's context; one thread at a time.
RL_CHECKED enum rl_status gl_window_use(struct gl_window *window, struct rl_error *err);
