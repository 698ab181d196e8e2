// Geoms to parts: a box is up to three faces, a cylinder an open tube and a disc, a plane one
// rectangle.
#include <math.h>

#include "render/soft_setup.h"

static void local_lights(const struct soft *soft, struct soft_part *part,
                         struct soft_local_light *out) {
    for (int i = 0; i < soft->light_count; i++) {
        const struct soft_light *light = &soft->light[i];
        for (int k = 0; k < 3; k++) {
            const float *axis = &part->axis[3 * k];
            float pos = 0, dir = 0;
            for (int j = 0; j < 3; j++) {
                dir += axis[j] * light->dir[j];
                pos += axis[j] * (light->pos[j] - part->center[j]);
            }
            out[i].pos[k] = light->directional ? -dir : pos;
            out[i].dir[k] = dir;
        }
    }
    part->light = out;
}

// Which part of the mirrored scene lies behind the mirror: false when all of it does. Sets clip
// when the part crosses the mirror's plane.
static bool mirror_side(const struct soft_part_list *list, struct soft_part *part,
                        const double center[3], double axis[3][3]) {
    const double *n = list->soft->mirror_normal;
    double distance = 0, reach = 0;
    for (int k = 0; k < 3; k++) {
        double along = axis[k][0] * n[0] + axis[k][1] * n[1] + axis[k][2] * n[2];
        double length = k < 2 || part->kind == SOFT_ELLIPSOID ? 1
                        : part->kind == SOFT_CAPSULE          ? 1 + (double)part->half
                        : part->kind == SOFT_TUBE             ? (double)part->half
                                                              : 0;
        reach += fabs(along) * length;
        distance += (center[k] - list->soft->mirror_point[k]) * n[k];
    }
    part->clip = distance - reach < 0;
    return distance + reach > 0;
}

static struct soft_part *add_part(struct soft_part_list *list, const struct soft_part *like,
                                  const double center[3], double axis[3][3]) {
    if (list->count == list->capacity) return NULL;
    struct soft_part *part = &list->part[list->count];
    part->kind = like->kind;
    part->half = like->half;
    part->geom = like->geom;
    part->grid = like->grid;
    part->alpha = like->alpha;
    part->plain = like->plain;
    part->clip = part->mirror = false;
    if (list->mirror && !mirror_side(list, part, center, axis)) return NULL;
    if (!soft_part_setup(part, list->view, center, axis)) return NULL;
    local_lights(list->soft, part, list->light + (size_t)list->count * SOFT_MAX_LIGHTS);
    list->count++;
    return part;
}

// A face with its outward normal along sign * axis k. Its own frame: x along the next axis, y along
// sign * the one after, so that it is right-handed.
static void add_face(struct soft_part_list *list, const struct soft_part *like,
                     const double center[3], double axis[3][3], int k, double sign,
                     double distance) {
    double face_center[3], face[3][3];
    int u = (k + 1) % 3, v = (k + 2) % 3;
    for (int i = 0; i < 3; i++) {
        face_center[i] = center[i] + sign * distance * axis[k][i];
        face[0][i] = axis[u][i];
        face[1][i] = sign * axis[v][i];
        face[2][i] = sign * axis[k][i];
    }
    struct soft_part *part = add_part(list, like, face_center, face);
    if (!part) return;
    // 2d texture: u runs along X, or Y on the faces across X; v against Y, or Z on the upright
    // faces.
    const struct soft_material *material = &list->soft->material[part->geom];
    float su = material->tex_scale[0], sv = material->tex_scale[1], s = (float)sign;
    if (part->kind == SOFT_DISC) sv = -sv;
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) part->uv[i][j] = 0;
        part->uv[i][2] = material->tex_shift[i];
    }
    part->uv[0][k == 1 ? 1 : 0] = k == 1 ? su * s : su;
    part->uv[1][k == 1 ? 0 : 1] = k == 1 ? sv : sv * s;
    // cube texture: the face's point in the geom's own unit coordinates
    part->cube_axis[0] = (int8_t)u, part->cube_axis[1] = (int8_t)v, part->cube_axis[2] = (int8_t)k;
    part->cube_sign = part->cube_height = s;
    part->mirror = part->geom == list->soft->reflective && k == 2 && sign > 0; // MuJoCo's choice
}

static void add_plane(struct soft_part_list *list, struct soft_part *like, const mjvGeom *geom,
                      const double center[3], double axis[3][3]) {
    int plane = geom->dataid, grids = list->soft->grid_count;
    bool from_back = soft_behind(list->soft, geom);
    if (from_back) { // a plane shows its back too, but more faintly
        for (int i = 0; i < 3; i++) axis[1][i] = -axis[1][i], axis[2][i] = -axis[2][i];
        like->alpha *= 0.3f;
    }
    bool gridded = !list->mirror && geom->rgba[3] >= 0.995f && !from_back;
    if (gridded) like->grid = plane >= 0 && plane < grids - 1 ? plane : grids - 1;
    struct soft_part *part = add_part(list, like, center, axis);
    if (!part) return;
    const struct soft_material *material = &list->soft->material[part->geom];
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) part->uv[i][j] = i == j ? material->tex_scale[i] : 0;
        part->uv[i][2] = material->tex_shift[i];
    }
    part->mirror = part->geom == list->soft->reflective;
    if (from_back) part->uv[1][1] = -part->uv[1][1];
    for (int k = 0; k < 3; k++) part->cube_axis[k] = (int8_t)k;
    part->cube_sign = from_back ? -1 : 1;
    part->cube_height = 0;
}

// 2d texture of triangles: the mesh's own coordinates, or MuJoCo's from x and y.
static void triangle_texture(struct soft_part *part, const struct soft *soft, const mjvGeom *geom) {
    const struct soft_material *material = &soft->material[part->geom];
    bool explicit_uv = geom->texcoord != 0;
    for (int k = 0; k < 2; k++) {
        float scale = 2 * fabsf(material->tex_scale[k]);
        part->uv[k][0] = part->uv[k][1] = 0;
        part->uv[k][k] = explicit_uv ? scale : scale * (k == 0 ? 0.5f : -0.5f);
        if (!explicit_uv && geom->size[k] > 0) part->uv[k][k] /= geom->size[k];
        part->uv[k][2] = explicit_uv ? 0 : -0.5f;
    }
}

static void add_triangles(struct soft_part_list *list, const mjvGeom *geom, int index,
                          const struct soft_mesh *mesh) {
    if (list->count == list->capacity || mesh->count == 0) return;
    struct soft_part *part = &list->part[list->count];
    double center[3], axis[3][3];
    soft_mesh_frame(geom, center, axis);
    *part = (struct soft_part){.kind = SOFT_TRIANGLES,
                               .geom = index,
                               .grid = -1,
                               .alpha = geom->rgba[3],
                               .clip = list->mirror};
    for (int k = 0; k < 3; k++) {
        double eye = 0;
        part->scale[k] = part->inverse_scale[k] = 1;
        part->center[k] = (float)center[k];
        for (int i = 0; i < 3; i++) {
            part->axis[3 * k + i] = (float)axis[k][i];
            eye += axis[k][i] * (list->view->eye[i] - center[i]);
        }
        part->eye[k] = (float)eye;
    }
    triangle_texture(part, list->soft, geom);
    soft_triangles_add(list->triangles, part, list->count, mesh, list->view, list->mirror);
    if (part->x0 >= part->x1) return;
    local_lights(list->soft, part, list->light + (size_t)list->count * SOFT_MAX_LIGHTS);
    list->count++;
}

void soft_add_geom(struct soft_part_list *list, const mjvScene *scene, int index) {
    const mjvGeom *geom = &scene->geoms[index];
    const struct soft_mesh *mesh = soft_geom_mesh(list->soft, geom);
    struct soft_caster shape;
    double center[3], axis[3][3];
    if (mesh) {
        int shapes = soft_flex_count(list->soft, scene, geom);
        for (int i = 0; i < shapes; i++) {
            if (!soft_flex_shape(scene, geom, i, &shape, center, axis)) continue;
            struct soft_part like = {.kind = shape.kind,
                                     .half = shape.half,
                                     .geom = index,
                                     .grid = -1,
                                     .alpha = geom->rgba[3],
                                     .plain = true};
            add_part(list, &like, center, axis);
        }
        add_triangles(list, geom, index, mesh);
        return;
    }
    if (!soft_caster_shape(list->soft, geom, &shape, center, axis)) return;
    struct soft_part like = {
        .kind = shape.kind, .half = shape.half, .geom = index, .grid = -1, .alpha = geom->rgba[3]};
    switch ((enum soft_kind)shape.kind) {
    case SOFT_RECT: add_plane(list, &like, geom, center, axis); break;
    case SOFT_BOX:
        like.kind = SOFT_RECT;
        for (int k = 0; k < 6; k++) {
            add_face(list, &like, center, axis, k / 2, k & 1 ? 1 : -1, 1);
        }
        break;
    case SOFT_TUBE:
        add_part(list, &like, center, axis);
        like.kind = SOFT_DISC;
        for (int sign = -1; sign <= 1; sign += 2) {
            add_face(list, &like, center, axis, 2, sign, (double)shape.half);
        }
        break;
    default: add_part(list, &like, center, axis); break;
    }
}
