// Lighting of small parts: OpenGL's fixed-function formula at the pixel's centre, in the part's own
// frame. (MuJoCo lights the vertices of a fine mesh and interpolates; on small parts that is the
// same.)

struct surface {         // of a part at 8 pixels, metres in the part's frame
    vf p[3], n[3], v[3]; // point, unit normal, unit vector to the eye
    vf t;                // depth
    vf x, y;             // pixel coordinates where it was evaluated
};

VEC vf dot(const vf a[3], const vf b[3]) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

VEC void normalize(vf v[3]) {
    vf inverse = vf_set(1) / vf_sqrt(vf_max(dot(v, v), vf_set(1e-30f)));
    for (int k = 0; k < 3; k++) v[k] *= inverse;
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
            if (light->exponent != 0) scale *= vf_power(vf_max(cosine, vf_set(0)), light->exponent);
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
    vf shine = material->shininess > 0 ? vf_power(base, material->shininess)
                                       : vf_pick(facing > 0, vf_set(1), vf_set(0));
    shine *= scale;
    for (int k = 0; k < 3; k++) sum[k] += shine * (light->specular[k] * material->specular);
}

// Point, normal and view vector of a part at pixel coordinates; where its surface is missed, the
// nearest point of its outline.
VEC void surface_at(const struct soft_part *part, vf px, vf py, struct surface *s) {
    vf x = px - part->cx, y = py - part->cy, w, unit[3], cap = vf_set(0);
    s->x = px, s->y = py;
    switch ((enum soft_kind)part->kind) {
    case SOFT_CAPSULE: cover_capsule(part, x, y, &w, &cap); break;
    case SOFT_DISC:
    case SOFT_RECT: cover_planar(part, x, y, &w); break;
    default: cover_quadric(&part->body, x, y, &w); break;
    }
    s->t = vf_set(1) / w;
    for (int k = 0; k < 3; k++) {
        vf along = affine(&part->ray[k], x, y) * s->t;
        unit[k] = along + part->origin[k];
        s->p[k] = unit[k] * part->scale[k];
        s->v[k] = along * -part->scale[k];
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
        return;
    }
    normalize(s->n);
}

// Colour of a part in one pass: emission and the lights of the list.
VEC vi shade_pass(const struct soft *soft, const struct soft_part *part, const struct surface *s,
                  const int *lights, int light_count, float emission, float reflectance,
                  const vf *texel) {
    const struct soft_material *material = &soft->material[part->material];
    vf sum[3];
    float global = soft->light_count ? 0 : 0.3f;
    for (int k = 0; k < 3; k++) {
        sum[k] = vf_set((emission + global) * material->rgba[k] * reflectance);
    }
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

// All passes of a part that is not a plane with a grid. mirror: one pass with all lights, no
// shadows.
VEC vi shade_part(const struct soft *soft, const struct soft_part *part, vf px, vf py, vi active,
                  float mirror) {
    static const int all_lights[SOFT_MAX_LIGHTS] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                    8, 9, 10, 11, 12, 13, 14, 15};
    const struct soft_material *material = &soft->material[part->material];
    struct surface s;
    surface_at(part, px, py, &s);
    if (mirror > 0) {
        return shade_pass(soft, part, &s, all_lights, soft->light_count, material->emission, mirror,
                          NULL);
    }
    vi color = shade_pass(soft, part, &s, soft->base_light, soft->base_light_count,
                          material->emission, 1, NULL);
    for (int i = 0; i < soft->shadow_count; i++) {
        vi dark = in_shadow(soft, &soft->shadow[i], part->geom, px, py, s.t, active);
        if (vi_all(dark | ~active)) continue;
        vi lit = shade_pass(soft, part, &s, &soft->shadow[i].light, 1, 0, 1, NULL);
        color = add_colors(color, lit & ~dark);
    }
    return color;
}
