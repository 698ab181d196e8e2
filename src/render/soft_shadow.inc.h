// Which lanes a light does not reach. Rays run from the point to the light, in the caster's unit
// frame.

// Unit sphere shifted by z; o is the point, d the way to the light (its length only matters for
// spots).
VEC vi blocked_by_sphere(vf ox, vf oy, vf oz, vf dx, vf dy, vf dz, int directional) {
    vf a = dx * dx + dy * dy + dz * dz, b = ox * dx + oy * dy + oz * dz;
    vf c = ox * ox + oy * oy + oz * oz - 1.0f;
    vi ahead = (b < 0) & (b * b >= a * c);
    if (!directional) ahead &= -b <= a;
    return ahead | (c < 0);
}

// Solid cylinder |z| <= half.
VEC vi blocked_by_tube(vf ox, vf oy, vf oz, vf dx, vf dy, vf dz, float half, int directional) {
    vf a = vf_max(dx * dx + dy * dy, vf_set(1e-12f)), b = ox * dx + oy * dy,
       c = ox * ox + oy * oy - 1.0f;
    vf disc = b * b - a * c, root = vf_sqrt(vf_max(disc, vf_set(0)));
    vf t0 = vf_max((-b - root) / a, vf_set(0)), t1 = (root - b) / a;
    if (!directional) t1 = vf_min(t1, vf_set(1));
    vf z0 = oz + t0 * dz, z1 = oz + t1 * dz;
    return (disc >= 0) & (t0 <= t1) & (vf_min(z0, z1) <= half) & (vf_max(z0, z1) >= -half);
}

VEC vi blocked_by_box(const vf o[3], const vf d[3], int directional) {
    vf t0 = vf_set(0), t1 = vf_set(directional ? 1e30f : 1);
    for (int k = 0; k < 3; k++) {
        vf step = vf_pick(vf_abs(d[k]) < 1e-12f, vf_set(1e-12f), d[k]);
        vf near = (-1.0f - o[k]) / step, far = (1.0f - o[k]) / step;
        t0 = vf_max(t0, vf_min(near, far));
        t1 = vf_min(t1, vf_max(near, far));
    }
    return t0 < t1;
}

VEC vi blocked_by_rect(const vf o[3], const vf d[3], int directional) {
    vf t = -o[2] / vf_pick(vf_abs(d[2]) < 1e-12f, vf_set(1e-12f), d[2]);
    vf x = o[0] + t * d[0], y = o[1] + t * d[1];
    vi hit = (t > 1e-4f) & (vf_abs(x) <= 1.0f) & (vf_abs(y) <= 1.0f);
    return directional ? hit : hit & (t < 1.0f);
}

// Whether the ray o + t d meets the triangle with 0 < t: by the signs of the volumes that its edges
// make with the ray (Moller and Trumbore 1997, without dividing).
VEC vi blocked_by_triangle(const float *corner, const vf o[3], const vf d[3], vf t0, vf t1) {
    const float *a = corner, *b = corner + SOFT_CORNER, *c = corner + 2 * SOFT_CORNER;
    vf s[3], p[3], q[3];
    float e[3], f[3];
    for (int k = 0; k < 3; k++) e[k] = b[k] - a[k], f[k] = c[k] - a[k], s[k] = o[k] - a[k];
    for (int k = 0; k < 3; k++) {
        int i = (k + 1) % 3, j = (k + 2) % 3;
        p[k] = d[i] * f[j] - d[j] * f[i];
        q[k] = s[i] * e[j] - s[j] * e[i];
    }
    vf det = p[0] * e[0] + p[1] * e[1] + p[2] * e[2];
    vi flip = (vi)det & vi_set((int)0x80000000);
    vf u = (vf)((vi)(s[0] * p[0] + s[1] * p[1] + s[2] * p[2]) ^ flip);
    vf v = (vf)((vi)(d[0] * q[0] + d[1] * q[1] + d[2] * q[2]) ^ flip);
    vf t = (vf)((vi)(q[0] * f[0] + q[1] * f[1] + q[2] * f[2]) ^ flip);
    det = vf_abs(det);
    return (det > 0) & (u >= 0) & (v >= 0) & (u + v <= det) & (t > t0 * det) & (t < t1 * det);
}

// Lanes of active whose ray from t0 to t1 meets a triangle of the mesh.
static __attribute__((noinline)) vi blocked_by_mesh(const struct soft_mesh *mesh, const vf o[3],
                                                    const vf d[3], float t0, float t1, vi active) {
    vf inverse[3], from = vf_set(t0), to = vf_set(t1);
    vi dark = vi_set(0);
    for (int k = 0; k < 3; k++) {
        inverse[k] = vf_set(1) / vf_pick(vf_abs(d[k]) < 1e-12f, vf_set(1e-12f), d[k]);
    }
    for (int i = 0; i < mesh->node_count;) {
        const struct soft_node *node = &mesh->node[i];
        vf near = from, far = to;
        for (int k = 0; k < 3; k++) {
            vf low = (node->low[k] - o[k]) * inverse[k], high = (node->high[k] - o[k]) * inverse[k];
            near = vf_max(near, vf_min(low, high));
            far = vf_min(far, vf_max(low, high));
        }
        if (!vi_any((near <= far) & active)) {
            i = node->skip;
            continue;
        }
        for (int k = node->first; k < node->first + node->count; k++) {
            const float *corner = mesh->corner + (size_t)mesh->tree_order[k] * 3 * SOFT_CORNER;
            dark |= blocked_by_triangle(corner, o, d, from, to);
        }
        active &= ~dark;
        if (!vi_any(active)) break;
        i++;
    }
    return dark;
}

// Lanes of active that the caster leaves dark; others may be anything.
VEC vi blocked_by(const struct soft_shadow *shadow, const struct soft_caster *caster, vf x, vf y,
                  vf t, int directional, vi active) {
    vf o[3], d[3];
    vf rx = x - caster->cx, ry = y - caster->cy;
    for (int k = 0; k < 3; k++) {
        o[k] = ray_at(&caster->ray[k], caster->origin[k], rx, ry, t);
        d[k] = directional ? vf_set(caster->light[k]) : vf_set(caster->light[k]) - o[k];
    }
    switch ((enum soft_kind)caster->kind) {
    case SOFT_ELLIPSOID: return blocked_by_sphere(o[0], o[1], o[2], d[0], d[1], d[2], directional);
    case SOFT_CAPSULE: {
        float h = caster->half;
        return blocked_by_tube(o[0], o[1], o[2], d[0], d[1], d[2], h, directional) |
               blocked_by_sphere(o[0], o[1], o[2] - h, d[0], d[1], d[2], directional) |
               blocked_by_sphere(o[0], o[1], o[2] + h, d[0], d[1], d[2], directional);
    }
    case SOFT_TUBE:
        return blocked_by_tube(o[0], o[1], o[2], d[0], d[1], d[2], caster->half, directional);
    case SOFT_BOX: return blocked_by_box(o, d, directional);
    case SOFT_RECT: return blocked_by_rect(o, d, directional);
    case SOFT_TRIANGLES:
        return blocked_by_mesh(caster->mesh, o, d, shadow->bias, directional ? 1e30f : 1, active);
    default: return vi_set(0);
    }
}

// The smallest lane of each of four vectors.
VEC f4 lanes_min(vf a, vf b, vf c, vf d) {
    f4 half[8];
    memcpy(&half[0], &a, 32), memcpy(&half[2], &b, 32);
    memcpy(&half[4], &c, 32), memcpy(&half[6], &d, 32);
    __m128 m[4];
    for (int i = 0; i < 4; i++) m[i] = _mm_min_ps((__m128)half[2 * i], (__m128)half[2 * i + 1]);
    _MM_TRANSPOSE4_PS(m[0], m[1], m[2], m[3]);
    return (f4)_mm_min_ps(_mm_min_ps(m[0], m[1]), _mm_min_ps(m[2], m[3]));
}

// Lanes (of active) in the shadow of another geom; x, y pixel coordinates, t as ray_at takes it.
VEC vi in_shadow(const struct soft *soft, const struct soft_shadow *shadow, int geom, vf x, vf y,
                 vf t, vi active) {
    int directional = soft->light[shadow->light].directional;
    vf at[3];
    for (int k = 0; k < 3; k++) at[k] = ray_at(&shadow->ray[k], shadow->origin[k], x, y, t);
    vf u = directional ? at[0] : at[0] / at[2], v = directional ? at[1] : at[1] / at[2];
    active &= (at[2] > 0) & (vf_abs(u) <= shadow->tangent) & (vf_abs(v) <= shadow->tangent);
    if (!vi_any(active)) return active;
    vf out = vf_set(1e30f);
    f4 low = lanes_min(vf_pick(active, u, out), vf_pick(active, -u, out), vf_pick(active, v, out),
                       vf_pick(active, -v, out));
    vf u0 = vf_set(low[0]), u1 = vf_set(-low[1]), v0 = vf_set(low[2]), v1 = vf_set(-low[3]);
    vi dark = vi_set(0);
    for (int i = 0; i < shadow->caster_count; i += SOFT_LANES) {
        vi near = (vf_load(shadow->box[0] + i) <= u1) & (vf_load(shadow->box[1] + i) >= u0) &
                  (vf_load(shadow->box[2] + i) <= v1) & (vf_load(shadow->box[3] + i) >= v0);
        for (unsigned bits = (unsigned)vi_bits(near); bits; bits &= bits - 1) {
            const struct soft_caster *caster = &shadow->caster[i + __builtin_ctz(bits)];
            if (caster->geom == geom && caster->kind != SOFT_TRIANGLES) continue; // is convex
            dark |= blocked_by(shadow, caster, x, y, t, directional, active);
        }
    }
    return dark & active;
}

// The same as a call, for where it is rarely needed.
static __attribute__((noinline)) vi in_shadow_apart(const struct soft *soft,
                                                    const struct soft_shadow *shadow, int geom,
                                                    vf x, vf y, vf t, vi active) {
    return in_shadow(soft, shadow, geom, x, y, t, active);
}
