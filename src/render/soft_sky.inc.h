// The sky is drawn from the cache that soft_sky.c keeps: it depends on the view's directions only.

VEC vi sky_color(const struct soft *soft, int packet) {
    return soft->sky ? vi_load(soft->sky_pixel + (size_t)packet * SOFT_LANES) : vi_set(0);
}
