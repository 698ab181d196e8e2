// What `rlrun record --overlay` writes on a picture: name, return, frame and Q, the action as bars,
// and what the policy sees.
#pragma once

#include "viewer/canvas.h"

struct overlay {
    const char *name;
    double episode_return;
    int64_t frame; // of the episode
    double value;  // Q; NaN: not written
    const double *action;
    int action_dim;
    const uint8_t *seen; // (seen_height, seen_width, 3), or NULL
    int seen_width, seen_height;
};

void overlay_draw(struct canvas *canvas, const struct overlay *overlay);
