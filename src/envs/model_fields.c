#include "envs/model_fields.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset, count_offset; // in mjModel
    int width;
    bool single;
} fields[] = {
#define FIELD(field, count, width, single)                                                         \
    { #field, offsetof(mjModel, field), offsetof(mjModel, count), width, single }
    FIELD(body_pos, nbody, 3, false),   FIELD(body_quat, nbody, 4, false),
    FIELD(geom_pos, ngeom, 3, false),   FIELD(geom_size, ngeom, 3, false),
    FIELD(geom_rgba, ngeom, 4, true),   FIELD(site_pos, nsite, 3, false),
    FIELD(site_size, nsite, 3, false),  FIELD(site_rgba, nsite, 4, true),
    FIELD(light_pos, nlight, 3, false), FIELD(dof_damping, nv, 1, false),
    FIELD(wrap_prm, nwrap, 1, false),   FIELD(hfield_data, nhfielddata, 1, true),
#undef FIELD
};

void model_fields(mjModel *model, struct model_field out[MODEL_FIELDS]) {
    _Static_assert(sizeof fields / sizeof *fields == MODEL_FIELDS, "the table and its size");
    const char *base = (const char *)model;
    for (int i = 0; i < MODEL_FIELDS; i++) {
        mjtSize count;
        void *data;
        memcpy(&count, base + fields[i].count_offset, sizeof count);
        memcpy(&data, base + fields[i].offset, sizeof data);
        out[i] =
            (struct model_field){fields[i].name, data, count * fields[i].width, fields[i].single};
    }
}
