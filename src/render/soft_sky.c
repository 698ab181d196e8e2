// What is far away: the sky's depth, haze and fog as the kernel needs them, and the sky's pixels:
// cube map looked up along the view ray (MuJoCo draws a cylinder far away, whose shape does not
// show), llvmpipe's arithmetic. Kept until the camera turns: dm_control's cameras follow but do not
// turn.
#include <math.h>
#include <string.h>

#include "render/soft_setup.h"

struct cube_point {
    int face;
    float s, t, major; // face coordinates before division, and the axis they are divided by
};

static void face_coordinates(int face, const float d[3], float *s, float *t) {
    switch (face) {
    case 0: *s = -d[2], *t = -d[1]; break;
    case 1: *s = d[2], *t = -d[1]; break;
    case 2: *s = d[0], *t = d[2]; break;
    case 3: *s = d[0], *t = -d[2]; break;
    case 4: *s = d[0], *t = -d[1]; break;
    default: *s = -d[0], *t = -d[1]; break;
    }
}

// Level of detail from the differences to the right and upper pixel, projected to the point's face.
static float cube_lod(int face, const float d[3], const float dx[3], const float dy[3],
                      float width) {
    int axis = face >> 1;
    float s, t, major = fabsf(d[axis]) + 1e-30f, sign = face & 1 ? -1.0f : 1.0f, rho = 0;
    face_coordinates(face, d, &s, &t);
    const float *delta[2] = {dx, dy};
    for (int i = 0; i < 2; i++) {
        float ds, dt, dm = sign * delta[i][axis] / major;
        face_coordinates(face, delta[i], &ds, &dt);
        ds = (ds - s * dm) * 0.5f / major * width;
        dt = (dt - t * dm) * 0.5f / major * width;
        float length = ds * ds + dt * dt;
        if (length > rho) rho = length;
    }
    int bits;
    memcpy(&bits, &rho, sizeof bits);
    int mantissa_bits = (bits & 0x7fffff) | 0x3f800000;
    float mantissa;
    memcpy(&mantissa, &mantissa_bits, sizeof mantissa);
    return 0.5f * ((float)((bits >> 23) - 128) + mantissa);
}

static int face_of(const float d[3]) {
    float x = fabsf(d[0]), y = fabsf(d[1]), z = fabsf(d[2]);
    if (z >= (x > y ? x : y)) return d[2] < 0 ? 5 : 4;
    if (x > y) return d[0] < 0 ? 1 : 0;
    return d[1] < 0 ? 3 : 2;
}

static int edge_tap(float coordinate, int size, int *next, int *weight) {
    coordinate = coordinate > 0 ? coordinate < 1 ? coordinate : 1 : 0;
    int fixed = (int)rintf(coordinate * (float)(size * 256)) - 128, at = fixed >> 8;
    *weight = fixed & 255;
    *next = at + 1;
    if (at < 0) at = *next = 0; // both clamp to the first texel
    if (*next > size - 1) *next = size - 1;
    return at > size - 1 ? size - 1 : at;
}

static void sample_face(const struct soft_level *level, float s, float t, int out[3]) {
    int x1, y1, wx, wy;
    int x0 = edge_tap(s, level->width, &x1, &wx), y0 = edge_tap(t, level->height, &y1, &wy);
    const uint32_t *row0 = level->texel + (size_t)y0 * (size_t)level->width;
    const uint32_t *row1 = level->texel + (size_t)y1 * (size_t)level->width;
    for (int k = 0; k < 3; k++) {
        int shift = 8 * k;
        int top = soft_lerp_u8(row0[x0] >> shift & 255, row0[x1] >> shift & 255, wx);
        int bottom = soft_lerp_u8(row1[x0] >> shift & 255, row1[x1] >> shift & 255, wx);
        out[k] = soft_lerp_u8(top, bottom, wy);
    }
}

static uint32_t sample_cube(const struct soft_texture *texture, const float d[3], float lod) {
    int face = face_of(d), last = texture->level_count - 1, fine[3], coarse[3];
    float s, t, major = fabsf(d[face >> 1]), scale = 0.5f / (major > 1e-30f ? major : 1e-30f);
    face_coordinates(face, d, &s, &t);
    s = s * scale + 0.5f, t = t * scale + 0.5f;
    lod = lod > 0 ? lod : 0; // also when it is not a number
    int level = lod < (float)last ? (int)lod : last;
    int weight = level < last ? (int)((lod - (float)level) * 256) : 0;
    sample_face(&texture->level[face][level], s, t, fine);
    if (weight) sample_face(&texture->level[face][level + 1], s, t, coarse);
    uint32_t color = 0;
    for (int k = 0; k < 3; k++) {
        int c = weight ? soft_lerp_u8(fine[k], coarse[k], weight) : fine[k];
        color |= (uint32_t)c << (8 * k);
    }
    return color;
}

void soft_cube_sample(const struct soft_texture *texture, const float at[3][SOFT_LANES],
                      uint32_t color[SOFT_LANES]) {
    for (int i = 0; i < SOFT_LANES; i++) {
        int corner = i & 2; // the quad's lanes are corner + 0, 1, 4, 5
        float d[3], c[3], dx[3], dy[3];
        for (int k = 0; k < 3; k++) {
            d[k] = at[k][i];
            c[k] = at[k][corner];
            dx[k] = at[k][corner + 1] - c[k];
            dy[k] = at[k][corner + 4] - c[k];
        }
        color[i] = sample_cube(texture, d,
                               cube_lod(face_of(c), c, dx, dy, (float)texture->level[0][0].width));
    }
}

// The sky cube's coordinates of a world direction: turned by 90 degrees about x.
static void sky_direction(const struct soft_view *view, double px, double py, float out[3]) {
    double d[3];
    for (int k = 0; k < 3; k++) d[k] = view->d0[k] + px * view->dx[k] + py * view->dy[k];
    out[0] = (float)d[0], out[1] = (float)d[2], out[2] = (float)-d[1];
}

// The view with rays from the eye to about where they meet the sky, when it is orthographic.
static struct soft_view far_view(const struct soft *soft, double *depth) {
    struct soft_view view = soft->view;
    *depth = 1;
    if (!view.orthographic) return view;
    const double *forward = &view.axis[6];
    double across = sqrt(forward[0] * forward[0] + forward[1] * forward[1]);
    *depth = (double)soft->far.sky_radius / fmax(across, fabs(forward[2]));
    for (int k = 0; k < 3; k++) view.d0[k] += *depth * forward[k];
    return view;
}

// w of the nearest point of the sky in view: of the longest ray, which runs through a corner.
static float nearest_sky(const struct soft *soft, const struct soft_view *view) {
    double longest = 0, inverse;
    for (int i = 0; i < 4; i++) {
        double square = 0;
        for (int k = 0; k < 3; k++) {
            double d = view->d0[k] + (i & 1) * view->width * view->dx[k] +
                       (i >> 1) * view->height * view->dy[k];
            square += d * d;
        }
        longest = fmax(longest, sqrt(square));
    }
    inverse = longest * (double)soft->far.facet / (double)soft->far.sky_radius;
    if (!view->orthographic) return (float)inverse;
    return soft->zfar - soft->far.depth / (float)inverse;
}

static void far_rays(const struct soft_view *view, const float *axes, struct soft_affine ray[3]) {
    for (int k = 0; k < 3; k++) {
        double d[3] = {0, 0, 0};
        for (int i = 0; i < 3; i++) {
            double axis = axes ? (double)axes[3 * i + k] : i == k;
            d[0] += axis * view->d0[i], d[1] += axis * view->dx[i], d[2] += axis * view->dy[i];
        }
        ray[k] = (struct soft_affine){(float)d[0], (float)d[1], (float)d[2]};
    }
}

// The first infinite plane has haze around it.
static void haze_setup(struct soft *soft, const mjvScene *scene, const struct soft_view *view) {
    struct soft_far *far = &soft->far;
    const mjModel *model = soft->model;
    const mjvGeom *plane = NULL;
    far->haze = false;
    for (int i = 0; i < scene->ngeom && !plane; i++) {
        const mjvGeom *geom = &scene->geoms[i];
        if (geom->type == mjGEOM_PLANE && geom->size[0] == 0 && geom->size[1] == 0) plane = geom;
    }
    if (!plane || !soft->sky || !scene->flags[mjRND_HAZE]) return;
    double height = 0;
    for (int k = 0; k < 3; k++) {
        height += (view->eye[k] - (double)plane->pos[k]) * (double)plane->mat[3 * k + 2];
    }
    far->elevation = (float)height / far->sky_radius;
    far->haze_rim = model->vis.map.haze;
    if (!(far->elevation > 1e-6f) || !(far->haze_rim > 0)) return;
    far->haze = true;
    far->haze_turn = far->haze_rim / (1 + far->haze_rim);
    far_rays(view, plane->mat, far->haze_ray);
    far->haze_color = 0;
    for (int k = 0; k < 3; k++) {
        float c = model->vis.rgba.haze[k];
        c = c > 0 ? c < 1 ? c : 1 : 0;
        far->haze_color |= (int)(c * 255 + 0.5f) << (8 * k);
    }
}

static void fog_setup(struct soft *soft, const mjvScene *scene) {
    struct soft_far *far = &soft->far;
    const mjModel *model = soft->model;
    float extent = (float)model->stat.extent, width;
    far->fog = scene->flags[mjRND_FOG] != 0;
    far->fog_end = extent * model->vis.map.fogend;
    width = far->fog_end - extent * model->vis.map.fogstart;
    far->fog_inverse = width != 0 ? 1 / width : 1e6f;
    for (int k = 0; k < 3; k++) {
        float c = model->vis.rgba.fog[k];
        far->fog_color[k] = 255 * (c > 0 ? c < 1 ? c : 1 : 0);
    }
}

// Whether anything reaches as far as the sky's cylinder.
static bool reaches_sky(const struct soft *soft, const mjvScene *scene) {
    double radius = (double)soft->far.sky_radius;
    for (int i = 0; i < scene->ngeom; i++) {
        const mjvGeom *geom = &scene->geoms[i];
        double square = 0, bound = (double)geom->modelrbound, size[3];
        for (int k = 0; k < 3; k++) {
            double d = (double)geom->pos[k] - soft->view.eye[k];
            square += d * d;
            size[k] = (double)geom->size[k];
        }
        if (geom->type == mjGEOM_PLANE) {
            bool infinite = !(size[0] > 0) || !(size[1] > 0);
            size[2] = infinite ? 2 * radius : 0;
        }
        bound = fmax(bound, sqrt(size[0] * size[0] + size[1] * size[1] + size[2] * size[2]));
        if (geom->type == mjGEOM_SKIN || geom->type == mjGEOM_FLEX) bound = radius;
        if (!(sqrt(square) + bound < radius)) return true;
    }
    return false;
}

void soft_far_setup(struct soft *soft, const mjvScene *scene) {
    struct soft_far *far = &soft->far;
    int slices = soft->model->vis.quality.numslices;
    double depth;
    far->slices = (float)(slices > 3 ? slices : 3);
    far->facet = (float)(1 / cos(mjPI / (double)far->slices));
    far->sky_radius = soft->zfar * 0.7f;
    struct soft_view view = far_view(soft, &depth);
    far->depth = (float)depth;
    far_rays(&view, NULL, far->ray);
    far->sky_cuts = soft->sky && reaches_sky(soft, scene);
    far->sky_w = far->sky_cuts ? nearest_sky(soft, &view) : soft->w_far;
    haze_setup(soft, scene, &view);
    fog_setup(soft, scene);
}

static void sky_quad(struct soft *soft, const struct soft_view *view, int x, int y) {
    const struct soft_texture *texture = &soft->texture[soft->sky_texture];
    float d[3][3], dx[3], dy[3];
    sky_direction(view, x + 0.5, y + 0.5, d[0]);
    sky_direction(view, x + 1.5, y + 0.5, d[1]);
    sky_direction(view, x + 0.5, y + 1.5, d[2]);
    for (int k = 0; k < 3; k++) dx[k] = d[1][k] - d[0][k], dy[k] = d[2][k] - d[0][k];
    float lod = cube_lod(face_of(d[0]), d[0], dx, dy, (float)texture->level[0][0].width);
    uint32_t *packet = soft->sky_pixel +
                       ((size_t)(y / 2) * (size_t)soft->packets_x + (size_t)(x / 4)) * SOFT_LANES;
    for (int i = 0; i < 4; i++) {
        float at[3];
        sky_direction(view, x + (i & 1) + 0.5, y + (i >> 1) + 0.5, at);
        packet[(i >> 1) * 4 + x % 4 + (i & 1)] = sample_cube(texture, at, lod);
    }
}

void soft_sky_setup(struct soft *soft) {
    if (!soft->sky) return;
    double key[9], depth;
    struct soft_view view = far_view(soft, &depth);
    for (int k = 0; k < 3; k++)
        key[k] = view.d0[k], key[3 + k] = view.dx[k], key[6 + k] = view.dy[k];
    if (!memcmp(key, soft->sky_key, sizeof key)) return;
    for (int y = 0; y < 2 * soft->packets_y; y += 2) {
        for (int x = 0; x < 4 * soft->packets_x; x += 2) sky_quad(soft, &view, x, y);
    }
    memcpy(soft->sky_key, key, sizeof key);
}
