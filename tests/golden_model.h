// The model fields that a reset sets, from the tensors "model.*" of a golden case. Included after
// cmocka.h.
#pragma once

#include <mujoco/mujoco.h>
#include <stddef.h>
#include <string.h>

#include "support/golden.h"

struct model_field {
    const char *name;
    size_t offset, count_offset;
    int width;
    bool single;
};
#define MODEL_FIELD(field, count, width, single)                                                   \
    { #field, offsetof(mjModel, field), offsetof(mjModel, count), width, single }
static const struct model_field model_fields[] = {
    MODEL_FIELD(body_pos, nbody, 3, false),   MODEL_FIELD(body_quat, nbody, 4, false),
    MODEL_FIELD(geom_pos, ngeom, 3, false),   MODEL_FIELD(geom_size, ngeom, 3, false),
    MODEL_FIELD(geom_rgba, ngeom, 4, true),   MODEL_FIELD(site_pos, nsite, 3, false),
    MODEL_FIELD(site_size, nsite, 3, false),  MODEL_FIELD(site_rgba, nsite, 4, true),
    MODEL_FIELD(light_pos, nlight, 3, false), MODEL_FIELD(dof_damping, nv, 1, false),
    MODEL_FIELD(wrap_prm, nwrap, 1, false),   MODEL_FIELD(hfield_data, nhfielddata, 1, true),
};

static const struct model_field *find_field(const struct golden_case *golden, const char *name) {
    for (size_t i = 0; i < sizeof model_fields / sizeof *model_fields; i++) {
        if (!strcmp(model_fields[i].name, name)) return &model_fields[i];
    }
    fail_msg("%s: unknown model field '%s'", golden->path, name);
    return NULL;
}

static int64_t field_count(const mjModel *model, const struct model_field *field) {
    const char *at = (const char *)model + field->count_offset;
    return *(const mjtSize *)(const void *)at * field->width;
}

static void *field_data(const mjModel *model, const struct model_field *field) {
    return *(void **)(void *)((char *)(uintptr_t)model + field->offset);
}

static void set_field(mjModel *model, const struct model_field *field,
                      const struct st_tensor *tensor, int64_t from) {
    void *data = field_data(model, field);
    for (int64_t i = 0; i < field_count(model, field); i++) {
        double value = st_get(tensor, from + i);
        if (field->single)
            ((float *)data)[i] = (float)value;
        else
            ((double *)data)[i] = value;
    }
}

// Sets "model.*" (row = -1: the whole tensor, else that row of it).
static void set_model_fields(const struct golden_case *golden, mjModel *model, int row) {
    for (int i = 0; i < golden->data.n_tensors; i++) {
        const struct st_tensor *tensor = &golden->data.tensors[i];
        if (strncmp(tensor->name, "model.", 6)) continue;
        const struct model_field *field = find_field(golden, tensor->name + 6);
        int64_t count = field_count(model, field);
        assert_int_equal(tensor->count, row < 0 ? count : count * tensor->dim[0]);
        set_field(model, field, tensor, row < 0 ? 0 : row * count);
    }
}
