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
                                                const vi mask[SOFT_SAMPLES], float mirror) {
    vf px = packet->x + 0.5f, py = packet->y + 0.5f, sx = px, sy = py;
    if (part->kind != SOFT_RECT && part->kind != SOFT_DISC)
        shading_point(part, px, py, mask, &sx, &sy);
    vi any = mask[0] | mask[1] | mask[2] | mask[3];
    return shade_part(soft, part, sx, sy, any, mirror);
}

// Depth-tests the parts of a list that touch the packet; keeps their indices in found.
VEC int cover_list(const struct soft_part *parts, const int *list, int count, struct packet *packet,
                   int px, int py, float nearest, int *found) {
    int n = 0;
    for (int i = 0; i < count; i++) {
        const struct soft_part *part = &parts[list[i]];
        if (part->x0 >= px + 4 || part->x1 <= px || part->y0 >= py + 2 || part->y1 <= py) continue;
        vi any = vi_set(0);
        for (int s = 0; s < SOFT_SAMPLES; s++) {
            vf w;
            vi hit = cover_part(part, packet->x + (sample_x[s] - part->cx),
                                packet->y + (sample_y[s] - part->cy), &w);
            hit &= (w >= packet->w[s]) & (w <= nearest);
            packet->w[s] = vf_pick(hit, w, packet->w[s]);
            packet->id[s] = vi_pick(hit, vi_set(list[i]), packet->id[s]);
            any |= hit;
        }
        if (vi_any(any)) found[n++] = list[i];
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

// Colours of the reflected scene at the packet's samples.
static __attribute__((noinline)) void draw_mirror(const struct soft *soft, const int *list,
                                                  int count, struct packet *packet, int px, int py,
                                                  int *found) {
    clear_packet(soft, packet, px, py);
    int n = cover_list(soft->mirror, list, count, packet, px, py, 1 / soft->znear, found);
    float reflectance = soft->material[soft->reflective].reflectance;
    for (int i = 0; i < n; i++) {
        const struct soft_part *part = &soft->mirror[found[i]];
        vi mask[SOFT_SAMPLES], any = vi_set(0);
        for (int s = 0; s < SOFT_SAMPLES; s++) mask[s] = packet->id[s] == found[i], any |= mask[s];
        if (!vi_any(any)) continue;
        vi color = shade_small(soft, part, packet, mask, reflectance);
        for (int s = 0; s < SOFT_SAMPLES; s++)
            packet->color[s] = vi_pick(mask[s], color, packet->color[s]);
    }
}

struct row_lists {
    int *part, part_count, *mirror, mirror_count, *found, *mirror_found;
};

VEC void draw_packet(const struct soft *soft, const struct row_lists *row, struct packet *packet,
                     int px, int py) {
    clear_packet(soft, packet, px, py);
    int n = cover_list(soft->part, row->part, row->part_count, packet, px, py, 1 / soft->znear,
                       row->found);
    struct packet mirror;
    for (int i = 0; i < n; i++) {
        const struct soft_part *part = &soft->part[row->found[i]];
        vi mask[SOFT_SAMPLES], any = vi_set(0);
        for (int s = 0; s < SOFT_SAMPLES; s++)
            mask[s] = packet->id[s] == row->found[i], any |= mask[s];
        if (!vi_any(any)) continue;
        vi color = part->grid >= 0
                       ? shade_plane(soft, part, packet->x + 0.5f, packet->y + 0.5f, any)
                       : shade_small(soft, part, packet, mask, 0);
        int reflecting = part->geom == soft->reflective && row->mirror_count > 0;
        if (reflecting) {
            draw_mirror(soft, row->mirror, row->mirror_count, &mirror, px, py, row->mirror_found);
        }
        for (int s = 0; s < SOFT_SAMPLES; s++) {
            vi own = reflecting ? add_colors(color, mirror.color[s]) : color;
            packet->color[s] = vi_pick(mask[s], own, packet->color[s]);
        }
    }
    vi sky = sky_color(soft, (py / 2) * soft->packets_x + px / 4);
    for (int s = 0; s < SOFT_SAMPLES; s++) {
        packet->color[s] = vi_pick(packet->id[s] < 0, sky, packet->color[s]);
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

static int list_row(const struct soft_part *parts, int count, int py, int *list) {
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].y0 < py + 2 && parts[i].y1 > py) list[n++] = i;
    }
    return n;
}

void SOFT_KERNEL(struct soft *soft, const struct render_target *target) {
    int capacity = 4 * soft->geom_capacity;
    struct row_lists row = {.part = soft->row_list,
                            .mirror = soft->row_list + capacity,
                            .found = soft->row_list + 2 * capacity,
                            .mirror_found = soft->row_list + 3 * capacity};
    struct packet packet;
    for (int y = 0; y < soft->packets_y; y++) {
        row.part_count = list_row(soft->part, soft->part_count, 2 * y, row.part);
        row.mirror_count = list_row(soft->mirror, soft->mirror_count, 2 * y, row.mirror);
        for (int x = 0; x < soft->packets_x; x++) {
            draw_packet(soft, &row, &packet, 4 * x, 2 * y);
            if (target->rgb) store_rgb(soft, target->rgb, 4 * x, 2 * y, resolve(packet.color));
        }
    }
}
