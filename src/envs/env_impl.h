// The inside of struct env, shared by env.c (episodes) and env_state.c (saving). Nobody else
// includes it.
#pragma once

#include "envs/domain.h"
#include "envs/env.h"
#include "render/render.h"

struct env {
    struct env_spec spec;
    const struct domain *domain;
    struct physics physics;
    struct renderer *renderer;    // NULL without pixels
    uint8_t *frame;               // (H, W, 3), owned
    double *obs;                  // (obs_dim), owned
    double *ctrl_mid, *ctrl_half; // (action_dim): ctrl = mid + half * action
    double *scratch;              // MuJoCo's integration state, for saving and loading
    int camera;
    int frames;   // of this episode
    bool running; // between a reset and a last step
    int64_t unstable;
};
