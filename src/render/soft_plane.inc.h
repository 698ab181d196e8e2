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
    for (int k = 0; k < 3; k++) v[k] = part->eye[k] - p[k];
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
        vf total = vf_set(0);
        for (int k = 0; k < 4; k++) {
            float lane[8];
            vf value = k < 3 ? vf_clamp01(sum[k]) : vf_pick(total > 0, vf_set(1), vf_set(0));
            total += value;
            vf_store(lane, value);
            for (int i = 0; i < 8; i++) out[(i * passes + pass) * 4 + k] = lane[i];
        }
    }
    grid->stamp[first] = soft->frame;
}

// Cell and position in it along one dimension; at = coordinate in the grid's own units.
VEC vi find_cell(const struct soft_grid *grid, int k, vf at, vf *fraction) {
    int last = grid->count[k] - 2;
    float inner = grid->inner[k], half = grid->size[k], inverse_pad = grid->inverse_pad[k];
    vf steps = (at + inner) * grid->inverse_pitch[k];
    steps = vf_max(vf_min(steps, vf_set(1e6f)), vf_set(-1e6f));
    vf whole = vf_floor(steps);
    whole = vf_min(vf_max(whole, vf_set(-1)), vf_set((float)(last - 1)));
    vf f = steps - whole;
    f = vf_pick(whole < 0, (at + half) * inverse_pad, f);
    f = vf_pick(whole >= (float)(last - 1), (at - inner) * inverse_pad, f);
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

VEC __m128 lane_color(int packed) {
    __m128i zero = _mm_setzero_si128();
    __m128i bytes = _mm_unpacklo_epi8(_mm_cvtsi32_si128(packed), zero);
    return _mm_cvtepi32_ps(_mm_unpacklo_epi16(bytes, zero));
}

struct plane_point { // 8 pixels on a plane
    vf px, py, t;    // pixel coordinates; as ray_at takes it
    vf fx, fy;       // position in the cell
    vi cx, cy;       // cell
    vi texel, active, upper;
    vi dark[SOFT_MAX_LIGHTS]; // by shadow light, valid when known
    int known[SOFT_MAX_LIGHTS];
};

// Shadows on the floor: only of casters (bits) whose shadow's rectangle on the screen touches the
// packet.
VEC vi floor_shadow(const struct soft *soft, const struct soft_shadow *shadow, uint64_t bits,
                    int geom, const struct plane_point *p) {
    int directional = soft->light[shadow->light].directional;
    vi dark = vi_set(0);
    for (; bits; bits &= bits - 1) {
        const struct soft_caster *caster = &shadow->caster[__builtin_ctzll(bits)];
        if (caster->geom == geom) continue;
        dark |= blocked_by(shadow, caster, p->px, p->py, p->t, directional, p->active);
    }
    return dark;
}

// Which lanes a shadow pass leaves dark; found once a packet.
VEC vi pass_dark(const struct soft *soft, const struct soft_part *part, struct plane_point *p,
                 int pass) {
    if (pass == 0) return vi_set(0);
    const struct soft_shadow *shadow = &soft->shadow[pass - 1];
    if (!p->known[pass - 1]) {
        p->known[pass - 1] = 1;
        if (shadow->floor_count > 0 && part == &soft->part[soft->floor_part]) {
            uint64_t bits = shadow->floor_mask[(int)p->px[0] / 4];
            p->dark[pass - 1] = bits ? floor_shadow(soft, shadow, bits, part->geom, p) : vi_set(0);
        } else {
            p->dark[pass - 1] =
                in_shadow_apart(soft, shadow, part->geom, p->px, p->py, p->t, p->active);
        }
    }
    return p->dark[pass - 1];
}

// One pass of lanes in one cell; c: its corners' light, in the order that OpenGL draws them.
VEC vi shade_corners(const float *const c[4], const struct plane_point *p, int gray) {
    vf light[3];
    for (int k = 0; k < (gray ? 1 : 3); k++) {
        float c0 = c[0][k], c1 = c[1][k], c2 = c[2][k], c3 = c[3][k];
        vf low = p->fx * (c1 - c0) + p->fy * (c3 - c0) + c0;
        vf high = (1.0f - p->fy) * (c1 - c2) + (1.0f - p->fx) * (c3 - c2) + c2;
        light[k] = vf_clamp01(vf_pick(p->upper, high, low));
    }
    vf green = gray ? light[0] : light[1], blue = gray ? light[0] : light[2];
    vi r = vf_round(light[0] * vi_float(p->texel & 255));
    vi g = vf_round(green * vi_float(p->texel >> 8 & 255));
    vi b = vf_round(blue * vi_float(p->texel >> 16 & 255));
    return r | g << 8 | b << 16;
}

VEC vi shade_cell(const struct soft *soft, const struct soft_part *part, struct soft_grid *grid,
                  struct plane_point *p, int cx, int cy) {
    int passes = soft->shadow_count + 1, row_floats = grid->row_blocks * 8 * passes * 4;
    int gray = soft->gray_light && soft->material[part->geom].gray;
    light_cell(soft, part, grid, cx, cy);
    const float *first =
        grid->color + (size_t)cy * (size_t)row_floats + (size_t)cx * (size_t)passes * 4;
    vi color = vi_set(0);
    for (int pass = 0; pass < passes; pass++, first += 4) {
        const float *c[4] = {first, first + passes * 4, first + row_floats + passes * 4,
                             first + row_floats};
        if (c[0][3] + c[1][3] + c[2][3] + c[3][3] == 0 && !(soft->far.fog && pass == 0)) continue;
        vi dark = pass_dark(soft, part, p, pass);
        if (vi_all(dark | ~p->active)) continue;
        vi lit = with_fog(soft, shade_corners(c, p, gray), p->t, pass == 0);
        color = add_colors(color, lit & ~dark);
    }
    return color;
}

// Lanes that are each in a cell of their own, one after the other, four channels at a time.
static __attribute__((noinline)) vi shade_lanes(const struct soft *soft,
                                                const struct soft_part *part,
                                                struct soft_grid *grid, struct plane_point *p,
                                                vi lanes) {
    int passes = soft->shadow_count + 1, row_floats = grid->row_blocks * 8 * passes * 4;
    vi at = p->cy * row_floats + p->cx * (passes * 4);
    vi right = at + passes * 4, above = at + row_floats;
    float w1[8], w3[8];
    int32_t one[8], three[8], from[8], cell_x[8], cell_y[8], texel[8], color[8];
    int dark[SOFT_MAX_LIGHTS + 1];
    vf_store(w1, vf_pick(p->upper, 1.0f - p->fy, p->fx));
    vf_store(w3, vf_pick(p->upper, 1.0f - p->fx, p->fy));
    vi_store(one, right), vi_store(three, above);
    vi_store(from, vi_pick(p->upper, above + passes * 4, at));
    vi_store(cell_x, p->cx), vi_store(cell_y, p->cy), vi_store(texel, p->texel);
    vi_store(color, vi_set(0));
    for (int i = 0; i < passes; i++) dark[i] = vi_bits(pass_dark(soft, part, p, i));
    for (unsigned bits = (unsigned)vi_bits(lanes); bits; bits &= bits - 1) {
        int i = __builtin_ctz(bits);
        light_cell(soft, part, grid, cell_x[i], cell_y[i]);
        __m128 tint = lane_color(texel[i]);
        __m128i sum = _mm_setzero_si128();
        const float *c = grid->color;
        for (int k = 0; k < passes; k++, c += 4) {
            if (dark[k] >> i & 1) continue;
            __m128 light = interpolate(c + from[i], c + one[i], c + three[i], w1[i], w3[i]);
            sum = _mm_adds_epu8(sum, _mm_cvtsi32_si128(pack_lane(_mm_mul_ps(light, tint))));
        }
        color[i] = _mm_cvtsi128_si32(sum) & 0xffffff;
    }
    return vi_load(color);
}

static __attribute__((noinline)) vi shade_foggy_lanes(const struct soft *soft,
                                                      const struct soft_part *part,
                                                      struct soft_grid *grid, struct plane_point *p,
                                                      vi lanes) {
    vi color = vi_set(0);
    for (unsigned bits; (bits = (unsigned)vi_bits(lanes)) != 0;) {
        int lane = __builtin_ctz(bits);
        vi here = lanes & (p->cx == p->cx[lane]) & (p->cy == p->cy[lane]);
        color |= shade_cell(soft, part, grid, p, p->cx[lane], p->cy[lane]) & here;
        lanes &= ~here;
    }
    return color;
}

static __attribute__((noinline)) vi shade_plane(const struct soft *soft,
                                                const struct soft_part *part, vf px, vf py,
                                                vi active) {
    const struct soft_material *material = &soft->material[part->geom];
    struct soft_grid *grid = &soft->grid[part->grid];
    struct plane_point p;
    for (int i = 0; i < soft->shadow_count; i++) p.known[i] = 0;
    p.px = px, p.py = py, p.active = active;
    vf x = px - part->cx, y = py - part->cy;
    p.t = view_step(affine(&part->w, x, y));
    vf ux = affine(&part->wx, x, y), uy = affine(&part->wy, x, y);
    if (!SOFT_ORTHOGRAPHIC) ux *= p.t, uy *= p.t;
    p.texel = vi_set(0xffffff);
    if (material->texture >= 0 && !material->cube) {
        p.texel = sample_2d(&soft->texture[material->texture],
                            ux * material->tex_scale[0] + material->tex_shift[0],
                            uy * material->tex_scale[1] + material->tex_shift[1]);
    }
    p.cx = find_cell(grid, 0, ux * grid->size[0], &p.fx);
    p.cy = find_cell(grid, 1, uy * grid->size[1], &p.fy);
    p.upper = p.fx + p.fy > 1.0f;
    // Usually all lanes are in one cell or two; towards the horizon in many.
    vi left = active, color = vi_set(0);
    for (int cells = 0; cells < 3; cells++) {
        unsigned bits = (unsigned)vi_bits(left);
        if (!bits) return color;
        int lane = __builtin_ctz(bits), cx = p.cx[lane], cy = p.cy[lane];
        vi here = left & (p.cx == cx) & (p.cy == cy);
        if (cells == 0 && !vi_any(left & ~here)) return shade_cell(soft, part, grid, &p, cx, cy);
        color = vi_pick(here, shade_cell(soft, part, grid, &p, cx, cy), color);
        left &= ~here;
    }
    if (!vi_any(left)) return color;
    return color | (UNLIKELY(soft->far.fog) ? shade_foggy_lanes(soft, part, grid, &p, left)
                                            : shade_lanes(soft, part, grid, &p, left));
}
