// Triangles of a view: edge functions from the homogeneous corners (Olano and Greer 1997), so that
// no clipping is needed, and their place in the walk over packets.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "render/soft_setup.h"

enum { MANY_NODES = 31 }; // a box over fewer is not worth a look whether it is in view

enum rl_status soft_triangles_reserve(struct soft_triangles *t, const struct soft *soft, int count,
                                      struct rl_error *err) {
    if (!t->row_head) {
        t->row_head = MEM_ARRAY(int, soft->packets_y);
        t->column_head = MEM_ARRAY(int, soft->packets_x);
    }
    if (count <= t->capacity) return RL_OK;
    count += count / 2;
    mem_free(t->triangle), mem_free(t->row_next);
    t->capacity = 0;
    t->triangle = mem_try_alloc(mem_size((size_t)count, sizeof *t->triangle), "triangles", err);
    t->row_next = mem_try_alloc(mem_size((size_t)count * 4, sizeof(int)), "triangles", err);
    if (!t->triangle || !t->row_next) return RL_ENOMEM;
    t->column_next = t->row_next + count;
    t->row_active = t->row_next + 2 * count;
    t->active = t->row_next + 3 * count;
    t->capacity = count;
    return RL_OK;
}

void soft_triangles_release(struct soft_triangles *t) {
    mem_free(t->triangle), mem_free(t->row_next);
    mem_free(t->row_head), mem_free(t->column_head);
}

void soft_triangles_clear(struct soft_triangles *t, const struct soft *soft) {
    t->count = t->row_count = t->active_count = 0;
    for (int i = 0; i < soft->packets_y; i++) t->row_head[i] = -1;
}

static void cross(float *out, const float *a, const float *b) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

static float dot(const float *a, const float *b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static bool triangle_pixels(struct soft_triangle *out, const struct soft_view *view,
                            const float v[3][3]) {
    struct soft_bounds bounds = soft_bounds_none();
    int in_front = 0;
    for (int i = 0; i < 3; i++) {
        float z = view->orthographic ? 1 : v[i][2];
        if (!(z > 1e-6f)) continue;
        in_front++;
        double x = (double)(v[i][0] / z), y = (double)(v[i][1] / z);
        bounds.x0 = x < bounds.x0 ? x : bounds.x0, bounds.x1 = x > bounds.x1 ? x : bounds.x1;
        bounds.y0 = y < bounds.y0 ? y : bounds.y0, bounds.y1 = y > bounds.y1 ? y : bounds.y1;
    }
    if (!in_front) return false;
    if (in_front < 3) soft_bounds_all(&bounds);
    int pixels[4];
    if (!soft_bounds_samples(&bounds, view, 0.02, pixels)) return false;
    out->x0 = (int16_t)pixels[0], out->x1 = (int16_t)pixels[1];
    out->y0 = (int16_t)pixels[2], out->y1 = (int16_t)pixels[3];
    return true;
}

// frame: rows of the geom's axes in the view (right, up, forward), and its centre there.
static bool triangle_setup(struct soft_triangle *out, const struct soft_view *view,
                           const float *corner, const float frame[3][3], const float center[3],
                           float side) {
    float v[3][3], e[3][3], depth[3];
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) v[i][k] = dot(frame[k], corner + i * SOFT_CORNER) + center[k];
        depth[i] = v[i][2];
        if (view->orthographic) v[i][2] = 1; // edges of a flat triangle
    }
    cross(e[0], v[1], v[2]);
    cross(e[1], v[2], v[0]);
    cross(e[2], v[0], v[1]);
    float det = dot(v[0], e[0]);
    if (!(det * side > 0) || !triangle_pixels(out, view, v))
        return false; // seen from behind, or not at all
    double scale = 1 / (double)det;
    for (int i = 0; i < 3; i++) {
        double x = (double)e[i][0] * scale, y = (double)e[i][1] * scale,
               z = (double)e[i][2] * scale;
        out->b[i].a = (float)(x * view->tan0[0] + y * view->tan0[1] + z);
        out->b[i].b = (float)(x * view->tan_pixel[0]);
        out->b[i].c = (float)(y * view->tan_pixel[1]);
    }
    out->w = (struct soft_affine){(float)view->far, 0, 0};
    for (int i = 0; view->orthographic && i < 3; i++) {
        out->w.a -= out->b[i].a * depth[i];
        out->w.b -= out->b[i].b * depth[i];
        out->w.c -= out->b[i].c * depth[i];
    }
    out->corner = corner;
    return true;
}

// Whether nothing in the box can be seen.
static bool out_of_view(const struct soft_node *node, const struct soft_part *part,
                        const struct soft_view *view) {
    double corner[8][3];
    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < 3; k++) {
            corner[i][k] = (double)part->center[k];
            for (int j = 0; j < 3; j++) {
                float at = i >> j & 1 ? node->high[j] : node->low[j];
                corner[i][k] += (double)at * (double)part->axis[3 * j + k];
            }
        }
    }
    struct soft_bounds bounds = soft_bounds_none();
    int pixels[4];
    soft_bounds_corners(&bounds, view, 8, corner);
    return !soft_bounds_pixels(&bounds, view, pixels);
}

// Enters the triangle after the last into its row, and its pixels into the part's.
static void add_triangle(struct soft_triangles *t, struct soft_part *part) {
    const struct soft_triangle *out = &t->triangle[t->count];
    if (out->x0 < part->x0) part->x0 = out->x0;
    if (out->x1 > part->x1) part->x1 = out->x1;
    if (out->y0 < part->y0) part->y0 = out->y0;
    if (out->y1 > part->y1) part->y1 = out->y1;
    int row = out->y0 / 2;
    t->row_next[t->count] = t->row_head[row];
    t->row_head[row] = t->count++;
}

// Adds a geom's visible triangles; grows the part's pixels by theirs.
void soft_triangles_add(struct soft_triangles *t, struct soft_part *part, int part_index,
                        const struct soft_mesh *mesh, const struct soft_view *view, bool mirror) {
    float frame[3][3], center[3];
    for (int j = 0; j < 3; j++) {
        double at = 0;
        for (int k = 0; k < 3; k++) {
            double turned = 0;
            for (int i = 0; i < 3; i++) {
                turned += view->axis[3 * j + i] * (double)part->axis[3 * k + i];
            }
            frame[j][k] = (float)turned;
            at += view->axis[3 * j + k] * ((double)part->center[k] - view->eye[k]);
        }
        center[j] = (float)at;
    }
    part->x0 = part->y0 = 32767, part->x1 = part->y1 = 0;
    for (int n = 0; n < mesh->node_count;) {
        const struct soft_node *node = &mesh->node[n];
        if (node->skip - n > MANY_NODES && out_of_view(node, part, view)) {
            n = node->skip;
            continue;
        }
        for (int i = node->first; i < node->first + node->count && t->count < t->capacity; i++) {
            struct soft_triangle *out = &t->triangle[t->count];
            const float *corner = mesh->corner + (size_t)mesh->tree_order[i] * 3 * SOFT_CORNER;
            if (!triangle_setup(out, view, corner, frame, center, mirror ? -1 : 1)) continue;
            out->part = part_index;
            add_triangle(t, part);
        }
        n++;
    }
}

// Enters the row of packets whose lower pixel is py.
void soft_triangles_row(struct soft_triangles *t, const struct soft *soft, int py) {
    int kept = 0;
    for (int i = 0; i < t->row_count; i++) {
        if (t->triangle[t->row_active[i]].y1 > py) t->row_active[kept++] = t->row_active[i];
    }
    for (int i = t->row_head[py / 2]; i >= 0; i = t->row_next[i]) t->row_active[kept++] = i;
    t->row_count = kept;
    t->active_count = 0;
    if (!kept) return;
    for (int i = 0; i < soft->packets_x; i++) t->column_head[i] = -1;
    for (int i = 0; i < kept; i++) {
        int id = t->row_active[i], column = t->triangle[id].x0 / 4;
        t->column_next[id] = t->column_head[column];
        t->column_head[column] = id;
    }
}

// Enters the packet whose left pixel is px.
void soft_triangles_column(struct soft_triangles *t, int px) {
    if (!t->row_count) return;
    int kept = 0;
    for (int i = 0; i < t->active_count; i++) {
        if (t->triangle[t->active[i]].x1 > px) t->active[kept++] = t->active[i];
    }
    for (int i = t->column_head[px / 4]; i >= 0; i = t->column_next[i]) t->active[kept++] = i;
    t->active_count = kept;
}
