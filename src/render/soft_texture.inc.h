// Trilinear filtering of repeating 2d textures with llvmpipe's arithmetic: one level of detail a
// 2x2 quad from differences of the coordinates, log2 by the exponent and a linear mantissa, 8-bit
// weights.

#define VF_SHUFFLE(v, ...) __builtin_shufflevector(v, v, __VA_ARGS__)

struct lod {
    int level[2][2]; // [quad][finer, coarser]
    int weight[2];   // of the coarser, 0..255
};

VEC struct lod lod_of_quads(const struct soft_texture *texture, vf u, vf v) {
    vf w = vf_set((float)texture->level[0][0].width),
       h = vf_set((float)texture->level[0][0].height);
    vf u0 = VF_SHUFFLE(u, 0, 0, 2, 2, 0, 0, 2, 2), v0 = VF_SHUFFLE(v, 0, 0, 2, 2, 0, 0, 2, 2);
    vf u1 = VF_SHUFFLE(u, 1, 4, 3, 6, 1, 4, 3, 6), v1 = VF_SHUFFLE(v, 1, 4, 3, 6, 1, 4, 3, 6);
    vf du = (u1 - u0) * w, dv = (v1 - v0) * h;
    vf length = du * du + dv * dv; // lanes 0, 2 along x; 1, 3 along y
    vf rho = vf_max(length, VF_SHUFFLE(length, 1, 0, 3, 2, 5, 4, 7, 6));
    vi bits = (vi)rho;
    vf mantissa = (vf)((bits & 0x7fffff) | 0x3f800000);
    vf lod = (vi_float((bits >> 23) - 128) + mantissa) * 0.5f;
    lod = vf_min(vf_max(lod, vf_set(0)), vf_set((float)(texture->level_count - 1)));
    vi level = vf_trunc(lod), weight = vf_trunc((lod - vi_float(level)) * 256.0f);
    struct lod result;
    for (int q = 0; q < 2; q++) {
        int fine = level[2 * q], last = texture->level_count - 1;
        result.level[q][0] = fine;
        result.level[q][1] = fine < last ? fine + 1 : last;
        result.weight[q] = weight[2 * q];
    }
    return result;
}

// Position in a repeating dimension: texel index and 8-bit weight of the next one. Sizes that are
// not powers of two take the coordinate's fraction.
VEC vi repeat_tap(vf coordinate, vf size256, vi last, int power_of_two, vi *weight) {
    vi fixed = vf_round(coordinate * size256) - 128;
    *weight = fixed & 255;
    vi at = fixed >> 8;
    if (power_of_two) return at & last;
    at = vi_pick(at < 0, last, at);
    return vi_pick(at > last, last, at);
}

struct taps {
    int32_t offset[8]; // bytes from the level's first footprint
    vi wu, wv;
};

// a and b: the levels of the left and right quad.
VEC void find_taps(const struct soft_level *a, const struct soft_level *b, vf u, vf v, int pot_u,
                   int pot_v, struct taps *taps) {
    vf width256 = vf_set(a->width256), height256 = vf_set(a->height256);
    vi width = vi_set(a->width), height = vi_set(a->height);
    if (a != b) {
        vi right = {0, 0, -1, -1, 0, 0, -1, -1};
        width256 = vf_pick(right, vf_set(b->width256), width256);
        height256 = vf_pick(right, vf_set(b->height256), height256);
        width = vi_pick(right, vi_set(b->width), width);
        height = vi_pick(right, vi_set(b->height), height);
    }
    vi x = repeat_tap(u, width256, width - 1, pot_u, &taps->wu);
    vi y = repeat_tap(v, height256, height - 1, pot_v, &taps->wv);
    vi_store(taps->offset, (y * width + x) << 4);
}

// Four pixels of a quad (lanes i, i + 1 and i + 4, i + 5; i is 0 or 2), R G B X as int16 each.
#define FILTER_QUAD(name, i)                                                                       \
    VEC v16 name(const uint8_t *base, const struct taps *t) {                                      \
        v16 a = v16_load2(base + t->offset[i], base + t->offset[i + 4]);                           \
        v16 b = v16_load2(base + t->offset[i + 1], base + t->offset[i + 5]);                       \
        a = v16_lerp(v16_widen_low(a), v16_widen_high(a), v16_spread(t->wu, i, i));                \
        b = v16_lerp(v16_widen_low(b), v16_widen_high(b), v16_spread(t->wu, i + 1, i + 1));        \
        return v16_lerp(v16_low64(a, b), v16_high64(a, b), v16_spread(t->wv, i, i + 1));           \
    }
FILTER_QUAD(filter_quad0, 0)
FILTER_QUAD(filter_quad1, 2)

// Colours of a 2d texture.
VEC vi sample_2d(const struct soft_texture *texture, vf u, vf v) {
    struct lod lod = lod_of_quads(texture, u, v);
    const struct soft_level *level = texture->level[0];
    int pot_u = (level->width & (level->width - 1)) == 0;
    int pot_v = (level->height & (level->height - 1)) == 0;
    // Coordinates of lanes without a surface may be anything; keep the conversion defined.
    u = vf_max(vf_min(u, vf_set(1e6f)), vf_set(-1e6f));
    v = vf_max(vf_min(v, vf_set(1e6f)), vf_set(-1e6f));
    if (!pot_u) u -= vf_floor(u);
    if (!pot_v) v -= vf_floor(v);
    const struct soft_level *f[2] = {&level[lod.level[0][0]], &level[lod.level[1][0]]};
    const struct soft_level *c[2] = {&level[lod.level[0][1]], &level[lod.level[1][1]]};
    struct taps taps;
    find_taps(f[0], f[1], u, v, pot_u, pot_v, &taps);
    v16 quad0 = filter_quad0(f[0]->footprint, &taps), quad1 = filter_quad1(f[1]->footprint, &taps);
    if (lod.weight[0] | lod.weight[1]) {
        find_taps(c[0], c[1], u, v, pot_u, pot_v, &taps);
        quad0 = v16_lerp(quad0, filter_quad0(c[0]->footprint, &taps), v16_set(lod.weight[0]));
        quad1 = v16_lerp(quad1, filter_quad1(c[1]->footprint, &taps), v16_set(lod.weight[1]));
    }
    return v16_pack(quad0, quad1);
}
