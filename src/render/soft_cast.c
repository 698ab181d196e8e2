// Shadow-casting lights: the light's own view, the solid of every caster in its unit frame, and the
// caster's bounds in the shadow map, by which the kernel picks the few that can matter for a
// packet.
#include <math.h>
#include <string.h>

#include "render/soft_setup.h"

static void normalize3(double *v) {
    double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    for (int k = 0; k < 3; k++) v[k] = length > 1e-10 ? v[k] / length : k == 2;
}

static void cross3(double *out, const double *a, const double *b) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

static double dot3(const double *a, const double *b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

// The light's frame as MuJoCo builds it: up is dir x -X, or dir x Y when that is too short.
static void light_axes(const struct soft_light *light, double axis[9]) {
    double forward[3], up[3], other[3] = {-1, 0, 0};
    for (int k = 0; k < 3; k++) forward[k] = (double)light->dir[k];
    cross3(up, forward, other);
    if (dot3(up, up) <= 0.01) {
        other[0] = 0, other[1] = 1;
        cross3(up, forward, other);
    }
    normalize3(up);
    cross3(&axis[0], forward, up);
    normalize3(&axis[0]);
    cross3(&axis[3], &axis[0], forward);
    for (int k = 0; k < 3; k++) axis[6 + k] = forward[k];
}

// Half axes of a geom's unit frame in the world (axis), its centre, and the caster's kind and half
// length.
bool soft_caster_shape(const struct soft *soft, const mjvGeom *geom, struct soft_caster *caster,
                       double center[3], double axis[3][3]) {
    double size[3] = {(double)geom->size[0], (double)geom->size[1], (double)geom->size[2]};
    caster->half = 0;
    switch (geom->type) {
    case mjGEOM_SPHERE:
    case mjGEOM_ELLIPSOID: caster->kind = SOFT_ELLIPSOID; break;
    case mjGEOM_CAPSULE:
    case mjGEOM_CYLINDER:
        caster->kind = geom->type == mjGEOM_CAPSULE ? SOFT_CAPSULE : SOFT_TUBE;
        if (!(size[0] > 1e-9) || !(size[2] >= 0)) return false;
        caster->half = (float)(size[2] / size[0]);
        size[1] = size[2] = size[0];
        break;
    case mjGEOM_BOX: caster->kind = SOFT_BOX; break;
    case mjGEOM_PLANE: {
        int plane = geom->dataid;
        caster->kind = SOFT_RECT;
        if (plane >= 0 && plane < soft->grid_count - 1) {
            for (int k = 0; k < 2; k++) size[k] = (double)soft->grid[plane].size[k];
        }
        size[2] = 1;
        break;
    }
    default: return false;
    }
    for (int k = 0; k < 3; k++) {
        if (!(size[k] > 1e-9)) return false;
        center[k] = (double)geom->pos[k];
        for (int i = 0; i < 3; i++) axis[k][i] = (double)geom->mat[3 * i + k] * size[k];
    }
    return true;
}

static void mesh_bounds(struct soft_bounds *bounds, const struct soft_view *view,
                        const struct soft_mesh *mesh, const double center[3], double axis[3][3]) {
    const struct soft_node *root = &mesh->node[0];
    double corner[8][3];
    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < 3; k++) {
            corner[i][k] = center[k];
            for (int j = 0; j < 3; j++) {
                corner[i][k] += (double)(i >> j & 1 ? root->high[j] : root->low[j]) * axis[j][k];
            }
        }
    }
    *bounds = soft_bounds_none();
    soft_bounds_corners(bounds, view, 8, corner);
}

static void caster_bounds(struct soft_bounds *bounds, const struct soft_view *view,
                          const struct soft_caster *caster, const double center[3],
                          double axis[3][3]) {
    if (caster->kind == SOFT_TRIANGLES) {
        mesh_bounds(bounds, view, caster->mesh, center, axis);
        return;
    }
    double corner[8][3], half = caster->kind == SOFT_CAPSULE ? 1.0 + (double)caster->half
                                : caster->kind == SOFT_TUBE  ? (double)caster->half
                                : caster->kind == SOFT_RECT  ? 0.0
                                                             : 1.0;
    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < 3; k++) {
            corner[i][k] = center[k] + (i & 1 ? 1 : -1) * axis[0][k] +
                           (i & 2 ? 1 : -1) * axis[1][k] + (i & 4 ? half : -half) * axis[2][k];
        }
    }
    *bounds = soft_bounds_none();
    if (caster->kind == SOFT_ELLIPSOID)
        soft_bounds_ellipsoid(bounds, view, center, axis);
    else
        soft_bounds_corners(bounds, view, 8, corner);
}

// Triangles: their frame, which has metres as its units.
static bool caster_mesh(const struct soft *soft, const mjvGeom *geom, struct soft_caster *caster,
                        double center[3], double axis[3][3]) {
    caster->mesh = soft_geom_mesh(soft, geom);
    if (!caster->mesh || caster->mesh->node_count == 0) return false;
    caster->kind = SOFT_TRIANGLES;
    caster->half = 0;
    soft_mesh_frame(geom, center, axis);
    return true;
}

static void caster_setup(struct soft *soft, struct soft_caster *caster,
                         const struct soft_light *light, const double center[3],
                         double axis[3][3]) {
    struct soft_ray ray;
    caster->cx = (float)(soft->view.width / 2);
    caster->cy = (float)(soft->view.height / 2);
    soft_ray_setup(&soft->view, center, axis, (double)caster->cx, (double)caster->cy, &ray);
    for (int k = 0; k < 3; k++) {
        double relative[3], length2 = dot3(axis[k], axis[k]);
        for (int i = 0; i < 3; i++) {
            relative[i] =
                light->directional ? -(double)light->dir[i] : (double)light->pos[i] - center[i];
        }
        caster->origin[k] = (float)ray.origin[k];
        caster->ray[k] =
            (struct soft_affine){(float)ray.d[0][k], (float)ray.d[1][k], (float)ray.d[2][k]};
        caster->light[k] = (float)(dot3(axis[k], relative) / length2);
    }
}

// Keeps a caster unless the light's map does not see it.
static void add_caster(struct soft *soft, struct soft_shadow *shadow, const struct soft_view *from,
                       const struct soft_caster *like, const double center[3], double axis[3][3]) {
    struct soft_bounds b;
    double edge = (double)shadow->tangent;
    int at = shadow->caster_count;
    if (at >= soft->geom_capacity) return;
    caster_bounds(&b, from, like, center, axis);
    if (b.x0 > b.x1 || b.x0 > edge || b.x1 < -edge || b.y0 > edge || b.y1 < -edge) return;
    shadow->caster[at] = *like;
    caster_setup(soft, &shadow->caster[at], &soft->light[shadow->light], center, axis);
    shadow->box[0][at] = (float)b.x0, shadow->box[1][at] = (float)b.x1;
    shadow->box[2][at] = (float)b.y0, shadow->box[3][at] = (float)b.y1;
    shadow->caster_count++;
}

static void shadow_setup(struct soft *soft, struct soft_shadow *shadow, const mjvScene *scene) {
    const struct soft_light *light = &soft->light[shadow->light];
    struct soft_view from = {.orthographic = light->directional};
    light_axes(light, from.axis);
    for (int k = 0; k < 3; k++) from.eye[k] = (double)light->pos[k];
    double axis[3][3];
    struct soft_ray ray;
    memcpy(axis, from.axis, sizeof axis);
    memcpy(shadow->axis, from.axis, sizeof shadow->axis);
    memcpy(shadow->eye, from.eye, sizeof shadow->eye);
    soft_ray_setup(&soft->view, from.eye, axis, 0, 0, &ray);
    for (int k = 0; k < 3; k++) {
        shadow->origin[k] = (float)ray.origin[k];
        shadow->ray[k] =
            (struct soft_affine){(float)ray.d[0][k], (float)ray.d[1][k], (float)ray.d[2][k]};
    }
    double fov = fmin(2 * (double)light->cutoff * (double)soft->shadow_scale, 160);
    shadow->tangent = light->directional ? soft->shadow_clip : (float)tan(fov / 360 * mjPI);
    // MuJoCo pushes casters off the light by 1.5 texels of the map's slope: 3 stand for most slopes
    shadow->bias = shadow->tangent * (6 / (float)soft->model->vis.quality.shadowsize + 1e-4f);
    shadow->caster_count = 0;
    for (int i = 0; i < scene->ngeom; i++) {
        const mjvGeom *geom = &scene->geoms[i];
        double center[3], axis_at[3][3];
        if (geom->category == mjCAT_DECOR) continue;
        struct soft_caster caster = {.geom = i};
        if (caster_mesh(soft, geom, &caster, center, axis_at) ||
            soft_caster_shape(soft, geom, &caster, center, axis_at)) {
            add_caster(soft, shadow, &from, &caster, center, axis_at);
        }
        for (int k = soft_flex_count(soft, scene, geom) - 1; k >= 0; k--) {
            if (!soft_flex_shape(scene, geom, k, &caster, center, axis_at)) continue;
            add_caster(soft, shadow, &from, &caster, center, axis_at);
        }
    }
    int count = shadow->caster_count;
    for (; count % SOFT_LANES; count++) { // empty boxes
        shadow->box[0][count] = shadow->box[2][count] = 1e30f;
        shadow->box[1][count] = shadow->box[3][count] = -1e30f;
    }
}

// Where the light's rays through the corners of a caster's box meet the plane; false when one does
// not.
static bool shadow_corners(const struct soft_shadow *shadow, bool directional, int caster,
                           const double point[3], const double normal[3], double corner[4][3]) {
    for (int i = 0; i < 4; i++) {
        double uv[2], from[3], way[3], relative[3];
        for (int k = 0; k < 2; k++) {
            double edge = (double)shadow->tangent;
            double at = (double)shadow->box[2 * k + (i >> k & 1)][caster];
            uv[k] = at < -edge ? -edge : at > edge ? edge : at;
        }
        for (int k = 0; k < 3; k++) {
            double side = uv[0] * shadow->axis[k] + uv[1] * shadow->axis[3 + k];
            way[k] = shadow->axis[6 + k] + (directional ? 0 : side);
            from[k] = shadow->eye[k] + (directional ? side : 0);
            relative[k] = point[k] - from[k];
        }
        double down = dot3(way, normal), distance = dot3(relative, normal);
        if (!(down < -1e-6) || !(distance < 0)) return false;
        for (int k = 0; k < 3; k++) corner[i][k] = from[k] + distance / down * way[k];
    }
    return true;
}

// Pixels that each caster's shadow on the floor can touch.
static void floor_rects(struct soft *soft, struct soft_shadow *shadow) {
    const struct soft_part *floor = &soft->part[soft->floor_part];
    bool directional = soft->light[shadow->light].directional;
    double point[3], normal[3], edge = (double)shadow->tangent;
    shadow->floor_count = 0;
    if (shadow->caster_count > 64) return;
    for (int k = 0; k < 3; k++) {
        point[k] = (double)floor->center[k];
        normal[k] = (double)floor->axis[6 + k];
    }
    for (int i = 0; i < shadow->caster_count; i++) {
        double corner[4][3];
        // shadows that the edge of the shadow map cuts need the test of every pixel
        if ((double)shadow->box[0][i] < -edge || (double)shadow->box[1][i] > edge ||
            (double)shadow->box[2][i] < -edge || (double)shadow->box[3][i] > edge) {
            if (shadow->caster[i].geom != floor->geom) return;
        }
        int16_t *rect = shadow->floor_rect + 4 * i;
        rect[0] = rect[1] = rect[2] = rect[3] = 0;
        if (shadow->caster[i].geom == floor->geom) continue;
        if (!shadow_corners(shadow, directional, i, point, normal, corner)) return;
        struct soft_bounds bounds = soft_bounds_none();
        soft_bounds_corners(&bounds, &soft->view, 4, corner);
        int pixels[4];
        if (!soft_bounds_pixels(&bounds, &soft->view, pixels)) continue;
        for (int k = 0; k < 4; k++) rect[k] = (int16_t)pixels[k];
    }
    shadow->floor_count = shadow->caster_count;
}

void soft_cast_floor(struct soft *soft) {
    soft->floor_part = -1;
    for (int i = 0; i < soft->opaque_count && soft->floor_part < 0; i++) {
        if (soft->part[i].grid >= 0) soft->floor_part = i;
    }
    for (int i = 0; i < soft->shadow_count; i++) {
        soft->shadow[i].floor_count = 0;
        if (soft->floor_part >= 0) floor_rects(soft, &soft->shadow[i]);
    }
}

void soft_cast_setup(struct soft *soft, const mjvScene *scene) {
    soft->shadow_count = 0;
    if (!scene->flags[mjRND_SHADOW] || soft->model->vis.quality.shadowsize < 1) return;
    for (int i = 0; i < soft->light_count && soft->shadow_count < soft->pass_capacity - 1; i++) {
        if (!soft->light[i].shadow) continue;
        struct soft_shadow *shadow = &soft->shadow[soft->shadow_count++];
        shadow->light = i;
        shadow_setup(soft, shadow, scene);
    }
}
