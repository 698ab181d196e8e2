// Packets of 4x2 pixels: cover, shade, resolve.

// Moves the shading point of lanes whose centre the part misses towards the middle of their covered
// samples, as far as fits OpenGL's extrapolation best.
VEC void shading_point(const struct soft_part *part, vf px, vf py, const vi mask[SOFT_SAMPLES],
                       vf *sx, vf *sy) {
    vf w;
    vi hit = cover_part(part, px - part->cx, py - part->cy, &w);
    *sx = px, *sy = py;
    if (vi_all(hit)) return;
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

VEC int touches(const struct soft_part *part, int px, int py) {
    return part->x0 < px + 4 && part->x1 > px && part->y0 < py + 2 && part->y1 > py;
}

// Samples of the packet where the part is nearer than what is there; w[s] of them.
VEC int cover_samples(const struct soft *soft, const struct soft_part *part,
                      const struct packet *packet, vi mask[SOFT_SAMPLES], vf w[SOFT_SAMPLES]) {
    vi any = vi_set(0);
    float nearest = 1 / soft->znear;
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

// Depth-tests the parts of a list that touch the packet; keeps their indices in found.
VEC int cover_list(const struct soft *soft, const struct soft_part *parts, const int *list,
                   int count, struct packet *packet, int px, int py, int *found) {
    int n = 0;
    for (int i = 0; i < count; i++) {
        const struct soft_part *part = &parts[list[i]];
        vi mask[SOFT_SAMPLES];
        vf w[SOFT_SAMPLES];
        if (!touches(part, px, py) || !cover_samples(soft, part, packet, mask, w)) continue;
        for (int s = 0; s < SOFT_SAMPLES; s++) {
            packet->w[s] = vf_pick(mask[s], w[s], packet->w[s]);
            packet->id[s] = vi_pick(mask[s], vi_set(list[i]), packet->id[s]);
        }
        found[n++] = list[i];
    }
    return n;
}

VEC void clear_packet(const struct soft *soft, struct packet *packet, int px, int py) {
    packet->x = vf_set((float)px) + (vf){0, 1, 2, 3, 0, 1, 2, 3};
    packet->y = vf_set((float)py) + (vf){0, 0, 0, 0, 1, 1, 1, 1};
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        packet->w[s] = vf_set(1 / soft->zfar);
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
VEC vi blend_color(vi src, vi dst, int alpha) {
    vi result = vi_set(0);
    for (int shift = 0; shift < 24; shift += 8) {
        vi s = (src >> shift & 255) * alpha + 128, d = (dst >> shift & 255) * (255 - alpha) + 128;
        vi sum = ((s + (s >> 8)) >> 8) + ((d + (d >> 8)) >> 8);
        result |= vi_pick(sum > 255, vi_set(255), sum) << shift;
    }
    return result;
}

// Transparent parts over the packet's colours, as MuJoCo draws them: front to back, then back to
// front.
static __attribute__((noinline)) void blend_list(const struct soft *soft,
                                                 const struct soft_part *parts, const int *list,
                                                 int count, struct packet *packet, int px, int py,
                                                 const struct shade_mode *mode) {
    for (int i = 0; i < 2 * count; i++) {
        const struct soft_part *part = &parts[list[i < count ? i : 2 * count - 1 - i]];
        vi mask[SOFT_SAMPLES];
        vf w[SOFT_SAMPLES];
        if (!touches(part, px, py) || !cover_samples(soft, part, packet, mask, w)) continue;
        vi color = shade_small(soft, part, packet, mask, mode);
        float alpha = part->alpha < 0 ? 0 : part->alpha > 1 ? 1 : part->alpha;
        for (int s = 0; s < SOFT_SAMPLES; s++) {
            vi blended = blend_color(color, packet->color[s], (int)(alpha * 255 + 0.5f));
            packet->color[s] = vi_pick(mask[s], blended, packet->color[s]);
        }
    }
}

struct row_list { // parts that touch a row of packets, opaque ones first
    int *list, opaque, count;
};

struct row_lists {
    struct row_list part, mirror;
    int *found, *mirror_found;
};

// Colours of the reflected scene at the packet's samples.
static __attribute__((noinline)) void draw_mirror(const struct soft *soft,
                                                  const struct row_lists *row,
                                                  struct packet *packet, int px, int py) {
    struct shade_mode mode = {soft->all_light, soft->light_count,
                              soft->material[soft->reflective].reflectance, 0};
    const struct row_list *list = &row->mirror;
    clear_packet(soft, packet, px, py);
    int n =
        cover_list(soft, soft->mirror, list->list, list->opaque, packet, px, py, row->mirror_found);
    for (int i = 0; i < n; i++) {
        vi mask[SOFT_SAMPLES];
        int id = row->mirror_found[i];
        if (!sample_masks(packet, id, mask)) continue;
        vi color = shade_small(soft, &soft->mirror[id], packet, mask, &mode);
        for (int s = 0; s < SOFT_SAMPLES; s++) {
            packet->color[s] = vi_pick(mask[s], color, packet->color[s]);
        }
    }
    if (list->count > list->opaque) {
        blend_list(soft, soft->mirror, list->list + list->opaque, list->count - list->opaque,
                   packet, px, py, &mode);
    }
}

VEC void draw_packet(const struct soft *soft, const struct row_lists *row, struct packet *packet,
                     int px, int py) {
    struct shade_mode opaque = {soft->base_light, soft->base_light_count, 1, 1};
    clear_packet(soft, packet, px, py);
    int n =
        cover_list(soft, soft->part, row->part.list, row->part.opaque, packet, px, py, row->found);
    for (int i = 0; i < n; i++) {
        const struct soft_part *part = &soft->part[row->found[i]];
        vi mask[SOFT_SAMPLES];
        if (!sample_masks(packet, row->found[i], mask)) continue;
        vi any = mask[0] | mask[1] | mask[2] | mask[3];
        vi color = part->grid >= 0
                       ? shade_plane(soft, part, packet->x + 0.5f, packet->y + 0.5f, any)
                       : shade_small(soft, part, packet, mask, &opaque);
        struct packet mirror;
        int reflecting = part->geom == soft->reflective && part->mirror && row->mirror.count > 0;
        if (reflecting) draw_mirror(soft, row, &mirror, px, py);
        for (int s = 0; s < SOFT_SAMPLES; s++) {
            vi own = reflecting ? add_colors(color, mirror.color[s]) : color;
            packet->color[s] = vi_pick(mask[s], own, packet->color[s]);
        }
    }
    vi sky = sky_color(soft, (py / 2) * soft->packets_x + px / 4);
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        packet->color[s] = vi_pick(packet->id[s] < 0, sky, packet->color[s]);
    }
    if (row->part.count > row->part.opaque) {
        struct shade_mode blend = {soft->all_light, soft->light_count, 1, 0};
        blend_list(soft, soft->part, row->part.list + row->part.opaque,
                   row->part.count - row->part.opaque, packet, px, py, &blend);
    }
}

// Mean of the four samples, rounded to the nearest, ties to even.
VEC vi resolve(const vi color[SOFT_SAMPLES]) {
    vi result = vi_set(0);
    for (int shift = 0; shift < 24; shift += 8) {
        vi sum = vi_set(0);
        for (int s = 0; s < SOFT_SAMPLES; s++) sum += (color[s] >> shift) & 255;
        result |= ((sum + 1 + ((sum >> 2) & 1)) >> 2) << shift;
    }
    return result;
}

static void store_rgb(const struct soft *soft, uint8_t *rgb, int px, int py, vi color) {
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
static void store_ids(const struct soft *soft, const struct row_lists *row,
                      const struct render_target *target, int px, int py) {
    struct packet packet;
    clear_packet(soft, &packet, px, py);
    vf far = packet.w[0], solid = far, x = packet.x + 0.5f, y = packet.y + 0.5f;
    for (int i = 0; i < row->part.count; i++) {
        const struct soft_part *part = &soft->part[row->part.list[i]];
        if (!touches(part, px, py)) continue;
        vf w;
        vi hit = cover_part(part, x - part->cx, y - part->cy, &w) & (w <= 1 / soft->znear);
        if (i < row->part.opaque) solid = vf_pick(hit, vf_max(solid, w), solid);
        hit &= w >= packet.w[0];
        if (!soft->material[part->geom].segmented) continue;
        packet.w[0] = vf_pick(hit, w, packet.w[0]);
        packet.id[0] = vi_pick(hit, vi_set(part->geom), packet.id[0]);
    }
    float depth[8];
    int32_t geom[8];
    vf_store(depth, vf_pick(solid > far, 1.0f / solid, vf_set(soft->zfar)));
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

static void list_row(const struct soft_part *parts, int opaque, int count, int py,
                     struct row_list *row) {
    row->opaque = row->count = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].y0 >= py + 2 || parts[i].y1 <= py) continue;
        row->list[row->count++] = i;
        if (i < opaque) row->opaque = row->count;
    }
}

void SOFT_KERNEL(struct soft *soft, const struct render_target *target) {
    int capacity = 4 * soft->geom_capacity;
    struct row_lists row = {.part.list = soft->row_list,
                            .mirror.list = soft->row_list + capacity,
                            .found = soft->row_list + 2 * capacity,
                            .mirror_found = soft->row_list + 3 * capacity};
    struct packet packet;
    for (int y = 0; y < soft->packets_y; y++) {
        list_row(soft->part, soft->opaque_count, soft->part_count, 2 * y, &row.part);
        list_row(soft->mirror, soft->mirror_opaque_count, soft->mirror_count, 2 * y, &row.mirror);
        for (int x = 0; x < soft->packets_x; x++) {
            if (target->rgb || target->gray) {
                draw_packet(soft, &row, &packet, 4 * x, 2 * y);
                vi color = resolve(packet.color);
                if (target->rgb) store_rgb(soft, target->rgb, 4 * x, 2 * y, color);
                if (target->gray) store_gray(soft, target->gray, 4 * x, 2 * y, color);
            }
            if (target->depth || target->segmentation) {
                store_ids(soft, &row, target, 4 * x, 2 * y);
            }
        }
    }
}
