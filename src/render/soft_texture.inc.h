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

VEC __m128i multiply_round(__m128i a, __m128i b) { // (a b + 2^14) >> 15
#if defined(__SSSE3__)
    return _mm_mulhrs_epi16(a, b);
#else
    __m128i high = _mm_mulhi_epi16(a, b), low = _mm_srli_epi16(_mm_mullo_epi16(a, b), 14);
    return _mm_add_epi16(_mm_add_epi16(high, high),
                         _mm_srli_epi16(_mm_add_epi16(low, _mm_set1_epi16(1)), 1));
#endif
}

VEC __m128i lerp_i16(__m128i a, __m128i b, __m128i weight) {
    return _mm_add_epi16(a, multiply_round(_mm_slli_epi16(_mm_sub_epi16(b, a), 7), weight));
}

VEC __m128i filter_footprint(const uint8_t *footprint, int weight_u, int weight_v) {
    __m128i raw = _mm_loadu_si128((const __m128i *)footprint), zero = _mm_setzero_si128();
    __m128i left = _mm_unpacklo_epi8(raw, zero), right = _mm_unpackhi_epi8(raw, zero);
    __m128i rows = lerp_i16(left, right, _mm_set1_epi16((short)weight_u));
    return lerp_i16(rows, _mm_srli_si128(rows, 8), _mm_set1_epi16((short)weight_v));
}

// Position in a repeating dimension: texel index and 8-bit weight of the next one.
VEC vi repeat_tap(vf coordinate, vf size, int power_of_two, vi *weight) {
    if (!power_of_two) coordinate -= vf_floor(coordinate);
    vi fixed = vf_round(coordinate * (size * 256.0f)) - 128;
    *weight = fixed & 255;
    vi at = fixed >> 8, last = vf_round(size) - 1;
    if (power_of_two) return at & last;
    at = vi_pick(at < 0, last, at);
    return vi_pick(at > last, last, at);
}

struct taps {
    int32_t offset[8], wu[8], wv[8]; // byte offset of the footprint in its level
};

VEC void find_taps(const struct soft_level *a, const struct soft_level *b, vf u, vf v, int pot_u,
                   int pot_v, struct taps *taps) {
    float wa = (float)a->width, wb = (float)b->width, ha = (float)a->height, hb = (float)b->height;
    vi wu, wv;
    vi x = repeat_tap(u, (vf){wa, wa, wb, wb, wa, wa, wb, wb}, pot_u, &wu);
    vi y = repeat_tap(v, (vf){ha, ha, hb, hb, ha, ha, hb, hb}, pot_v, &wv);
    vi stride = {a->width, a->width, b->width, b->width, a->width, a->width, b->width, b->width};
    vi_store(taps->offset, (y * stride + x) * 16);
    vi_store(taps->wu, wu);
    vi_store(taps->wv, wv);
}

// texel[lane]: R G B X as 16-bit integers 0..255 in the low half.
VEC void sample_2d(const struct soft_texture *texture, vf u, vf v, __m128i texel[8]) {
    struct lod lod = lod_of_quads(texture, u, v);
    const struct soft_level *level = texture->level[0];
    int pot_u = (level->width & (level->width - 1)) == 0,
        pot_v = (level->height & (level->height - 1)) == 0;
    // Coordinates of lanes without a surface may be anything; keep the conversion defined.
    u = vf_max(vf_min(u, vf_set(1e6f)), vf_set(-1e6f));
    v = vf_max(vf_min(v, vf_set(1e6f)), vf_set(-1e6f));
    struct taps fine, coarse;
    const struct soft_level *f[2] = {&level[lod.level[0][0]], &level[lod.level[1][0]]};
    const struct soft_level *c[2] = {&level[lod.level[0][1]], &level[lod.level[1][1]]};
    find_taps(f[0], f[1], u, v, pot_u, pot_v, &fine);
    if (lod.weight[0] | lod.weight[1]) find_taps(c[0], c[1], u, v, pot_u, pot_v, &coarse);
    for (int i = 0; i < 8; i++) {
        int q = i >> 1 & 1;
        texel[i] = filter_footprint(f[q]->footprint + fine.offset[i], fine.wu[i], fine.wv[i]);
        if (!lod.weight[q]) continue;
        __m128i other =
            filter_footprint(c[q]->footprint + coarse.offset[i], coarse.wu[i], coarse.wv[i]);
        texel[i] = lerp_i16(texel[i], other, _mm_set1_epi16((short)lod.weight[q]));
    }
}

VEC vi sample_2d_packed(const struct soft_texture *texture, vf u, vf v) {
    __m128i texel[8];
    int32_t color[8];
    sample_2d(texture, u, v, texel);
    for (int i = 0; i < 8; i++) color[i] = _mm_cvtsi128_si32(_mm_packus_epi16(texel[i], texel[i]));
    return vi_load(color);
}
