// Packets of 4x2 pixels: cover, shade, resolve.

// Moves the shading point of lanes whose centre the part misses towards the middle of their covered
// samples, as far as fits OpenGL's extrapolation best.
VEC void shading_point(const struct soft_part *part, vf px, vf py, const vi mask[SOFT_SAMPLES],
                       vf *sx, vf *sy) {
    vi all = mask[0] & mask[1] & mask[2] & mask[3], any = mask[0] | mask[1] | mask[2] | mask[3];
    *sx = px, *sy = py;
    if (!vi_any(any & ~all)) return; // outlines are convex: the middle of four samples is inside
    vf w;
    vi hit = cover_part(part, px - part->cx, py - part->cy, &w);
    if (!vi_any(any & ~hit)) return;
    vf n = vf_set(0), mx = vf_set(0), my = vf_set(0);
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        vf one = (vf)(mask[s] & (vi)vf_set(1));
        n += one, mx += one * (sample_x[s] - 0.5f), my += one * (sample_y[s] - 0.5f);
    }
    vf share = vf_pick(hit, vf_set(0), vf_set(0.35f) / vf_max(n, vf_set(1)));
    *sx += mx * share, *sy += my * share;
}

static __attribute__((noinline)) vi shade_small(const struct soft *soft,
                                                const struct soft_part *part,
                                                const struct packet *packet,
                                                const vi mask[SOFT_SAMPLES],
                                                const struct shade_mode *mode) {
    vf px = packet->x + 0.5f, py = packet->y + 0.5f, sx = px, sy = py;
    if (part->kind != SOFT_RECT && part->kind != SOFT_DISC) {
        shading_point(part, px, py, mask, &sx, &sy);
    }
    vi any = mask[0] | mask[1] | mask[2] | mask[3];
    return shade_part(soft, part, sx, sy, any, mode);
}

struct row_list { // parts that touch a row of packets, opaque ones first
    const struct soft_part *part;
    int *list, opaque, count, *found;
    uint64_t *mask; // [packets_x] which of the list's first 64 touch the packet
    struct soft_triangles *triangles;
    int opaque_parts; // of the whole view
};

struct row_lists {
    struct row_list front, mirror;
};

VEC int touches(const struct soft_part *part, int px, int py) {
    return part->x0 < px + 4 && part->x1 > px && part->y0 < py + 2 && part->y1 > py;
}

// Which of 64 parts of the row, from number first on, touch the packet.
VEC uint64_t packet_parts(const struct row_list *row, int first, int px, int py) {
    if (first == 0) return row->mask[px / 4];
    uint64_t bits = 0;
    for (int i = 0; i < 64 && first + i < row->count; i++) {
        if (touches(&row->part[row->list[first + i]], px, py)) bits |= (uint64_t)1 << i;
    }
    return bits;
}

// Samples of the packet where the part is nearer than what is there; w[s] of them.
VEC int cover_samples(const struct soft *soft, const struct soft_part *part,
                      const struct packet *packet, vi mask[SOFT_SAMPLES], vf w[SOFT_SAMPLES]) {
    vi any = vi_set(0);
    float nearest = soft->w_near;
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        vf x = packet->x + (sample_x[s] - part->cx), y = packet->y + (sample_y[s] - part->cy);
        vi hit = cover_part(part, x, y, &w[s]);
        hit &= (w[s] >= packet->w[s]) & (w[s] <= nearest);
        if (part->clip) {
            vf height =
                affine(&soft->mirror_clip, packet->x + sample_x[s], packet->y + sample_y[s]);
            hit &= w[s] * soft->mirror_clip_eye + height >= 0;
        }
        mask[s] = hit;
        any |= hit;
    }
    return vi_any(any);
}

VEC void keep_nearest(struct packet *packet, int id, const vi mask[SOFT_SAMPLES],
                      const vf w[SOFT_SAMPLES]) {
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        packet->w[s] = vf_pick(mask[s], w[s], packet->w[s]);
        packet->id[s] = vi_pick(mask[s], vi_set(id), packet->id[s]);
    }
}

// Depth-tests the opaque parts that touch the packet; keeps their indices in found.
VEC int cover_list(const struct soft *soft, const struct row_list *row, struct packet *packet,
                   int px, int py) {
    int n = 0;
    for (int first = 0; first < row->opaque; first += 64) {
        for (uint64_t bits = packet_parts(row, first, px, py); bits; bits &= bits - 1) {
            int i = first + __builtin_ctzll(bits);
            if (i >= row->opaque) break;
            const struct soft_part *part = &row->part[row->list[i]];
            vi mask[SOFT_SAMPLES];
            vf w[SOFT_SAMPLES];
            if (part->kind == SOFT_TRIANGLES) continue;
            if (part->kind == SOFT_RECT && rect_extent(part, px, py) == EXTENT_NONE) continue;
            if (!cover_samples(soft, part, packet, mask, w)) continue;
            keep_nearest(packet, row->list[i], mask, w);
            row->found[n++] = row->list[i];
        }
    }
    for (int i = 0; i < row->triangles->active_count; i++) {
        int id = row->triangles->active[i];
        const struct soft_triangle *t = &row->triangles->triangle[id];
        vi mask[SOFT_SAMPLES];
        vf w[SOFT_SAMPLES];
        if (t->part >= row->opaque_parts || !triangle_touches(t, py)) continue;
        if (!triangle_samples(soft, t, row->part[t->part].clip, packet, mask, w)) continue;
        keep_nearest(packet, TRIANGLE_ID + id, mask, w);
    }
    return n;
}

// Shades the triangles that samples of the packet show, one after the other.
static __attribute__((noinline)) void shade_triangles(const struct soft *soft,
                                                      const struct row_list *row,
                                                      struct packet *packet,
                                                      const struct shade_mode *mode) {
    vi left[SOFT_SAMPLES];
    for (int s = 0; s < SOFT_SAMPLES; s++) left[s] = packet->id[s] >= TRIANGLE_ID;
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        for (unsigned bits; (bits = (unsigned)vi_bits(left[s])) != 0;) {
            int id = packet->id[s][__builtin_ctz(bits)];
            const struct soft_triangle *t = &row->triangles->triangle[id - TRIANGLE_ID];
            vi mask[SOFT_SAMPLES], any = vi_set(0);
            for (int k = 0; k < SOFT_SAMPLES; k++) any |= mask[k] = packet->id[k] == id;
            vi color = shade_triangle(soft, &row->part[t->part], t, packet->x + 0.5f,
                                      packet->y + 0.5f, any, mode);
            for (int k = 0; k < SOFT_SAMPLES; k++) {
                packet->color[k] = vi_pick(mask[k], color, packet->color[k]);
                left[k] &= ~mask[k];
            }
        }
    }
}

// Whether a plane lies between the clipping planes all over the packet.
VEC int plane_in_depth(const struct soft *soft, const struct soft_part *part, int px, int py) {
    float middle =
        part->w.a + part->w.b * ((float)px + 2 - part->cx) + part->w.c * ((float)py + 1 - part->cy);
    float reach = 2 * __builtin_fabsf(part->w.b) + __builtin_fabsf(part->w.c);
    return middle - reach > soft->far.sky_w && middle + reach < soft->w_near;
}

VEC void clear_packet(const struct soft *soft, struct packet *packet, int px, int py) {
    packet->x = vf_set((float)px) + (vf){0, 1, 2, 3, 0, 1, 2, 3};
    packet->y = vf_set((float)py) + (vf){0, 0, 0, 0, 1, 1, 1, 1};
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        packet->w[s] = vf_set(soft->w_far);
        packet->id[s] = vi_set(-1);
        packet->color[s] = vi_set(0);
    }
}

VEC int sample_masks(const struct packet *packet, int id, vi mask[SOFT_SAMPLES]) {
    vi any = vi_set(0);
    for (int s = 0; s < SOFT_SAMPLES; s++) any |= mask[s] = packet->id[s] == id;
    return vi_any(any);
}

// dst (1 - alpha) + src alpha with 8-bit factors, each product rounded.
VEC vi blend_color(vi src, vi dst, vi alpha) {
    vi result = vi_set(0);
    for (int shift = 0; shift < 24; shift += 8) {
        vi s = (src >> shift & 255) * alpha + 128, d = (dst >> shift & 255) * (255 - alpha) + 128;
        vi sum = ((s + (s >> 8)) >> 8) + ((d + (d >> 8)) >> 8);
        result |= vi_pick(sum > 255, vi_set(255), sum) << shift;
    }
    return result;
}

VEC void blend_samples(struct packet *packet, const vi mask[SOFT_SAMPLES], vi color, float alpha) {
    alpha = alpha < 0 ? 0 : alpha > 1 ? 1 : alpha;
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        vi blended = blend_color(color, packet->color[s], vi_set((int)(alpha * 255 + 0.5f)));
        packet->color[s] = vi_pick(mask[s], blended, packet->color[s]);
    }
}

VEC void blend_part(const struct soft *soft, const struct soft_part *part, struct packet *packet,
                    const struct shade_mode *mode) {
    vi mask[SOFT_SAMPLES];
    vf w[SOFT_SAMPLES];
    if (!cover_samples(soft, part, packet, mask, w)) return;
    blend_samples(packet, mask, shade_small(soft, part, packet, mask, mode), part->alpha);
}

VEC void blend_triangles(const struct soft *soft, const struct row_list *row, int part_index,
                         struct packet *packet, int py, const struct shade_mode *mode) {
    const struct soft_part *part = &row->part[part_index];
    for (int i = 0; i < row->triangles->active_count; i++) {
        const struct soft_triangle *t = &row->triangles->triangle[row->triangles->active[i]];
        vi mask[SOFT_SAMPLES];
        vf w[SOFT_SAMPLES];
        if (t->part != part_index || !triangle_touches(t, py)) continue;
        if (!triangle_samples(soft, t, part->clip, packet, mask, w)) continue;
        vi any = mask[0] | mask[1] | mask[2] | mask[3];
        vi color = shade_triangle(soft, part, t, packet->x + 0.5f, packet->y + 0.5f, any, mode);
        blend_samples(packet, mask, color, part->alpha);
    }
}

// Transparent parts over the packet's colours, as MuJoCo draws them: front to back, then back to
// front.
static __attribute__((noinline)) void blend_list(const struct soft *soft,
                                                 const struct row_list *row, struct packet *packet,
                                                 int px, int py, const struct shade_mode *mode) {
    for (int i = row->opaque; i < 2 * row->count - row->opaque; i++) {
        int at = i < row->count ? i : 2 * row->count - 1 - i;
        const struct soft_part *part = &row->part[row->list[at]];
        if (part->kind == SOFT_TRIANGLES) {
            blend_triangles(soft, row, row->list[at], packet, py, mode);
        } else if (touches(part, px, py)) {
            blend_part(soft, part, packet, mode);
        }
    }
}

// Colours of the reflected scene at the packet's samples.
static __attribute__((noinline)) void draw_mirror(const struct soft *soft,
                                                  const struct row_list *row, struct packet *packet,
                                                  int px, int py) {
    struct shade_mode mode = {soft->all_light, soft->light_count,
                              soft->material[soft->reflective].reflectance, 0};
    clear_packet(soft, packet, px, py);
    int n = cover_list(soft, row, packet, px, py);
    for (int i = 0; i < n; i++) {
        vi mask[SOFT_SAMPLES];
        if (!sample_masks(packet, row->found[i], mask)) continue;
        vi color = shade_small(soft, &row->part[row->found[i]], packet, mask, &mode);
        for (int s = 0; s < SOFT_SAMPLES; s++) {
            packet->color[s] = vi_pick(mask[s], color, packet->color[s]);
        }
    }
    if (row->triangles->active_count) shade_triangles(soft, row, packet, &mode);
    if (row->count > row->opaque) blend_list(soft, row, packet, px, py, &mode);
}

// Mean of the four samples, rounded to the nearest, ties to even.
VEC vi resolve(const vi color[SOFT_SAMPLES]) {
    // two channels at a time in fields of 16 bits
    vi low = vi_set(0), high = vi_set(0);
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        low += color[s] & 0xff00ff;
        high += color[s] >> 8 & 0xff;
    }
    low = ((low + 0x10001 + (low >> 2 & 0x10001)) >> 2) & 0xff00ff;
    high = (high + 1 + (high >> 2 & 1)) >> 2;
    return low | high << 8;
}

// Which parts can matter for a packet: bits of the row's first 64, all of them when there are more.
VEC uint64_t row_bits(const struct row_list *row, int px) {
    return row->count > 64 ? ~(uint64_t)0 : row->mask[px / 4];
}

// Whether a sample is as far as the sky's nearest point, or there is haze or fog.
VEC int sky_shows(const struct soft *soft, const struct packet *packet) {
    vf far = vf_min(vf_min(packet->w[0], packet->w[1]), vf_min(packet->w[2], packet->w[3]));
    return soft->far.haze | soft->far.fog | vi_any(far <= soft->far.sky_w);
}

// Whether there is more to it than the sky where nothing else is.
VEC int far_matters(const struct soft *soft, const struct packet *packet, int transparent) {
    if (soft->far.haze | soft->far.fog | (soft->far.sky_cuts & transparent)) return 1;
    if (!soft->far.sky_cuts) return 0;
    vi far = vi_set(0);
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        far |= (packet->w[s] <= soft->far.sky_w) & (packet->id[s] >= 0);
    }
    return vi_any(far);
}

// The sky where nothing is nearer, then haze over all.
static __attribute__((noinline)) void draw_far(const struct soft *soft, struct packet *packet,
                                               vi sky) {
    vf x = packet->x + 0.5f, y = packet->y + 0.5f, behind = sky_w(soft, x, y), w, opacity;
    vi hazy = vi_set(0), haze = vi_set(soft->far.haze_color), weight = vi_set(0);
    sky = with_fog(soft, sky, view_step(behind), 1);
    if (soft->far.haze) {
        hazy = haze_at(soft, x, y, &w, &opacity);
        haze = with_fog(soft, haze, view_step(w), 1);
        weight = vf_round(vf_clamp01(opacity) * 255.0f);
    }
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        vi seen = packet->w[s] <= behind;
        packet->color[s] = vi_pick(seen, sky, packet->color[s]);
        packet->w[s] = vf_pick(seen, behind, packet->w[s]);
        if (!soft->far.haze) continue;
        seen = hazy & (w >= packet->w[s]);
        packet->color[s] =
            vi_pick(seen, blend_color(haze, packet->color[s], weight), packet->color[s]);
        packet->w[s] = vf_pick(seen, w, packet->w[s]);
    }
}

VEC void draw_sky(const struct soft *soft, struct packet *packet, vi sky, int transparent) {
    if (far_matters(soft, packet, transparent)) {
        if (soft->sky) draw_far(soft, packet, sky);
        return;
    }
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        packet->color[s] = vi_pick(packet->id[s] < 0, sky, packet->color[s]);
    }
}

static __attribute__((noinline)) vi draw_mixed(const struct soft *soft, const struct row_lists *row,
                                               int px, int py) {
    struct shade_mode opaque = {soft->base_light, soft->base_light_count, 1, 1};
    const struct row_list *front = &row->front;
    struct packet packet;
    clear_packet(soft, &packet, px, py);
    int n = cover_list(soft, front, &packet, px, py);
    for (int i = 0; i < n; i++) {
        const struct soft_part *part = &front->part[front->found[i]];
        vi mask[SOFT_SAMPLES];
        if (!sample_masks(&packet, front->found[i], mask)) continue;
        vi any = mask[0] | mask[1] | mask[2] | mask[3];
        vi color = part->grid >= 0 ? shade_plane(soft, part, packet.x + 0.5f, packet.y + 0.5f, any)
                                   : shade_small(soft, part, &packet, mask, &opaque);
        struct packet mirror;
        int reflecting = part->mirror && row_bits(&row->mirror, px);
        if (reflecting) draw_mirror(soft, &row->mirror, &mirror, px, py);
        for (int s = 0; s < SOFT_SAMPLES; s++) {
            vi own = reflecting ? add_colors(color, mirror.color[s]) : color;
            packet.color[s] = vi_pick(mask[s], own, packet.color[s]);
        }
    }
    if (front->triangles->active_count) shade_triangles(soft, front, &packet, &opaque);
    if (sky_shows(soft, &packet)) {
        vi sky = sky_color(soft, (py / 2) * soft->packets_x + px / 4);
        draw_sky(soft, &packet, sky, front->count > front->opaque);
    }
    if (front->count > front->opaque) {
        struct shade_mode blend = {soft->all_light, soft->light_count, 1, 0};
        blend_list(soft, front, &packet, px, py, &blend);
    }
    return resolve(packet.color);
}

// A packet's pixels; those with only sky or only one plane take a short way.
VEC vi draw_packet(const struct soft *soft, const struct row_lists *row, int px, int py) {
    const struct row_list *front = &row->front;
    uint64_t bits = row_bits(front, px);
    if (bits && !(bits & (bits - 1))) {
        int index = front->list[__builtin_ctzll(bits)];
        const struct soft_part *part = &front->part[index];
        if (part->grid >= 0) {
            enum extent extent = rect_extent(part, px, py);
            if (extent == EXTENT_NONE) bits = 0;
            if (extent == EXTENT_ALL && !(part->mirror && row_bits(&row->mirror, px)) &&
                plane_in_depth(soft, part, px, py) && !haze_touches(soft, px, py)) {
                vf x = vf_set((float)px) + (vf){0.5f, 1.5f, 2.5f, 3.5f, 0.5f, 1.5f, 2.5f, 3.5f};
                vf y = vf_set((float)py) + (vf){0.5f, 0.5f, 0.5f, 0.5f, 1.5f, 1.5f, 1.5f, 1.5f};
                return shade_plane(soft, part, x, y, vi_set(-1));
            }
        }
    }
    if (!bits && !soft->far.fog && !haze_touches(soft, px, py)) {
        return sky_color(soft, (py / 2) * soft->packets_x + px / 4);
    }
    return draw_mixed(soft, row, px, py);
}

static void store_edge(const struct soft *soft, uint8_t *rgb, int px, int py, vi color) {
    int32_t lane[8];
    vi_store(lane, color);
    int width = soft->size.width, height = soft->size.height;
    for (int y = 0; y < 2 && py + y < height; y++) {
        uint8_t *out = rgb + ((size_t)(height - 1 - py - y) * (size_t)width + (size_t)px) * 3;
        for (int x = 0; x < 4 && px + x < width; x++, out += 3) {
            uint32_t c = (uint32_t)lane[4 * y + x];
            out[0] = (uint8_t)c, out[1] = (uint8_t)(c >> 8), out[2] = (uint8_t)(c >> 16);
        }
    }
}

VEC void store_rgb(const struct soft *soft, uint8_t *rgb, int px, int py, vi color) {
#if defined(__AVX2__)
    int width = soft->size.width, height = soft->size.height;
    if (px + 4 <= width && py + 2 <= height) {
        __m128i drop = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
        __m256i packed = _mm256_shuffle_epi8((__m256i)color, _mm256_broadcastsi128_si256(drop));
        uint8_t *upper = rgb + ((size_t)(height - 2 - py) * (size_t)width + (size_t)px) * 3;
        for (int y = 0; y < 2; y++) {
            __m128i line = y ? _mm256_extracti128_si256(packed, 1) : _mm256_castsi256_si128(packed);
            uint8_t *out = upper + (size_t)(1 - y) * (size_t)width * 3;
            int tail = _mm_extract_epi32(line, 2);
            _mm_storel_epi64((__m128i *)out, line);
            memcpy(out + 8, &tail, sizeof tail);
        }
        return;
    }
#endif
    store_edge(soft, rgb, px, py, color);
}

static void store_gray(const struct soft *soft, uint8_t *gray, int px, int py, vi color) {
    int32_t lane[8];
    vi luma = (color & 255) * 19595 + (color >> 8 & 255) * 38470 + (color >> 16 & 255) * 7471;
    vi_store(lane, (luma + 32768) >> 16);
    int width = soft->size.width, height = soft->size.height;
    for (int i = 0; i < 8; i++) {
        int x = px + (i & 3), y = py + (i >> 2);
        if (x >= width || y >= height) continue;
        gray[(size_t)(height - 1 - y) * (size_t)width + (size_t)x] = (uint8_t)lane[i];
    }
}

// Depth of opaque parts and identity of all, at the pixels' centres.
static void store_ids(const struct soft *soft, const struct row_list *row,
                      const struct render_target *target, int px, int py) {
    struct packet packet;
    clear_packet(soft, &packet, px, py);
    vf far = packet.w[0], solid = far, x = packet.x + 0.5f, y = packet.y + 0.5f;
    for (int i = 0; i < row->count; i++) {
        const struct soft_part *part = &row->part[row->list[i]];
        if (part->kind == SOFT_TRIANGLES || !touches(part, px, py)) continue;
        vf w;
        vi hit = cover_part(part, x - part->cx, y - part->cy, &w) & (w <= soft->w_near);
        if (i < row->opaque) solid = vf_pick(hit, vf_max(solid, w), solid);
        hit &= w >= packet.w[0];
        if (!soft->material[part->geom].segmented) continue;
        packet.w[0] = vf_pick(hit, w, packet.w[0]);
        packet.id[0] = vi_pick(hit, vi_set(part->geom), packet.id[0]);
    }
    for (int i = 0; i < row->triangles->active_count; i++) {
        const struct soft_triangle *t = &row->triangles->triangle[row->triangles->active[i]];
        int geom_id = row->part[t->part].geom;
        vf w;
        vi hit = cover_triangle(t, x, y, &w) & (w <= soft->w_near);
        if (t->part < row->opaque_parts) solid = vf_pick(hit, vf_max(solid, w), solid);
        hit &= w >= packet.w[0];
        if (!soft->material[geom_id].segmented) continue;
        packet.w[0] = vf_pick(hit, w, packet.w[0]);
        packet.id[0] = vi_pick(hit, vi_set(geom_id), packet.id[0]);
    }
    float depth[8];
    int32_t geom[8];
    vf_store(depth, vf_pick(solid > far, depth_at(soft, view_step(solid)), vf_set(soft->zfar)));
    vi_store(geom, packet.id[0]);
    int width = soft->size.width, height = soft->size.height;
    for (int i = 0; i < 8; i++) {
        int col = px + (i & 3), line = py + (i >> 2);
        if (col >= width || line >= height) continue;
        size_t at = (size_t)(height - 1 - line) * (size_t)width + (size_t)col;
        if (target->depth) target->depth[at] = depth[i];
        for (int k = 0; target->segmentation && k < 2; k++) {
            target->segmentation[2 * at + (size_t)k] =
                geom[i] < 0 ? -1 : soft->material[geom[i]].object[k];
        }
    }
}

static void list_row(const struct soft *soft, int opaque, int count, int py, struct row_list *row) {
    row->opaque = row->count = 0;
    memset(row->mask, 0, (size_t)soft->packets_x * sizeof *row->mask);
    for (int i = 0; i < count; i++) {
        const struct soft_part *part = &row->part[i];
        if (part->y0 >= py + 2 || part->y1 <= py) continue;
        for (int x = part->x0 / 4; row->count < 64 && 4 * x < part->x1; x++) {
            row->mask[x] |= (uint64_t)1 << row->count;
        }
        row->list[row->count++] = i;
        if (i < opaque) row->opaque = row->count;
    }
}

// Which casters' shadows on the floor touch each packet of the row.
static void floor_row(struct soft *soft, int py) {
    for (int s = 0; s < soft->shadow_count; s++) {
        struct soft_shadow *shadow = &soft->shadow[s];
        if (!shadow->floor_count) continue;
        memset(shadow->floor_mask, 0, (size_t)soft->packets_x * sizeof *shadow->floor_mask);
        for (int i = 0; i < shadow->floor_count; i++) {
            const int16_t *rect = shadow->floor_rect + 4 * i;
            if (rect[2] >= py + 2 || rect[3] <= py) continue;
            for (int x = rect[0] / 4; 4 * x < rect[1]; x++) {
                shadow->floor_mask[x] |= (uint64_t)1 << i;
            }
        }
    }
}

void SOFT_KERNEL(struct soft *soft, const struct render_target *target) {
    int capacity = 4 * soft->geom_capacity, packets = soft->packets_x;
    struct row_lists row = {.front = {soft->part, soft->row_list, 0, 0, soft->row_list + capacity,
                                      soft->row_mask, &soft->front_triangles, soft->opaque_count},
                            .mirror = {soft->mirror, soft->row_list + 2 * capacity, 0, 0,
                                       soft->row_list + 3 * capacity, soft->row_mask + packets,
                                       &soft->mirror_triangles, soft->mirror_opaque_count}};
    for (int y = 0; y < 2 * soft->packets_y; y += 2) {
        list_row(soft, soft->opaque_count, soft->part_count, y, &row.front);
        floor_row(soft, y);
        soft_triangles_row(&soft->front_triangles, soft, y);
        soft_triangles_row(&soft->mirror_triangles, soft, y);
        list_row(soft, soft->mirror_opaque_count, soft->mirror_count, y, &row.mirror);
        for (int x = 0; x < 4 * packets; x += 4) {
            soft_triangles_column(&soft->front_triangles, x);
            soft_triangles_column(&soft->mirror_triangles, x);
            if (target->rgb || target->gray) {
                vi color = draw_packet(soft, &row, x, y);
                if (target->rgb) store_rgb(soft, target->rgb, x, y, color);
                if (target->gray) store_gray(soft, target->gray, x, y, color);
            }
            if (target->depth || target->segmentation) store_ids(soft, &row.front, target, x, y);
        }
    }
}
