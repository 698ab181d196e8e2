// The model arrays that tasks change at a reset (targets, sizes, colours, terrain), by their names
// in mjModel. They belong to an environment's state.
#pragma once

#include <mujoco/mujoco.h>
#include <stdbool.h>
#include <stdint.h>

#define MODEL_FIELDS 12

struct model_field {
    const char *name; // "geom_pos"
    void *data;       // double, or float when single; into the model
    int64_t count;    // numbers
    bool single;
};

void model_fields(mjModel *model, struct model_field out[MODEL_FIELDS]);
