// The window of `rlrun view`: MuJoCo's own OpenGL drawing of something that acts, in real time,
// with the keys and the mouse of controls.h. One window a process, from the main thread.
#pragma once

#include <mujoco/mujoco.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct window_figures {
    double episode_return;
    int64_t frame, episode; // frame of the episode; episodes begun
    const double *action;   // (action_dim)
    int action_dim;
    double value;        // what the agent expects from here (Q); NaN: no agent
    const uint8_t *seen; // what the policy sees (height, width, 3), or NULL
    int seen_height, seen_width;
    char policy[160]; // "random", "checkpoint of step 20000"
};

// What is shown. Calls come from window_run, with context.
struct window_source {
    void *context;
    const char *name;
    const mjModel *model;
    mjData *data;
    int camera;    // to begin with; -1 free
    double step_s; // seconds of the simulation in a step
    enum rl_status (*step)(void *context, struct rl_error *err);
    enum rl_status (*reset)(void *context, struct rl_error *err);
    enum rl_status (*refresh)(void *context, struct rl_error *err); // about once a second
    void (*figures)(void *context, struct window_figures *figures);
};

struct window_options {
    int width, height;
    double seconds;           // close after so long; 0 = when the user does
    bool paused;              // to begin with
    const char *screenshots;  // folder for them
    const volatile int *stop; // close once it is not 0
};

// Returns when the window is closed. RL_EUNAVAILABLE: built without GLFW, no display, no OpenGL;
// the display was lost, after which the process can open no other window.
RL_CHECKED enum rl_status window_run(const struct window_source *source,
                                     const struct window_options *options, struct rl_error *err);
