// Triangles in packets: coverage by edge functions, light at the corners as OpenGL has it.

enum { TRIANGLE_ID = 1 << 24 }; // ids of samples: below, a part; from here on, a triangle

VEC vi cover_triangle(const struct soft_triangle *t, vf x, vf y, vf *w) {
    vf b0 = affine(&t->b[0], x, y), b1 = affine(&t->b[1], x, y), b2 = affine(&t->b[2], x, y);
    *w = SOFT_ORTHOGRAPHIC ? affine(&t->w, x, y) : b0 + b1 + b2;
    return (b0 >= 0) & (b1 >= 0) & (b2 >= 0);
}

VEC int triangle_touches(const struct soft_triangle *t, int py) {
    return t->y0 < py + 2 && t->y1 > py;
}

VEC int triangle_samples(const struct soft *soft, const struct soft_triangle *t, int clip,
                         const struct packet *packet, vi mask[SOFT_SAMPLES], vf w[SOFT_SAMPLES]) {
    vi any = vi_set(0);
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        vf x = packet->x + sample_x[s], y = packet->y + sample_y[s];
        vi hit = cover_triangle(t, x, y, &w[s]);
        hit &= (w[s] >= packet->w[s]) & (w[s] <= soft->w_near);
        if (clip) hit &= w[s] * soft->mirror_clip_eye + affine(&soft->mirror_clip, x, y) >= 0;
        mask[s] = hit;
        any |= hit;
    }
    return vi_any(any);
}

// Light of a pass at the three corners (lanes 0 to 2).
VEC void light_corners(const struct soft *soft, const struct soft_part *part,
                       const struct soft_triangle *t, const int *lights, int count, float emission,
                       float reflectance, vf sum[3]) {
    const struct soft_material *material = &soft->material[part->geom];
    const float *a = t->corner, *b = a + SOFT_CORNER, *c = b + SOFT_CORNER;
    vf p[3], n[3], v[3];
    for (int k = 0; k < 3; k++) {
        p[k] = (vf){a[k], b[k], c[k]};
        n[k] = (vf){a[3 + k], b[3 + k], c[3 + k]};
        v[k] = part->eye[k] - p[k];
        sum[k] = vf_set(emission * material->rgba[k] * reflectance);
    }
    normalize(n), normalize(v);
    for (int i = 0; i < count; i++) {
        add_light(&soft->light[lights[i]], &part->light[lights[i]], material, reflectance, p, n, v,
                  sum);
    }
    for (int k = 0; k < 3; k++) sum[k] = vf_clamp01(sum[k]);
}

static __attribute__((noinline)) vi shade_triangle(const struct soft *soft,
                                                   const struct soft_part *part,
                                                   const struct soft_triangle *t, vf x, vf y,
                                                   vi active, const struct shade_mode *mode) {
    const struct soft_material *material = &soft->material[part->geom];
    vf b[3], step, texel[3], light[3];
    for (int i = 0; i < 3; i++) b[i] = affine(&t->b[i], x, y);
    if (SOFT_ORTHOGRAPHIC) {
        step = affine(&t->w, x, y);
    } else {
        step = vf_set(1) / (b[0] + b[1] + b[2]);
        for (int i = 0; i < 3; i++) b[i] *= step;
    }
    for (int k = 0; k < 3; k++) texel[k] = vf_set(1);
    if (material->texture >= 0) {
        const struct soft_texture *texture = &soft->texture[material->texture];
        vf at[SOFT_CORNER];
        for (int k = 0; k < SOFT_CORNER; k++) {
            const float *c = t->corner + k;
            at[k] = b[0] * c[0] + b[1] * c[SOFT_CORNER] + b[2] * c[2 * SOFT_CORNER];
        }
        vi color;
        if (material->cube) {
            float lanes[3][SOFT_LANES];
            uint32_t found[SOFT_LANES];
            for (int k = 0; k < 3; k++) vf_store(lanes[k], at[k] * material->tex_scale[k]);
            soft_cube_sample(texture, lanes, found);
            color = vi_load(found);
        } else {
            color = sample_2d(texture, at[6] * part->uv[0][0] + part->uv[0][2],
                              at[7] * part->uv[1][1] + part->uv[1][2]);
        }
        for (int k = 0; k < 3; k++) texel[k] = vi_float(color >> (8 * k) & 255) * (1 / 255.0f);
    }
    vi result = vi_set(0);
    int passes = mode->shadows ? soft->shadow_count : 0;
    for (int pass = 0; pass <= passes; pass++) {
        vi dark = vi_set(0);
        if (pass > 0) {
            dark = in_shadow_apart(soft, &soft->shadow[pass - 1], part->geom, x, y, step, active);
            if (vi_all(dark | ~active)) continue;
            light_corners(soft, part, t, &soft->shadow[pass - 1].light, 1, 0, 1, light);
        } else {
            light_corners(soft, part, t, mode->light, mode->count, base_emission(soft, material),
                          mode->reflectance, light);
        }
        vf color[3];
        for (int k = 0; k < 3; k++) {
            color[k] = vf_clamp01(b[0] * light[k][0] + b[1] * light[k][1] + b[2] * light[k][2]);
            color[k] *= texel[k];
        }
        vi lit = with_fog(soft, pack_color(color), step, pass == 0);
        result = add_colors(result, lit & ~dark);
    }
    return result;
}
