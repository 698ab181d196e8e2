// The model fields that a reset sets, from the tensors "model.*" of a golden case. Included after
// cmocka.h.
#pragma once

#include <string.h>

#include "envs/model_fields.h"
#include "support/golden.h"

static struct model_field find_field(const struct golden_case *golden, mjModel *model,
                                     const char *name) {
    struct model_field fields[MODEL_FIELDS];
    model_fields(model, fields);
    for (int i = 0; i < MODEL_FIELDS; i++) {
        if (!strcmp(fields[i].name, name)) return fields[i];
    }
    fail_msg("%s: unknown model field '%s'", golden->path, name);
    return fields[0];
}

// Sets "model.*" (row = -1: the whole tensor, else that row of it).
static void set_model_fields(const struct golden_case *golden, mjModel *model, int row) {
    for (int i = 0; i < golden->data.n_tensors; i++) {
        const struct st_tensor *tensor = &golden->data.tensors[i];
        if (strncmp(tensor->name, "model.", 6)) continue;
        struct model_field field = find_field(golden, model, tensor->name + 6);
        assert_int_equal(tensor->count, row < 0 ? field.count : field.count * tensor->dim[0]);
        for (int64_t k = 0; k < field.count; k++) {
            double value = st_get(tensor, (row < 0 ? 0 : row * field.count) + k);
            if (field.single) {
                ((float *)field.data)[k] = (float)value;
            } else {
                ((double *)field.data)[k] = value;
            }
        }
    }
}
