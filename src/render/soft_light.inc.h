// Lighting of small parts: OpenGL's fixed-function formula at the pixel's centre, in the part's own
// frame. (MuJoCo lights the vertices of a fine mesh and interpolates; on small parts that is the
// same.)

struct surface {         // of a part at 8 pixels, metres in the part's frame
    vf p[3], n[3], v[3]; // point, unit normal, unit vector to the eye
    vf shape[3];         // point on the geom's unit shape, as MuJoCo's meshes have it
    vf t;                // as ray_at takes it
};

struct shade_mode { // which lights a pass over a part takes
    const int *light;
    int count;
    float reflectance; // of the mirror, times the colour; 1 elsewhere
    int shadows;       // add the passes of the shadow-casting lights
};

VEC vf dot(const vf a[3], const vf b[3]) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

VEC void normalize(vf v[3]) {
    vf inverse = vf_set(1) / vf_sqrt(vf_max(dot(v, v), vf_set(1e-30f)));
    for (int k = 0; k < 3; k++) v[k] *= inverse;
}

// x^exponent, 0 <= x <= 1; by squaring for the usual whole exponents.
VEC vf power(vf x, float exponent) {
    int whole = (int)exponent;
    if ((float)whole != exponent || whole < 1 || whole > 128) return vf_power(x, exponent);
    vf result = vf_set(1);
    for (;;) {
        if (whole & 1) result *= x;
        whole >>= 1;
        if (!whole) return result;
        x *= x;
    }
}

// Adds one light's part to sum.
VEC void add_light(const struct soft_light *light, const struct soft_local_light *local,
                   const struct soft_material *material, float reflectance, const vf p[3],
                   const vf n[3], const vf v[3], vf sum[3]) {
    vf l[3], scale = vf_set(1);
    if (light->directional) {
        for (int k = 0; k < 3; k++) l[k] = vf_set(local->pos[k]);
    } else {
        for (int k = 0; k < 3; k++) l[k] = vf_set(local->pos[k]) - p[k];
        vf distance = vf_sqrt(dot(l, l)), inverse = vf_set(1) / vf_max(distance, vf_set(1e-12f));
        for (int k = 0; k < 3; k++) l[k] *= inverse;
        const float *a = light->attenuation;
        if (a[1] != 0 || a[2] != 0 || a[0] != 1) {
            scale = vf_set(1) / ((distance * a[2] + a[1]) * distance + a[0]);
        }
        if (light->cos_cutoff > -2) {
            vf cosine = -(l[0] * local->dir[0] + l[1] * local->dir[1] + l[2] * local->dir[2]);
            vi inside = cosine >= light->cos_cutoff;
            if (!vi_any(inside)) return;
            if (light->exponent != 0) scale *= power(vf_max(cosine, vf_set(0)), light->exponent);
            scale = vf_pick(inside, scale, vf_set(0));
        }
    }
    vf facing = dot(n, l), diffuse = vf_max(facing, vf_set(0)) * scale;
    for (int k = 0; k < 3; k++) {
        float color = material->rgba[k] * reflectance;
        sum[k] += scale * (light->ambient[k] * color) + diffuse * (light->diffuse[k] * color);
    }
    if (material->specular == 0) return;
    vf h[3] = {l[0] + v[0], l[1] + v[1], l[2] + v[2]};
    normalize(h);
    vf base = vf_pick(facing > 0, vf_max(dot(n, h), vf_set(0)), vf_set(0));
    if (material->shininess > 8 && !vi_any(base > 0.4f)) return; // below 1/255 of the light
    vf shine = material->shininess > 0 ? power(base, material->shininess)
                                       : vf_pick(facing > 0, vf_set(1), vf_set(0));
    shine *= scale;
    for (int k = 0; k < 3; k++) sum[k] += shine * (light->specular[k] * material->specular);
}

// Unit coordinates of the mesh that MuJoCo draws: its tubes run from -1 to 1, caps rise from 1
// to 2.
VEC void shape_point(const struct soft_part *part, const vf unit[3], const vf normal[3], vf cap,
                     vf shape[3]) {
    shape[0] = unit[0], shape[1] = unit[1], shape[2] = unit[2];
    if (part->kind == SOFT_TUBE || part->kind == SOFT_CAPSULE) {
        shape[2] = unit[2] * (1 / (part->half > 1e-6f ? part->half : 1e-6f));
    }
    if (part->kind == SOFT_CAPSULE) {
        for (int k = 0; k < 2; k++) shape[k] = vf_pick(cap == 0, unit[k], normal[k]);
        shape[2] = vf_pick(cap == 0, shape[2], normal[2] + cap);
    } else if (part->kind == SOFT_DISC || part->kind == SOFT_RECT) {
        shape[part->cube_axis[0]] = unit[0];
        shape[part->cube_axis[1]] = unit[1] * part->cube_sign;
        shape[part->cube_axis[2]] = vf_set(part->cube_height);
    }
}

// Point, normal and view vector of a part at pixel coordinates; where its surface is missed, the
// nearest point of its outline.
VEC void surface_at(const struct soft_part *part, vf px, vf py, struct surface *s) {
    vf x = px - part->cx, y = py - part->cy, w, unit[3], cap = vf_set(0);
    switch ((enum soft_kind)part->kind) {
    case SOFT_CAPSULE: cover_capsule(part, x, y, &w, &cap); break;
    case SOFT_DISC:
    case SOFT_RECT: cover_planar(part, x, y, &w); break;
    default: cover_quadric(&part->body, x, y, &w); break;
    }
    s->t = view_step(w);
    for (int k = 0; k < 3; k++) {
        unit[k] = ray_at(&part->ray[k], part->origin[k], x, y, s->t);
        s->p[k] = unit[k] * part->scale[k];
        s->v[k] = part->eye[k] - s->p[k];
    }
    normalize(s->v);
    for (int k = 0; k < 3; k++) s->n[k] = unit[k] * part->inverse_scale[k];
    if (part->kind == SOFT_CAPSULE) {
        s->n[2] =
            vf_pick(cap == 0, vf_set(0), (unit[2] - cap * part->half) * part->inverse_scale[2]);
    } else if (part->kind == SOFT_TUBE) {
        s->n[2] = vf_set(0);
    } else if (part->kind == SOFT_DISC || part->kind == SOFT_RECT) {
        s->n[0] = s->n[1] = vf_set(0);
        s->n[2] = vf_set(1);
    }
    normalize(s->n);
    shape_point(part, unit, s->n, cap, s->shape);
}

// 2d texture coordinates of round parts: once around, and from the top down.
VEC void round_coordinates(const struct soft_part *part, const struct surface *s,
                           const struct soft_material *material, vf uv[2]) {
    vf u = vf_turns(s->shape[1], s->shape[0]), z = s->shape[2], v;
    vf flat = vf_sqrt(vf_max(1.0f - s->n[2] * s->n[2], vf_set(0)));
    vf elevation = vf_turns(s->n[2], flat); // -1/4 turn is 3/4
    elevation = vf_pick(elevation > 0.5f, elevation - 1.0f, elevation);
    if (part->kind == SOFT_ELLIPSOID) {
        elevation = vf_turns(z, vf_sqrt(vf_max(1.0f - z * z, vf_set(0))));
        elevation = vf_pick(elevation > 0.5f, elevation - 1.0f, elevation);
        v = 0.5f - elevation * 2.0f;
    } else {
        v = (1.0f - z) * 0.5f;
        vf cap = vf_pick(z > 0, 1.0f - elevation * 4.0f, elevation * -4.0f);
        if (part->kind == SOFT_CAPSULE) v = vf_pick(vf_abs(z) > 1.0f, cap, v);
    }
    uv[0] = u * (2 * material->tex_scale[0]);
    uv[1] = v * (-2 * material->tex_scale[1]);
}

// Texture of a small part, 0..1 a channel.
VEC void part_texel(const struct soft *soft, const struct soft_part *part, const struct surface *s,
                    vf texel[3]) {
    const struct soft_material *material = &soft->material[part->geom];
    const struct soft_texture *texture = &soft->texture[material->texture];
    vi color;
    if (material->cube) {
        float at[3][SOFT_LANES];
        uint32_t lane[SOFT_LANES];
        for (int k = 0; k < 3; k++) vf_store(at[k], s->shape[k] * material->tex_scale[k]);
        soft_cube_sample(texture, at, lane);
        color = vi_load(lane);
    } else {
        vf uv[2];
        if (part->kind == SOFT_RECT || part->kind == SOFT_DISC) {
            vf x = s->shape[part->cube_axis[0]];
            vf y = s->shape[part->cube_axis[1]] * part->cube_sign;
            for (int i = 0; i < 2; i++) {
                uv[i] = x * part->uv[i][0] + y * part->uv[i][1] + part->uv[i][2];
            }
        } else {
            round_coordinates(part, s, material, uv);
        }
        color = sample_2d(texture, uv[0], uv[1]);
    }
    for (int k = 0; k < 3; k++) texel[k] = vi_float(color >> (8 * k) & 255) * (1 / 255.0f);
}

// Colour of a part in one pass: emission and the lights of the list.
VEC vi shade_pass(const struct soft *soft, const struct soft_part *part, const struct surface *s,
                  const int *lights, int light_count, float emission, float reflectance,
                  const vf *texel) {
    const struct soft_material *material = &soft->material[part->geom];
    vf sum[3];
    for (int k = 0; k < 3; k++) sum[k] = vf_set(emission * material->rgba[k] * reflectance);
    for (int i = 0; i < light_count; i++) {
        add_light(&soft->light[lights[i]], &part->light[lights[i]], material, reflectance, s->p,
                  s->n, s->v, sum);
    }
    for (int k = 0; k < 3; k++) {
        sum[k] = vf_clamp01(sum[k]);
        if (texel) sum[k] *= texel[k];
    }
    return pack_color(sum);
}

// Emission of the first pass; MuJoCo adds some ambient light when a scene has no light at all.
VEC float base_emission(const struct soft *soft, const struct soft_material *material) {
    return material->emission + (soft->light_count ? 0 : 0.3f);
}

// All passes of a part that is not a plane with a grid.
VEC vi shade_part(const struct soft *soft, const struct soft_part *part, vf px, vf py, vi active,
                  const struct shade_mode *mode) {
    const struct soft_material *material = &soft->material[part->geom];
    struct surface s;
    surface_at(part, px, py, &s);
    vf texel[3], *textured = NULL;
    if (material->texture >= 0 && !part->plain) part_texel(soft, part, &s, textured = texel);
    vi color = shade_pass(soft, part, &s, mode->light, mode->count, base_emission(soft, material),
                          mode->reflectance, textured);
    color = with_fog(soft, color, s.t, 1);
    for (int i = 0; mode->shadows && i < soft->shadow_count; i++) {
        vi dark = in_shadow(soft, &soft->shadow[i], part->geom, px, py, s.t, active);
        if (vi_all(dark | ~active)) continue;
        vi lit = shade_pass(soft, part, &s, &soft->shadow[i].light, 1, 0, 1, textured);
        color = add_colors(color, with_fog(soft, lit, s.t, 0) & ~dark);
    }
    return color;
}
