// What is far away. The sky's colours come from the cache that soft_sky.c keeps: they depend on the
// view's directions only. Its depth, haze and fog are reckoned here, where a scene has them.

VEC vi sky_color(const struct soft *soft, int packet) {
    return soft->sky ? vi_load(soft->sky_pixel + (size_t)packet * SOFT_LANES) : vi_set(0);
}

// Horizontal length of the direction (x, y) in units of the apothem of the regular polygon, of
// circumradius 1, that stands for a circle.
VEC vf polygon_length(const struct soft_far *far, vf x, vf y) {
    vf at = vf_turns(y, x) * far->slices;
    vf turn = (at - vf_floor(at) - 0.5f) * (6.2831853f / far->slices), square = turn * turn;
    vf cosine = (square * (1.0f / 24) - 0.5f) * square + 1.0f; // |turn| is at most half a slice
    return vf_sqrt(x * x + y * y) * cosine * far->facet;
}

VEC void far_ray(const struct soft_affine ray[3], vf x, vf y, vf d[3]) {
    for (int k = 0; k < 3; k++) d[k] = affine(&ray[k], x, y);
}

// w of a point on the ray at 1 / inverse of the way that far.ray goes.
VEC vf far_w(const struct soft *soft, vf inverse) {
    if (!SOFT_ORTHOGRAPHIC) return inverse;
    return soft->zfar - vf_set(soft->far.depth) / vf_max(inverse, vf_set(1e-6f));
}

VEC vf sky_w(const struct soft *soft, vf x, vf y) {
    const struct soft_far *far = &soft->far;
    vf d[3];
    far_ray(far->ray, x, y, d);
    vf side = polygon_length(far, d[0], d[1]);
    return far_w(soft, vf_max(side, vf_abs(d[2])) * (1 / far->sky_radius));
}

// Haze is a ring from the plane at 1 - rim of the sky's radius up to the eye's height h = 1 at the
// radius itself: 1 - rim (1 - h) from the axis. On a ray that runs rho across and e down (units of
// the eye's height) h is 1 - e / (rho + rim e). Opacity rises from the plane to haze_turn, where
// the plane meets the sky as the eye sees it, and falls again.
VEC vi haze_at(const struct soft *soft, vf x, vf y, vf *w, vf *opacity) {
    const struct soft_far *far = &soft->far;
    vf d[3];
    far_ray(far->haze_ray, x, y, d);
    vf down = d[2] * (-1 / far->elevation);
    vf way = polygon_length(far, d[0], d[1]) + down * far->haze_rim, height = 1.0f - down / way;
    vf low = height * (1 / far->haze_turn), high = (1.0f - height) * (1 / (1 - far->haze_turn));
    *opacity = vf_min(low, high);
    *w = far_w(soft, way * (1 / far->sky_radius));
    return (way > 0) & (*opacity > 0);
}

VEC int haze_touches(const struct soft *soft, int px, int py) {
    if (!soft->far.haze) return 0;
    vf w, opacity;
    vf x = vf_set((float)px) + (vf){0.5f, 1.5f, 2.5f, 3.5f, 0.5f, 1.5f, 2.5f, 3.5f};
    vf y = vf_set((float)py) + (vf){0.5f, 0.5f, 0.5f, 0.5f, 1.5f, 1.5f, 1.5f, 1.5f};
    return vi_any(haze_at(soft, x, y, &w, &opacity));
}

// Colours of a pass under linear fog. The passes of shadow-casting lights add no fog of their own.
static __attribute__((noinline)) vi fog_over(const struct soft *soft, vi color, vf step,
                                             int first_pass) {
    const struct soft_far *far = &soft->far;
    vf clear = vf_clamp01((far->fog_end - depth_at(soft, step)) * far->fog_inverse);
    vi result = vi_set(0);
    for (int k = 0; k < 3; k++) {
        vf c = vi_float(color >> (8 * k) & 255) * clear;
        if (first_pass) c += (1.0f - clear) * far->fog_color[k];
        result |= vf_round(c) << (8 * k);
    }
    return result;
}

VEC vi with_fog(const struct soft *soft, vi color, vf step, int first_pass) {
    return __builtin_expect(soft->far.fog, 0) ? fog_over(soft, color, step, first_pass) : color;
}
