// Shared by the files that set up a frame for the kernel (soft_scene.c, soft_part.c, soft_cast.c,
// soft_grid.c).
#pragma once

#include "render/soft.h"

struct soft_bounds { // tangents of the view: x / z and y / z; orthographic: x and y
    double x0, x1, y0, y1;
};

struct soft_ray { // of every pixel, in a unit frame, around (cx, cy): ray = d[0] + d[1] x + d[2] y
    bool orthographic;
    double origin[3], d[3][3];
};

struct soft_bounds soft_bounds_none(void);
void soft_bounds_all(struct soft_bounds *bounds);
// Grow bounds by a shape; axis[k] are its half axes in metres. Shapes that reach the eye make them
// infinite, shapes behind it leave them (and the ellipsoid returns false).
bool soft_bounds_ellipsoid(struct soft_bounds *bounds, const struct soft_view *view,
                           const double center[3], double axis[3][3]);
void soft_bounds_corners(struct soft_bounds *bounds, const struct soft_view *view, int count,
                         double corner[][3]);

void soft_ray_setup(const struct soft_view *view, const double center[3], double axis[3][3],
                    double cx, double cy, struct soft_ray *ray);

// Fills everything that depends on pose and view; kind, half, geom, material, grid are set before.
// False: nothing of it can be seen.
bool soft_part_setup(struct soft_part *part, const struct soft_view *view, const double center[3],
                     double axis[3][3]);

// Shadow-casting lights and what blocks them; soft_cast.c.
bool soft_caster_shape(const struct soft *soft, const mjvGeom *geom, struct soft_caster *caster,
                       double center[3], double axis[3][3]);
void soft_cast_setup(struct soft *soft, const mjvScene *scene);

// Pixels (x0, x1, y0, y1; half open, a margin of one) of bounds; false when none is in view.
bool soft_bounds_pixels(const struct soft_bounds *bounds, const struct soft_view *view,
                        int pixels[4]);
// The same for pixels whose samples lie within them; margin in pixels.
bool soft_bounds_samples(const struct soft_bounds *bounds, const struct soft_view *view,
                         double margin, int pixels[4]);
// Where shadows fall on the floor, once the parts are known; soft_cast.c.
void soft_cast_floor(struct soft *soft);

struct soft_part_list {
    struct soft *soft;
    const struct soft_view *view;
    bool mirror; // seen from behind the reflecting plane
    struct soft_part *part;
    struct soft_local_light *light; // SOFT_MAX_LIGHTS a part
    struct soft_triangles *triangles;
    int count, capacity;
};
// Appends the parts of a geom that can be seen; soft_geom.c.
void soft_add_geom(struct soft_part_list *list, const mjvScene *scene, int index);
bool soft_behind(const struct soft *soft, const mjvGeom *geom); // the eye is behind its z = 0

// Grids of the model's planes; soft_grid.c. The last one is the default for planes outside the
// model.
RL_CHECKED enum rl_status soft_grid_create(struct soft *soft, struct rl_error *err);

// The sky's depth, haze and fog of this frame; then redraws the cached sky when the view has
// turned; soft_sky.c.
void soft_far_setup(struct soft *soft, const mjvScene *scene);
void soft_sky_setup(struct soft *soft);

// Meshes; soft_mesh.c.
RL_CHECKED enum rl_status soft_mesh_create(struct soft *soft, struct rl_error *err);
void soft_mesh_destroy(struct soft *soft);
// Room for count triangles and their tree.
RL_CHECKED enum rl_status soft_mesh_reserve(struct soft_mesh *mesh, int count,
                                            struct rl_error *err);
void soft_mesh_update(struct soft *soft, const mjvScene *scene);
const struct soft_mesh *soft_geom_mesh(const struct soft *soft, const mjvGeom *geom);
// Where its corners are: axis[k] are the frame's axes; skins are in the world already.
void soft_mesh_frame(const mjvGeom *geom, double center[3], double axis[3][3]);

// Deformable bodies; soft_flex.c. A flex geom has faces (soft_geom_mesh) and count other shapes.
RL_CHECKED enum rl_status soft_flex_reserve(struct soft *soft, const mjvScene *scene,
                                            struct rl_error *err);
void soft_flex_update(struct soft *soft, const mjvScene *scene);
int soft_flex_count(const struct soft *soft, const mjvScene *scene, const mjvGeom *geom);
// The kind and half length of shape number 0..count-1, its centre and axes; false: it has no
// extent.
bool soft_flex_shape(const mjvScene *scene, const mjvGeom *geom, int number,
                     struct soft_caster *shape, double center[3], double axis[3][3]);

// Room for a tree over count triangles; soft_tree.c.
RL_CHECKED enum rl_status soft_tree_reserve(struct soft_mesh *mesh, int count,
                                            struct rl_error *err);
// The tree over the mesh's triangles: sorted by place, or as they come.
void soft_tree_build(struct soft_mesh *mesh, bool sorted);
void soft_tree_update(struct soft_mesh *mesh); // when the corners have moved

// Triangles of a view; soft_triangles.c.
RL_CHECKED enum rl_status soft_triangles_reserve(struct soft_triangles *triangles,
                                                 const struct soft *soft, int count,
                                                 struct rl_error *err);
void soft_triangles_release(struct soft_triangles *triangles);
void soft_triangles_clear(struct soft_triangles *triangles, const struct soft *soft);
void soft_triangles_add(struct soft_triangles *triangles, struct soft_part *part, int part_index,
                        const struct soft_mesh *mesh, const struct soft_view *view, bool mirror);
