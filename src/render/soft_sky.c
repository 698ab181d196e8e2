// The sky's pixels: cube map looked up along the view ray (MuJoCo draws a cylinder far away, whose
// shape does not show), llvmpipe's arithmetic. Kept until the camera turns: dm_control's cameras
// follow but do not turn.
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

static void sky_quad(struct soft *soft, int x, int y) {
    const struct soft_texture *texture = &soft->texture[soft->sky_texture];
    float d[3][3], dx[3], dy[3];
    sky_direction(&soft->view, x + 0.5, y + 0.5, d[0]);
    sky_direction(&soft->view, x + 1.5, y + 0.5, d[1]);
    sky_direction(&soft->view, x + 0.5, y + 1.5, d[2]);
    for (int k = 0; k < 3; k++) dx[k] = d[1][k] - d[0][k], dy[k] = d[2][k] - d[0][k];
    float lod = cube_lod(face_of(d[0]), d[0], dx, dy, (float)texture->level[0][0].width);
    uint32_t *packet = soft->sky_pixel +
                       ((size_t)(y / 2) * (size_t)soft->packets_x + (size_t)(x / 4)) * SOFT_LANES;
    for (int i = 0; i < 4; i++) {
        float at[3];
        sky_direction(&soft->view, x + (i & 1) + 0.5, y + (i >> 1) + 0.5, at);
        packet[(i >> 1) * 4 + x % 4 + (i & 1)] = sample_cube(texture, at, lod);
    }
}

void soft_sky_setup(struct soft *soft) {
    if (!soft->sky) return;
    const struct soft_view *view = &soft->view;
    double key[9];
    for (int k = 0; k < 3; k++)
        key[k] = view->d0[k], key[3 + k] = view->dx[k], key[6 + k] = view->dy[k];
    if (!memcmp(key, soft->sky_key, sizeof key)) return;
    for (int y = 0; y < 2 * soft->packets_y; y += 2) {
        for (int x = 0; x < 4 * soft->packets_x; x += 2) sky_quad(soft, x, y);
    }
    memcpy(soft->sky_key, key, sizeof key);
}
