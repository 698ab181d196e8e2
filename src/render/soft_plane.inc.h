// Planes: lit at the vertices of MuJoCo's grid, interpolated over the two triangles of a cell,
// times the texture. Vertices are lit in runs of 8 when first needed in a frame.

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static __attribute__((noinline)) void light_run(const struct soft *soft,
                                                const struct soft_part *part,
                                                struct soft_grid *grid, int run, int row) {
    const struct soft_material *material = &soft->material[part->geom];
    int passes = soft->shadow_count + 1;
    float kx = part->scale[0] / grid->size[0], ky = part->scale[1] / grid->size[1];
    vf p[3] = {vf_load(grid->position[0] + run * 8) * kx, vf_set(grid->position[1][row] * ky),
               vf_set(0)};
    vf n[3] = {vf_set(0), vf_set(0), vf_set(1)}, v[3];
    for (int k = 0; k < 3; k++) v[k] = vf_set(part->origin[k] * part->scale[k]) - p[k];
    normalize(v);
    size_t first = ((size_t)row * (size_t)grid->row_blocks + (size_t)run);
    float *out = grid->color + first * 8 * (size_t)passes * 4;
    for (int pass = 0; pass < passes; pass++) {
        vf sum[3];
        float ambient = pass == 0 ? base_emission(soft, material) : 0;
        for (int k = 0; k < 3; k++) sum[k] = vf_set(ambient * material->rgba[k]);
        int count = pass == 0 ? soft->base_light_count : 1;
        for (int i = 0; i < count; i++) {
            int light = pass == 0 ? soft->base_light[i] : soft->shadow[pass - 1].light;
            add_light(&soft->light[light], &part->light[light], material, 1, p, n, v, sum);
        }
        for (int k = 0; k < 3; k++) {
            float lane[8];
            vf_store(lane, vf_clamp01(sum[k]));
            for (int i = 0; i < 8; i++) out[(i * passes + pass) * 4 + k] = lane[i];
        }
    }
    grid->stamp[first] = soft->frame;
}

// Cell and position in it along one dimension; at = coordinate in the grid's own units.
VEC vi find_cell(const struct soft_grid *grid, int k, vf at, vf *fraction) {
    float half = grid->size[k], pitch = grid->pitch[k], pad = grid->pad[k];
    int last = grid->count[k] - 2;
    float inverse_pad = pad > 0 ? 1 / pad : 0;
    vf steps = (at + (half - pad)) * (1 / pitch);
    steps = vf_max(vf_min(steps, vf_set(1e6f)), vf_set(-1e6f));
    vf whole = vf_floor(steps);
    whole = vf_min(vf_max(whole, vf_set(-1)), vf_set((float)(last - 1)));
    vf f = steps - whole;
    f = vf_pick(whole < 0, (at + half) * inverse_pad, f);
    f = vf_pick(whole >= (float)(last - 1), (at - (half - pad)) * inverse_pad, f);
    *fraction = f;
    return vf_round(whole) + 1;
}

VEC void light_cell(const struct soft *soft, const struct soft_part *part, struct soft_grid *grid,
                    int x, int y) {
    uint32_t *stamp = grid->stamp + (size_t)y * (size_t)grid->row_blocks;
    int run = x >> 3, next = (x + 1) >> 3;
    if (UNLIKELY(stamp[run] != soft->frame)) light_run(soft, part, grid, run, y);
    if (UNLIKELY(stamp[next] != soft->frame)) light_run(soft, part, grid, next, y);
    stamp += grid->row_blocks;
    if (UNLIKELY(stamp[run] != soft->frame)) light_run(soft, part, grid, run, y + 1);
    if (UNLIKELY(stamp[next] != soft->frame)) light_run(soft, part, grid, next, y + 1);
}

VEC __m128 interpolate(const float *base, const float *one, const float *three, float w1,
                       float w3) {
    __m128 b = _mm_loadu_ps(base);
    __m128 c = _mm_add_ps(b, _mm_mul_ps(_mm_sub_ps(_mm_loadu_ps(one), b), _mm_set1_ps(w1)));
    return _mm_add_ps(c, _mm_mul_ps(_mm_sub_ps(_mm_loadu_ps(three), b), _mm_set1_ps(w3)));
}

VEC int pack_lane(__m128 color) {
    __m128i c = _mm_cvtps_epi32(color);
    c = _mm_packs_epi32(c, c);
    return _mm_cvtsi128_si32(_mm_packus_epi16(c, c));
}

VEC __m128 widen(__m128i texel) {
    return _mm_cvtepi32_ps(_mm_unpacklo_epi16(texel, _mm_setzero_si128()));
}

static __attribute__((noinline)) vi shade_plane(const struct soft *soft,
                                                const struct soft_part *part, vf px, vf py,
                                                vi active) {
    const struct soft_material *material = &soft->material[part->geom];
    struct soft_grid *grid = &soft->grid[part->grid];
    int passes = soft->shadow_count + 1;
    vf x = px - part->cx, y = py - part->cy;
    vf t = vf_set(1) / affine(&part->w, x, y);
    vf ux = affine(&part->wx, x, y) * t, uy = affine(&part->wy, x, y) * t;
    __m128i texel[8];
    if (material->texture >= 0 && !material->cube) {
        sample_2d(&soft->texture[material->texture],
                  ux * material->tex_scale[0] + material->tex_shift[0],
                  uy * material->tex_scale[1] + material->tex_shift[1], texel);
    } else {
        for (int i = 0; i < 8; i++) texel[i] = _mm_set1_epi16(255);
    }
    vf fx, fy;
    vi cx = find_cell(grid, 0, ux * grid->size[0], &fx),
       cy = find_cell(grid, 1, uy * grid->size[1], &fy);
    vi upper = fx + fy > 1.0f;
    int row_floats = grid->row_blocks * 8 * passes * 4;
    vi at = cy * row_floats + cx * (passes * 4);
    vi right = at + passes * 4, above = at + row_floats,
       base = vi_pick(upper, above + passes * 4, at);
    float w1[8], w3[8];
    int32_t one[8], three[8], from[8], cell_x[8], cell_y[8], dark[SOFT_MAX_LIGHTS][8], color[8];
    vf_store(w1, vf_pick(upper, 1.0f - fy, fx));
    vf_store(w3, vf_pick(upper, 1.0f - fx, fy));
    vi_store(one, right), vi_store(three, above), vi_store(from, base);
    vi_store(cell_x, cx), vi_store(cell_y, cy);
    for (int i = 0; i < soft->shadow_count; i++) {
        vi_store(dark[i], in_shadow(soft, &soft->shadow[i], part->geom, px, py, t, active));
    }
    for (int i = 0; i < 8; i++) {
        light_cell(soft, part, grid, cell_x[i], cell_y[i]);
        __m128 tint = widen(texel[i]);
        const float *c = grid->color;
        __m128 light = interpolate(c + from[i], c + one[i], c + three[i], w1[i], w3[i]);
        __m128i sum = _mm_cvtsi32_si128(pack_lane(_mm_mul_ps(light, tint)));
        for (int k = 1; k < passes; k++) {
            c += 4;
            if (dark[k - 1][i]) continue;
            light = interpolate(c + from[i], c + one[i], c + three[i], w1[i], w3[i]);
            sum = _mm_adds_epu8(sum, _mm_cvtsi32_si128(pack_lane(_mm_mul_ps(light, tint))));
        }
        color[i] = _mm_cvtsi128_si32(sum);
    }
    return vi_load(color) & 0xffffff;
}
