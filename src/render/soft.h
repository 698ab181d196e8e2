// The software renderer's insides, shared by its files; everybody else includes render.h.
//
// A frame is drawn in two halves. The *setup* (soft_scene.c and its helpers; once a frame, scalar)
// turns each mjvGeom into parts: surfaces of one simple kind, with the ray of every pixel written
// in the part's own unit frame as an affine function of the pixel. The *kernel* (soft_*.inc.h,
// compiled once per instruction set) walks over packets of 4x2 pixels: which part covers each of 4
// samples, then one shading per part and pixel, as OpenGL's multisampling does.
//
// Conventions: pixel rows count from the BOTTOM as in OpenGL (the output is flipped); w = 1 /
// distance along the view axis, so that it is affine on planes and larger means nearer. Under an
// orthographic camera w = zfar - distance, and the roles of a ray's origin and direction change
// places: point = ray(pixel) / w + origin becomes ray(pixel) + w origin, with the same coefficients
// otherwise. The kernel is compiled once for each (soft_view.inc.h).
#pragma once

#include <mujoco/mujoco.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "render/render.h"

enum {
    SOFT_LANES = 8,
    SOFT_SAMPLES = 4,
    SOFT_MAX_LEVELS = 16,
    SOFT_MAX_LIGHTS = 16, // of a scene; OpenGL's fixed pipeline has 8
};

// --- textures (soft_texture.c) ---

// One level of one face; width and height in texels.
struct soft_level {
    int width, height;
    float width256, height256; // in 1/256 texels
    const uint32_t *texel;     // R | G << 8 | B << 16, (height, width)
    const uint8_t
        *footprint; // (height, width, 16): the 2x2 texels from (x, y) on, wrapped; NULL for cubes
};

struct soft_texture {
    bool cube;
    int level_count;
    struct soft_level level[6][SOFT_MAX_LEVELS]; // [face]; 2d textures use face 0
    uint32_t *texels;
    uint8_t *footprints;
};

RL_CHECKED enum rl_status soft_texture_load(struct soft_texture *texture, const mjModel *model,
                                            int id, struct rl_error *err);
void soft_texture_release(struct soft_texture *texture);

// Colours of a cube texture for a packet's lanes; at: cube coordinates (not normalized).
void soft_cube_sample(const struct soft_texture *texture, const float at[3][SOFT_LANES],
                      uint32_t color[SOFT_LANES]);

// a + (b - a) * weight / 256, rounded as llvmpipe's fixed-point filter rounds it.
static inline int soft_lerp_u8(int a, int b, int weight) {
    return a + (((b - a) * weight + 128) >> 8);
}

// --- what a frame is made of ---

enum soft_kind {
    SOFT_ELLIPSOID,
    SOFT_CAPSULE,
    SOFT_TUBE, // open cylinder, |z| <= half in units of the radius
    SOFT_DISC, // z = 0, x^2 + y^2 <= 1
    SOFT_RECT, // z = 0, |x|, |y| <= 1
    SOFT_BOX,  // as a shadow caster only; drawn as rects
    SOFT_TRIANGLES,
};

struct soft_affine { // a + b (px - cx) + c (py - cy)
    float a, b, c;
};

struct soft_quadric { // discriminant of the ray and half its linear term, around the part's (cx,
                      // cy)
    float q[6];       // 1, x, y, x^2, x y, y^2
    struct soft_affine b;
    float inverse_c;
};

struct soft_light {
    bool directional, shadow;
    float pos[3], dir[3]; // world; dir is of unit length, away from the light
    float attenuation[3], cutoff, cos_cutoff, exponent; // cutoff in degrees
    float ambient[3], diffuse[3], specular[3];
};

// A light in a part's frame (rotation and shift only, so that lengths stay metres).
struct soft_local_light {
    float pos[3]; // directional: unit vector towards the light
    float dir[3];
};

struct soft_material {
    float rgba[4], emission, specular, shininess, reflectance; // shininess: the exponent
    int texture;                                               // index, -1 none
    bool cube;
    int object[2];                    // mjvGeom's objid, objtype
    bool segmented;                   // takes part in segmentation
    bool gray;                        // red, green and blue are the same
    float tex_scale[3], tex_shift[2]; // 2d: u, v = scale * unit x, y + shift; cube: scale * unit
};

struct soft_part {
    uint8_t kind;
    bool clip;   // in the mirror: crosses its plane
    bool mirror; // the reflecting surface itself
    bool plain;  // its geom's texture is not for it
    int geom;    // index in the scene
    int grid;    // index of the plane's grid of lit vertices, -1 for others
    float alpha; // opacity, for the transparent
    // planar kinds: 2d texture coordinates = [0] x + [1] y + [2] of the unit frame; the geom's unit
    // shape has x, y cube_sign, cube_height as its coordinates number cube_axis
    float uv[2][3], cube_sign, cube_height;
    int8_t cube_axis[3];
    float scale[3], inverse_scale[3]; // unit frame to metres
    float half;                       // half length in units of the radius
    float axis[9];                    // rows: the part's axes in the world
    float center[3];
    int x0, x1, y0, y1; // pixels that its samples can touch, half open
    float cx, cy;
    float origin[3];           // of the rays in the unit frame: the eye (orthographic: backwards)
    float eye[3];              // in the part's frame, metres
    struct soft_affine ray[3]; // ray directions in the unit frame, depth 1 along the view axis
    struct soft_quadric body, cap[2];
    struct soft_affine w, wx, wy; // planar kinds: 1/depth, x/depth, y/depth in the unit frame
    float edge[3][4];             // SOFT_RECT: w - wx, w + wx, w - wy, w + wy; a, b, c of each
    const struct soft_local_light *light; // [light_count]
};

struct soft_view {
    bool orthographic;
    double far;                         // zfar
    double eye[3], d0[3], dx[3], dy[3]; // ray(px, py) = d0 + px dx + py dy, 1 along the axis;
                                        // orthographic: from the eye to where the ray starts
    double axis[9];                     // rows right, up, forward (mirrored for reflections)
    double tan0[2], tan_pixel[2]; // right and up component of the ray: tan0 + pixel * tan_pixel
    int width, height;
};

// What blocks light, in its unit frame as a function of the receiving pixel.
struct soft_caster {
    uint8_t kind;
    int geom;
    float half;
    float cx, cy;
    float origin[3];
    struct soft_affine ray[3];
    float light[3]; // of this shadow light: position, or direction towards it, in the unit frame
    const struct soft_mesh *mesh; // SOFT_TRIANGLES
};

struct soft_shadow {        // one shadow-casting light
    double axis[9], eye[3]; // its view: right, up, forward; position
    int light;
    float tangent; // half width of the shadow map at depth 1; directional: half width
    struct soft_affine
        ray[3];       // camera ray in light coordinates (right, up, forward), around (0, 0)
    float origin[3];  // its origin there
    float bias;       // part of the way to the light (directional: metres) in which triangles do
                      // not block it
    int caster_count; // padded to a multiple of 8 in the boxes
    struct soft_caster *caster;
    float *box[4]; // u0, u1, v0, v1 in the plane at depth 1 (directional: metres)
    // Shadows on the floor (soft.floor_part): pixels that each caster's can touch, half open, and,
    // for the row in work, which of up to 64 casters matter for a packet. 0 casters: all may matter
    // everywhere.
    int floor_count;
    int16_t *floor_rect;  // (caster, 4) x0, x1, y0, y1
    uint64_t *floor_mask; // [packets_x]
};

// A plane's grid of vertices, lit lazily in runs of 8 along x.
struct soft_grid {
    int count[2];           // vertices along x, y
    float size[2];          // half sizes in metres
    float inner[2];         // from the middle to where the cells of full pitch end
    float inverse_pitch[2]; // of them
    float inverse_pad[2];   // of the first and last cell; 0 when they are empty
    int row_blocks;         // runs of 8 vertices in a row
    uint32_t *stamp;        // (count y, row_blocks): frame in which the run was lit
    float *color;       // (count y, row_blocks, 8, passes, 4): R G B and whether it is not black
    float *position[2]; // of the vertices, padded by repetition to a multiple of 8
};

// Triangles of a mesh, height field or skin: (count, 3, SOFT_CORNER) position, normal, texture u, v
// (or x, y).
enum { SOFT_CORNER = 8 };
struct soft_mesh {
    int count, capacity;
    float *corner;
    // for shadows: a tree of boxes over the triangles in the order of tree_order; soft_tree.c
    int node_count;
    struct soft_node *node;
    int32_t *tree_order;
};
struct soft_node { // in depth-first order, so that the first child follows
    float low[3], high[3];
    int32_t skip;         // the node after this one's subtree
    int32_t first, count; // its triangles; 0 for inner nodes
};

struct soft_triangle {       // as a view sees it
    struct soft_affine b[3]; // barycentric coordinates times w, around pixel (0, 0); they sum to w
                             // (orthographic: not times w, they sum to 1)
    struct soft_affine w;    // orthographic
    int16_t x0, x1, y0, y1;  // pixels, half open
    int part;
    const float *corner;
};

// The triangles of a view, and which of them the packet in work may touch: rows of packets are
// visited upwards, packets left to right, and each triangle enters at its first row and column.
struct soft_triangles {
    int count, capacity;
    struct soft_triangle *triangle;
    int *row_head, *column_head; // first triangle of a row or column of packets, -1 none
    int *row_next, *column_next; // [triangle]
    int *row_active, row_count;
    int *active, active_count;
};

// What happens far away: the sky hides what lies behind it, haze covers the edge of an infinite
// plane, fog covers all. The sky is a cylinder around the eye, haze a truncated cone in it.
struct soft_far {
    struct soft_affine ray[3], haze_ray[3]; // view rays in the world; in the plane's frame
    float depth;         // of those rays; 1 (orthographic: about where they meet the sky)
    float sky_radius;    // of the cylinder, and half its height
    float slices, facet; // of both around; 1 / cos(half a slice)
    bool sky_cuts;       // something may lie behind the sky
    float sky_w;         // nearer than this nothing does
    bool haze, fog;
    float haze_rim, haze_turn;  // the cone's width; height (1: the eye's) where it is opaque
    float elevation;            // the eye's height over the plane, in units of the sky's radius
    int haze_color;             // packed
    float fog_end, fog_inverse; // metres; 1 / (end - start)
    float fog_color[3];         // 0..255
};

struct soft {
    const mjModel *model;
    struct soft_mesh *mesh, *hfield, *skin; // [2 nmesh] drawn and hull, [nhfield], [nskin]
    struct soft_mesh *flex;                 // [nflex]
    float *hfield_copy;                     // of the data that hfield was made from
    struct soft_triangles front_triangles, mirror_triangles;
    struct render_size size;
    int packets_x, packets_y;
    int texture_count;
    struct soft_texture *texture;
    int sky_texture; // -1 none
    int grid_count;
    struct soft_grid *grid;
    int pass_capacity; // 1 + shadow-casting lights that the grids have room for
    float shadow_clip, shadow_scale;
    // --- per frame ---
    uint32_t frame;
    int geom_capacity;
    int part_count; // opaque first, in drawing order, then transparent, near to far
    int opaque_count;
    int mirror_count, mirror_opaque_count; // of mirror, likewise
    int light_count, shadow_count;
    int floor_part;  // the first plane with a grid, -1 none
    bool gray_light; // of all lights
    float znear, zfar;
    float w_near, w_far; // w there
    struct soft_view view, mirror_view;
    struct soft_part *part, *mirror;
    struct soft_material *material; // [geom]
    struct soft_light light[SOFT_MAX_LIGHTS];
    int base_light[SOFT_MAX_LIGHTS], base_light_count; // lights of the pass without shadows
    int all_light[SOFT_MAX_LIGHTS];
    struct soft_shadow shadow[SOFT_MAX_LIGHTS];
    struct soft_local_light *local_light;
    int reflective; // geom index or -1
    double mirror_point[3], mirror_normal[3];
    struct soft_affine
        mirror_clip; // rays' part along the mirror's normal, and the mirrored eye's height
    float mirror_clip_eye;
    bool sky;
    uint32_t *sky_pixel; // (packets_y, packets_x, 8)
    double sky_key[9];   // view rays that it was drawn for
    struct soft_far far;
    int *row_list;      // scratch of the kernel: four lists of parts
    uint64_t *row_mask; // scratch of the kernel: (2, packets_x)
    float *sort_key;    // [geom] scratch
    int *transparent;   // [geom] transparent geoms, near to far
    int transparent_count;
};

struct soft *soft_create(const mjModel *model, struct render_size size, struct rl_error *err);
void soft_destroy(struct soft *soft);
RL_CHECKED enum rl_status soft_draw(struct soft *soft, const mjvScene *scene,
                                    const struct render_target *target, struct rl_error *err);

// Setup of one frame; soft_scene.c.
RL_CHECKED enum rl_status soft_scene_setup(struct soft *soft, const mjvScene *scene,
                                           struct rl_error *err);

// The kernel's walk over triangles; soft_triangles.c.
void soft_triangles_row(struct soft_triangles *triangles, const struct soft *soft, int py);
void soft_triangles_column(struct soft_triangles *triangles, int px);

// The kernel, one a target and kind of camera.
void soft_kernel_portable(struct soft *soft, const struct render_target *target);
void soft_kernel_avx2(struct soft *soft, const struct render_target *target);
void soft_kernel_avx512(struct soft *soft, const struct render_target *target);
void soft_orthographic_portable(struct soft *soft, const struct render_target *target);
void soft_orthographic_avx2(struct soft *soft, const struct render_target *target);
void soft_orthographic_avx512(struct soft *soft, const struct render_target *target);
