// The renderer's kernel, included once per instruction set by soft_kernel_*.c with SOFT_KERNEL
// naming the entry and SOFT_ORTHOGRAPHIC the kind of camera. See soft.h for the conventions.
#include "render/soft.h"
#include "render/soft_vec.h"

// llvmpipe's 4x sample positions in a pixel, y up.
static const float sample_x[SOFT_SAMPLES] = {0.375f, 0.875f, 0.125f, 0.625f};
static const float sample_y[SOFT_SAMPLES] = {0.125f, 0.375f, 0.625f, 0.875f};

struct packet {
    vf x, y;             // pixel coordinates of the lanes' lower left corners
    vf w[SOFT_SAMPLES];  // 1 / depth of what is in front
    vi id[SOFT_SAMPLES]; // its part, -1 none
    vi color[SOFT_SAMPLES];
};

VEC vf affine(const struct soft_affine *f, vf x, vf y) {
    return vf_set(f->a) + x * f->b + y * f->c;
}

VEC vf quadric_value(const float *q, vf x, vf y) {
    return (x * q[3] + y * q[4] + q[1]) * x + (y * q[5] + q[2]) * y + q[0];
}

// Saturating sum of packed colours.
VEC vi add_colors(vi a, vi b) {
#if defined(__AVX2__)
    return (vi)_mm256_adds_epu8((__m256i)a, (__m256i)b);
#else
    struct vi_halves p, q;
    memcpy(&p, &a, sizeof p);
    memcpy(&q, &b, sizeof q);
    return vi_join(_mm_adds_epu8(p.lo, q.lo), _mm_adds_epu8(p.hi, q.hi));
#endif
}

VEC vi pack_color(const vf c[3]) { // each 0..1
    vi r = vf_round(c[0] * 255.0f), g = vf_round(c[1] * 255.0f), b = vf_round(c[2] * 255.0f);
    return r | g << 8 | b << 16;
}

// In this order: each file uses those before it.
// clang-format off
#include "render/soft_view.inc.h"
#include "render/soft_cover.inc.h"
#include "render/soft_sky.inc.h"
#include "render/soft_texture.inc.h"
#include "render/soft_shadow.inc.h"
#include "render/soft_light.inc.h"
#include "render/soft_plane.inc.h"
#include "render/soft_mesh.inc.h"
#include "render/soft_packet.inc.h"
// clang-format on
