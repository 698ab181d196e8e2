// The two kinds of camera (see soft.h); SOFT_ORTHOGRAPHIC is 0 or 1 for the whole kernel.

// What w times a point's coordinate is compared with to test the coordinate against 1.
VEC vf view_unit(vf w) {
    return SOFT_ORTHOGRAPHIC ? vf_set(1) : w;
}

// How far along its ray a point lies, as ray_at takes it: its depth (orthographic: w).
VEC vf view_step(vf w) {
    return SOFT_ORTHOGRAPHIC ? w : vf_set(1) / w;
}

VEC vf ray_at(const struct soft_affine *ray, float origin, vf x, vf y, vf step) {
    return SOFT_ORTHOGRAPHIC ? affine(ray, x, y) + step * origin
                             : affine(ray, x, y) * step + origin;
}

VEC vf depth_at(const struct soft *soft, vf step) {
    return SOFT_ORTHOGRAPHIC ? soft->zfar - step : step;
}
