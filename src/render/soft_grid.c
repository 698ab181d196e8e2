#include <math.h>

#include "base/mem.h"
#include "render/soft_setup.h"

enum { MAX_GRID = mjMAXPLANEGRID + 1 };

static void set_cells(struct soft_grid *grid, int k, double half, double pad, double pitch) {
    grid->size[k] = (float)half;
    grid->inner[k] = (float)(half - pad);
    grid->inverse_pitch[k] = (float)(1 / pitch);
    grid->inverse_pad[k] = pad > 0 ? (float)(1 / pad) : 0;
}

// Vertex positions along one dimension, as MuJoCo's classic renderer divides a plane: an even
// number of cells of pitch 2 spacing between two end cells that take up the rest. Returns the
// number of vertices.
static int grid_positions(const mjModel *model, int geom, int k, double *at,
                          struct soft_grid *grid) {
    double half = model->geom_size[3 * geom + k], spacing = model->geom_size[3 * geom + 2];
    if (half > 0) {
        spacing = fmax(spacing, half / (mjMAXPLANEGRID - 2));
        int inner = (int)floor(half / fmax(mjMINVAL, spacing));
        inner -= inner % 2;
        double pad = half - inner * spacing;
        for (int i = 0; i <= inner; i++) at[i + 1] = -half + pad + i * spacing * 2;
        at[0] = -half;
        at[inner + 2] = half;
        set_cells(grid, k, half, pad, 2 * spacing);
        return inner + 3;
    }
    double zfar = model->vis.map.zfar * model->stat.extent;
    int material = model->geom_matid[geom];
    double step = 2.1 * zfar / (mjMAXPLANEGRID - 2);
    if (material >= 0 && model->mat_texrepeat[2 * material + k] > 0) {
        step = 2 / model->mat_texrepeat[2 * material + k];
    }
    double d = (2.1 * zfar + 2 * step) / mjMAXPLANEGRID;
    for (int i = 0; i <= mjMAXPLANEGRID; i++) at[i] = d * i - d * (mjMAXPLANEGRID / 2);
    set_cells(grid, k, d * (mjMAXPLANEGRID / 2), d, d);
    return mjMAXPLANEGRID + 1;
}

static enum rl_status grid_finish(struct soft_grid *grid, double at[2][MAX_GRID], int passes,
                                  struct rl_error *err) {
    grid->row_blocks = (grid->count[0] + SOFT_LANES - 1) / SOFT_LANES;
    size_t runs = (size_t)grid->row_blocks * (size_t)grid->count[1];
    grid->stamp = mem_try_alloc(runs * sizeof(uint32_t), "plane grid", err);
    if (!grid->stamp) return err->code;
    grid->color =
        mem_try_alloc(runs * SOFT_LANES * (size_t)passes * 4 * sizeof(float), "plane grid", err);
    if (!grid->color) return err->code;
    for (int k = 0; k < 2; k++) {
        int padded = (grid->count[k] + SOFT_LANES) / SOFT_LANES * SOFT_LANES;
        grid->position[k] = MEM_ARRAY(float, padded);
        for (int i = 0; i < padded; i++) {
            grid->position[k][i] = (float)at[k][i < grid->count[k] ? i : grid->count[k] - 1];
        }
    }
    return RL_OK;
}

enum rl_status soft_grid_create(struct soft *soft, struct rl_error *err) {
    const mjModel *model = soft->model;
    double at[2][MAX_GRID];
    soft->grid_count = 1;
    for (int i = 0; i < model->ngeom; i++) soft->grid_count += model->geom_type[i] == mjGEOM_PLANE;
    soft->grid = MEM_ARRAY(struct soft_grid, soft->grid_count);
    struct soft_grid *grid = soft->grid;
    for (int i = 0; i < model->ngeom; i++) {
        if (model->geom_type[i] != mjGEOM_PLANE) continue;
        for (int k = 0; k < 2; k++) grid->count[k] = grid_positions(model, i, k, at[k], grid);
        if (grid_finish(grid, at, soft->pass_capacity, err) != RL_OK) return err->code;
        grid++;
    }
    int quads = model->vis.quality.numquads;
    if (quads < 1) quads = 1;
    if (quads > mjMAXPLANEGRID) quads = mjMAXPLANEGRID;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i <= quads; i++) at[k][i] = 2.0 * i / quads - 1;
        grid->count[k] = quads + 1;
        set_cells(grid, k, 1, 2.0 / quads, 2.0 / quads);
    }
    return grid_finish(grid, at, soft->pass_capacity, err);
}
