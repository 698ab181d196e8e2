// What the viewer looks at and how: MuJoCo's abstract scene with its camera, options and the body
// that the mouse pulls. No window and no OpenGL in here.
#pragma once

#include <mujoco/mujoco.h>

#include "base/err.h"
#include "viewer/controls.h"

struct stage {
    const mjModel *model; // borrowed
    mjData *data;         // borrowed
    mjvScene scene;
    mjvOption option;
    mjvCamera free_camera;
    mjvPerturb perturb;
    bool pulled; // the last step was taken with a force of the mouse
};

void stage_init(struct stage *stage, const mjModel *model, mjData *data);
void stage_release(struct stage *stage);

// Hands an event to controls and carries out what the mouse does to camera or body. aspect = width
// / height of the window.
void stage_handle(struct stage *stage, struct controls *controls,
                  const struct control_event *event);
// What a double click asked for: selects the body under the mouse, or none; turns the free camera
// to the point, or makes it follow the body.
void stage_pick(struct stage *stage, struct controls *controls, double aspect);
// Before each step: the mouse's force on the selected body, or none.
void stage_apply_force(struct stage *stage, const struct controls *controls);
// While paused: the mouse moves a free selected body itself.
void stage_apply_pose(struct stage *stage, const struct controls *controls);
// The scene as it is now, seen as controls say.
void stage_update(struct stage *stage, const struct controls *controls);
