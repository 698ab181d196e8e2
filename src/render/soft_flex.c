// Deformable bodies: faces as triangles that the scene gives anew each frame, and, when it shows no
// faces as a skin, vertices as spheres and edges as open cylinders.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "render/soft_setup.h"

static int face_capacity(const struct soft *soft, const mjvScene *scene, int id) {
    return id < scene->nflex && id < soft->model->nflex ? scene->flexfacenum[id] : 0;
}

enum rl_status soft_flex_reserve(struct soft *soft, const mjvScene *scene, struct rl_error *err) {
    for (int i = 0; i < soft->model->nflex; i++) {
        struct soft_mesh *mesh = &soft->flex[i];
        int count = face_capacity(soft, scene, i);
        if (count <= mesh->capacity) continue;
        if (soft_mesh_reserve(mesh, count, err) != RL_OK) return err->code;
    }
    return RL_OK;
}

void soft_flex_update(struct soft *soft, const mjvScene *scene) {
    for (int i = 0; i < soft->model->nflex; i++) {
        struct soft_mesh *mesh = &soft->flex[i];
        int used = face_capacity(soft, scene, i) > 0 ? scene->flexfaceused[i] : 0;
        mesh->count = used < 0 ? 0 : used > mesh->capacity ? mesh->capacity : used;
        if (mesh->count == 0) continue;
        size_t first = 3 * (size_t)scene->flexfaceadr[i];
        bool texture = soft->model->flex_texcoordadr[i] >= 0 && scene->flextexcoord;
        for (size_t k = 0; k < 3 * (size_t)mesh->count; k++) {
            float *corner = mesh->corner + k * SOFT_CORNER;
            memcpy(corner, scene->flexface + 3 * (first + k), 3 * sizeof(float));
            memcpy(corner + 3, scene->flexnormal + 3 * (first + k), 3 * sizeof(float));
            memcpy(corner + 6, texture ? scene->flextexcoord + 2 * (first + k) : corner,
                   2 * sizeof(float));
        }
        soft_tree_build(mesh, false);
    }
}

static bool shows_shapes(const struct soft *soft, const mjvScene *scene, const mjvGeom *geom) {
    int id = geom->objid;
    return geom->type == mjGEOM_FLEX && id >= 0 && id < soft->model->nflex && id < scene->nflex &&
           geom->size[0] > 1e-9f && !(scene->flexskinopt && scene->flexfaceused[id] > 0);
}

int soft_flex_count(const struct soft *soft, const mjvScene *scene, const mjvGeom *geom) {
    if (!shows_shapes(soft, scene, geom)) return 0;
    int id = geom->objid;
    return (scene->flexvertopt ? scene->flexvertnum[id] : 0) +
           (scene->flexedgeopt ? scene->flexedgenum[id] : 0);
}

bool soft_flex_shape(const mjvScene *scene, const mjvGeom *geom, int number,
                     struct soft_caster *shape, double center[3], double axis[3][3]) {
    int id = geom->objid, vertices = scene->flexvertopt ? scene->flexvertnum[id] : 0;
    const float *vertex = scene->flexvert + 3 * (size_t)scene->flexvertadr[id], *a, *b;
    double radius = (double)geom->size[0], way[3], length, turn[4], mat[9];
    const int *edge = scene->flexedge + 2 * (size_t)scene->flexedgeadr[id];
    if (number < vertices) {
        a = b = vertex + 3 * (size_t)number;
    } else {
        edge += 2 * (size_t)(number - vertices);
        a = vertex + 3 * (size_t)edge[0], b = vertex + 3 * (size_t)edge[1];
    }
    for (int k = 0; k < 3; k++) {
        if (!isfinite(a[k]) || !isfinite(b[k])) return false;
        center[k] = 0.5 * ((double)a[k] + (double)b[k]);
        way[k] = (double)b[k] - (double)a[k];
    }
    length = mju_normalize3(way);
    if (number >= vertices && !(length > 1e-9)) return false;
    mju_quatZ2Vec(turn, way);
    mju_quat2Mat(mat, turn);
    for (int k = 0; k < 9; k++) axis[k % 3][k / 3] = mat[k] * radius;
    shape->kind = number < vertices ? SOFT_ELLIPSOID : SOFT_TUBE;
    shape->half = number < vertices ? 0 : (float)(0.5 * length / radius);
    return true;
}
