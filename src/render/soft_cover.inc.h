// Which samples a part covers, and how near it is there.

// One root of a quadric in front of the eye.
VEC vi cover_quadric(const struct soft_quadric *quadric, vf x, vf y, vf *w) {
    vf disc = quadric_value(quadric->q, x, y);
    vf root = vf_sqrt(vf_max(disc, vf_set(0)));
    *w = (root - affine(&quadric->b, x, y)) * quadric->inverse_c;
    return disc >= 0;
}

// z of the surface point times w: |z| <= half becomes a comparison without division.
VEC vf z_times_w(const struct soft_part *part, vf x, vf y, vf w) {
    return w * part->origin[2] + affine(&part->ray[2], x, y);
}

VEC vi cover_capsule(const struct soft_part *part, vf x, vf y, vf *w, vf *cap) {
    vi hit = cover_quadric(&part->body, x, y, w);
    vf zw = z_times_w(part, x, y, *w), limit = view_unit(*w) * part->half;
    vi above = (zw > limit) ^ (*w < 0), outside = (vf_abs(zw) > limit) | (*w < 0);
    *cap = vf_set(0);
    if (!vi_any(outside & hit)) return hit;
    vf w_low, w_high;
    vi low = cover_quadric(&part->cap[0], x, y, &w_low);
    vi high = cover_quadric(&part->cap[1], x, y, &w_high);
    *w = vf_pick(outside, vf_pick(above, w_high, w_low), *w);
    *cap = vf_pick(outside, vf_pick(above, vf_set(1), vf_set(-1)), vf_set(0));
    return hit & (~outside | (above & high) | (~above & low));
}

VEC vi cover_planar(const struct soft_part *part, vf x, vf y, vf *w) {
    *w = affine(&part->w, x, y);
    vf u = affine(&part->wx, x, y), v = affine(&part->wy, x, y), one = view_unit(*w);
    if (part->kind == SOFT_DISC) return (u * u + v * v <= one * one) & (*w > 0);
    return (vf_abs(u) <= one) & (vf_abs(v) <= one);
}

// Lanes whose point (x, y), relative to the part's reference, the part covers; w there.
VEC vi cover_part(const struct soft_part *part, vf x, vf y, vf *w) {
    switch ((enum soft_kind)part->kind) {
    case SOFT_ELLIPSOID: return cover_quadric(&part->body, x, y, w);
    case SOFT_CAPSULE: {
        vf cap;
        return cover_capsule(part, x, y, w, &cap);
    }
    case SOFT_TUBE: {
        vi hit = cover_quadric(&part->body, x, y, w);
        return hit & (vf_abs(z_times_w(part, x, y, *w)) <= view_unit(*w) * part->half);
    }
    case SOFT_DISC:
    case SOFT_RECT: return cover_planar(part, x, y, w);
    default: *w = vf_set(0); return vi_set(0);
    }
}

enum extent { EXTENT_NONE, EXTENT_SOME, EXTENT_ALL };

VEC f4 f4_set(float x) {
    return (f4){x, x, x, x};
}

// How much of a packet a rectangle covers, from its edges at the packet's middle.
VEC enum extent rect_extent(const struct soft_part *part, int px, int py) {
    f4 a, b, c;
    memcpy(&a, part->edge[0], sizeof a);
    memcpy(&b, part->edge[1], sizeof b);
    memcpy(&c, part->edge[2], sizeof c);
    f4 middle = a + b * f4_set((float)px + 2 - part->cx) + c * f4_set((float)py + 1 - part->cy);
    f4 zero = f4_set(0);
    f4 ab = (f4)_mm_max_ps((__m128)b, (__m128)(zero - b));
    f4 ac = (f4)_mm_max_ps((__m128)c, (__m128)(zero - c));
    f4 reach = ab * f4_set(2) + ac;
    if (_mm_movemask_ps((__m128)(middle + reach))) return EXTENT_NONE;
    return _mm_movemask_ps((__m128)(middle - reach)) ? EXTENT_SOME : EXTENT_ALL;
}
