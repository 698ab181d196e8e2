// Meshes, height fields and skins as plain lists of triangles, with the normals that MuJoCo gives
// their corners.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "render/soft_setup.h"

static void face_normal(const float *a, const float *b, const float *c, float *normal) {
    float u[3], v[3];
    for (int k = 0; k < 3; k++) u[k] = b[k] - a[k], v[k] = c[k] - a[k];
    normal[0] = u[1] * v[2] - u[2] * v[1];
    normal[1] = u[2] * v[0] - u[0] * v[2];
    normal[2] = u[0] * v[1] - u[1] * v[0];
    float length = sqrtf(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]);
    for (int k = 0; k < 3; k++) normal[k] = length > 1e-10f ? normal[k] / length : k == 2;
}

static void set_corner(float *corner, const float *position, const float *normal, const float *uv) {
    memcpy(corner, position, 3 * sizeof(float));
    memcpy(corner + 3, normal, 3 * sizeof(float));
    memcpy(corner + 6, uv ? uv : position, 2 * sizeof(float));
}

enum rl_status soft_mesh_reserve(struct soft_mesh *mesh, int count, struct rl_error *err) {
    mem_free(mesh->corner);
    mesh->capacity = mesh->count = 0;
    mesh->corner =
        mem_try_alloc(mem_size((size_t)count * 3 * SOFT_CORNER, sizeof(float)), "mesh", err);
    if (!mesh->corner || soft_tree_reserve(mesh, count, err) != RL_OK) return err->code;
    mesh->capacity = count;
    return RL_OK;
}

static enum rl_status mesh_alloc(struct soft_mesh *mesh, int count, struct rl_error *err) {
    if (count < 1) return RL_OK;
    if (soft_mesh_reserve(mesh, count, err) != RL_OK) return err->code;
    mesh->count = count;
    return RL_OK;
}

// The drawn mesh: smooth corners, except where they turn away from the face (and no texture needs
// them).
static enum rl_status load_mesh(struct soft_mesh *mesh, const mjModel *model, int id,
                                struct rl_error *err) {
    if (mesh_alloc(mesh, model->mesh_facenum[id], err) != RL_OK) return err->code;
    const float *vertex = model->mesh_vert + 3 * (size_t)model->mesh_vertadr[id];
    const float *normals = model->mesh_normal + 3 * (size_t)model->mesh_normaladr[id];
    int texture = model->mesh_texcoordadr[id];
    for (int f = 0; f < mesh->count; f++) {
        size_t face = 3 * ((size_t)model->mesh_faceadr[id] + (size_t)f);
        const float *at[3];
        float flat[3];
        for (int i = 0; i < 3; i++) at[i] = vertex + 3 * (size_t)model->mesh_face[face + (size_t)i];
        face_normal(at[0], at[1], at[2], flat);
        for (int i = 0; i < 3; i++) {
            const float *n = normals + 3 * (size_t)model->mesh_facenormal[face + (size_t)i],
                        *uv = NULL;
            if (texture >= 0) {
                int index = texture + model->mesh_facetexcoord[face + (size_t)i];
                uv = model->mesh_texcoord + 2 * (size_t)index;
            } else if (n[0] * flat[0] + n[1] * flat[1] + n[2] * flat[2] < 0.8f) {
                n = flat;
            }
            set_corner(mesh->corner + (size_t)(3 * f + i) * SOFT_CORNER, at[i], n, uv);
        }
    }
    return RL_OK;
}

static enum rl_status load_hull(struct soft_mesh *mesh, const mjModel *model, int id,
                                struct rl_error *err) {
    if (model->mesh_graphadr[id] < 0) return RL_OK;
    const int *graph = model->mesh_graph + model->mesh_graphadr[id];
    const float *vertex = model->mesh_vert + 3 * (size_t)model->mesh_vertadr[id];
    if (mesh_alloc(mesh, graph[1], err) != RL_OK) return err->code;
    const int *face = graph + 2 + 3 * graph[0] + 3 * graph[1];
    for (int f = 0; f < mesh->count; f++, face += 3) {
        const float *at[3];
        float flat[3];
        for (int i = 0; i < 3; i++) at[i] = vertex + 3 * (size_t)face[i];
        face_normal(at[0], at[1], at[2], flat);
        for (int i = 0; i < 3; i++) {
            set_corner(mesh->corner + (size_t)(3 * f + i) * SOFT_CORNER, at[i], flat, NULL);
        }
    }
    return RL_OK;
}

static float *add_triangle(float *out, const float *a, const float *b, const float *c) {
    float flat[3];
    face_normal(a, b, c, flat);
    set_corner(out, a, flat, NULL);
    set_corner(out + SOFT_CORNER, b, flat, NULL);
    set_corner(out + 2 * SOFT_CORNER, c, flat, NULL);
    return out + 3 * SOFT_CORNER;
}

struct field { // a height field's numbers
    int rows, columns;
    float size[4];
    const float *data;
};

static void field_point(const struct field *f, int r, int c, bool top, float *out) {
    out[0] = f->size[0] * ((float)c / (0.5f * (float)(f->columns - 1)) - 1);
    out[1] = f->size[1] * ((float)r / (0.5f * (float)(f->rows - 1)) - 1);
    out[2] = top ? f->data[(size_t)r * (size_t)f->columns + (size_t)c] * f->size[2] : -f->size[3];
}

// A wall under the edge from point (r0, c0) to (r1, c1).
static float *add_wall(float *out, const struct field *f, int r0, int c0, int r1, int c1) {
    float low0[3], low1[3], high0[3], high1[3];
    field_point(f, r0, c0, false, low0), field_point(f, r1, c1, false, low1);
    field_point(f, r0, c0, true, high0), field_point(f, r1, c1, true, high1);
    out = add_triangle(out, low0, low1, high1);
    return add_triangle(out, low0, high1, high0);
}

// Top in strips as MuJoCo orders them, and the four walls; nobody sees the bottom.
static void fill_hfield(struct soft_mesh *mesh, const mjModel *model, int id) {
    struct field f = {model->hfield_nrow[id],
                      model->hfield_ncol[id],
                      {0},
                      model->hfield_data + model->hfield_adr[id]};
    for (int k = 0; k < 4; k++) f.size[k] = (float)model->hfield_size[4 * id + k];
    float *out = mesh->corner;
    for (int r = 0; r < f.rows - 1; r++) {
        for (int c = 0; c < f.columns - 1; c++) {
            float upper[2][3], lower[2][3];
            for (int i = 0; i < 2; i++) {
                field_point(&f, r + 1, c + i, true, upper[i]);
                field_point(&f, r, c + i, true, lower[i]);
            }
            out = add_triangle(out, upper[0], lower[0], upper[1]);
            out = add_triangle(out, lower[0], lower[1], upper[1]);
        }
    }
    int last_row = f.rows - 1, last_column = f.columns - 1;
    for (int r = 0; r < last_row; r++) {
        out = add_wall(out, &f, r + 1, 0, r, 0);
        out = add_wall(out, &f, r, last_column, r + 1, last_column);
    }
    for (int c = 0; c < last_column; c++) {
        out = add_wall(out, &f, 0, c, 0, c + 1);
        out = add_wall(out, &f, last_row, c + 1, last_row, c);
    }
}

static enum rl_status load_hfield(struct soft_mesh *mesh, const mjModel *model, int id,
                                  struct rl_error *err) {
    int rows = model->hfield_nrow[id] - 1, columns = model->hfield_ncol[id] - 1;
    if (rows < 1 || columns < 1) return RL_OK;
    if (mesh_alloc(mesh, 2 * rows * columns + 4 * (rows + columns), err) != RL_OK) return err->code;
    fill_hfield(mesh, model, id);
    return RL_OK;
}

// A skin's corners from its vertices (count of the model, 3).
static void set_skin(struct soft_mesh *mesh, const mjModel *model, int id, const float *vertices,
                     const float *normals) {
    static const float up[3] = {0, 0, 1};
    int texture = model->skin_texcoordadr[id];
    for (int i = 0; i < 3 * mesh->count; i++) {
        size_t vertex = (size_t)model->skin_face[3 * (size_t)model->skin_faceadr[id] + (size_t)i];
        const float *uv =
            texture >= 0 ? model->skin_texcoord + 2 * ((size_t)texture + vertex) : NULL;
        set_corner(mesh->corner + (size_t)i * SOFT_CORNER, vertices + 3 * vertex,
                   normals ? normals + 3 * vertex : up, uv);
    }
}

enum rl_status soft_mesh_create(struct soft *soft, struct rl_error *err) {
    const mjModel *model = soft->model;
    soft->mesh = MEM_ARRAY(struct soft_mesh, 2 * model->nmesh + 1);
    soft->hfield = MEM_ARRAY(struct soft_mesh, model->nhfield + 1);
    soft->skin = MEM_ARRAY(struct soft_mesh, model->nskin + 1);
    soft->flex = MEM_ARRAY(struct soft_mesh, model->nflex + 1);
    for (int i = 0; i < model->nmesh; i++) {
        if (load_mesh(&soft->mesh[2 * i], model, i, err) != RL_OK) return err->code;
        if (load_hull(&soft->mesh[2 * i + 1], model, i, err) != RL_OK) return err->code;
        for (int k = 0; k < 2; k++) soft_tree_build(&soft->mesh[2 * i + k], true);
    }
    soft->hfield_copy = MEM_ARRAY(float, model->nhfielddata + 1);
    memcpy(soft->hfield_copy, model->hfield_data, (size_t)model->nhfielddata * sizeof(float));
    for (int i = 0; i < model->nhfield; i++) {
        if (load_hfield(&soft->hfield[i], model, i, err) != RL_OK) return err->code;
        soft_tree_build(&soft->hfield[i], true);
    }
    for (int i = 0; i < model->nskin; i++) {
        if (mesh_alloc(&soft->skin[i], model->skin_facenum[i], err) != RL_OK) return err->code;
        set_skin(&soft->skin[i], model, i, model->skin_vert + 3 * model->skin_vertadr[i], NULL);
        soft_tree_build(&soft->skin[i], true);
    }
    return RL_OK;
}

static void release(struct soft_mesh *mesh, int64_t count) {
    for (int64_t i = 0; mesh && i < count; i++) {
        mem_free(mesh[i].corner), mem_free(mesh[i].node), mem_free(mesh[i].tree_order);
    }
    mem_free(mesh);
}

void soft_mesh_destroy(struct soft *soft) {
    release(soft->mesh, 2 * soft->model->nmesh);
    release(soft->hfield, soft->model->nhfield);
    release(soft->skin, soft->model->nskin);
    release(soft->flex, soft->model->nflex);
    mem_free(soft->hfield_copy);
}

// Terrain that a task has changed since (as dm_control uploads it again to the GPU), skins that
// have moved.
void soft_mesh_update(struct soft *soft, const mjvScene *scene) {
    const mjModel *model = soft->model;
    size_t bytes = (size_t)model->nhfielddata * sizeof(float);
    if (bytes && memcmp(soft->hfield_copy, model->hfield_data, bytes)) {
        memcpy(soft->hfield_copy, model->hfield_data, bytes);
        for (int i = 0; i < model->nhfield; i++) {
            if (!soft->hfield[i].count) continue;
            fill_hfield(&soft->hfield[i], model, i);
            soft_tree_update(&soft->hfield[i]);
        }
    }
    for (int i = 0; i < scene->nskin && i < model->nskin; i++) {
        size_t first = 3 * (size_t)scene->skinvertadr[i];
        set_skin(&soft->skin[i], model, i, scene->skinvert + first, scene->skinnormal + first);
        soft_tree_update(&soft->skin[i]);
    }
    soft_flex_update(soft, scene);
}

// The triangles of a geom, or NULL when it is of another kind.
const struct soft_mesh *soft_geom_mesh(const struct soft *soft, const mjvGeom *geom) {
    const mjModel *model = soft->model;
    switch (geom->type) {
    case mjGEOM_MESH:
    case mjGEOM_SDF:
        return geom->dataid >= 0 && geom->dataid < 2 * model->nmesh ? &soft->mesh[geom->dataid]
                                                                    : NULL;
    case mjGEOM_HFIELD:
        return geom->dataid >= 0 && geom->dataid < model->nhfield ? &soft->hfield[geom->dataid]
                                                                  : NULL;
    case mjGEOM_SKIN:
        return geom->objid >= 0 && geom->objid < model->nskin ? &soft->skin[geom->objid] : NULL;
    case mjGEOM_FLEX:
        return geom->objid >= 0 && geom->objid < model->nflex ? &soft->flex[geom->objid] : NULL;
    default: return NULL;
    }
}

void soft_mesh_frame(const mjvGeom *geom, double center[3], double axis[3][3]) {
    bool world = geom->type == mjGEOM_SKIN || geom->type == mjGEOM_FLEX;
    for (int k = 0; k < 3; k++) {
        center[k] = world ? 0 : (double)geom->pos[k];
        for (int i = 0; i < 3; i++) axis[k][i] = world ? i == k : (double)geom->mat[3 * i + k];
    }
}
