#include <stddef.h>

#include "base/mem.h"
#include "render/soft.h"

// Texel of a model texture as R | G << 8 | B << 16.
static uint32_t model_texel(const mjtByte *data, size_t index, int channels) {
    const mjtByte *p = data + index * (size_t)channels;
    if (channels < 3) return p[0] * 0x010101u;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static int channel(uint32_t texel, int k) {
    return (int)(texel >> (8 * k) & 255);
}

// Sampling position of the blit that makes a level: 8 fractional bits, clamped to the edge.
struct blit_tap {
    int at0, at1, weight;
};

static struct blit_tap blit_tap(int index, int size, int source_size) {
    float coordinate = ((float)index + 0.5f) / (float)size;
    int fixed = (int)(coordinate * (float)(source_size * 256) + 0.5f) - 128;
    struct blit_tap tap = {fixed >> 8, (fixed >> 8) + 1, fixed & 255};
    if (tap.at0 < 0) tap.at0 = 0;
    if (tap.at1 > source_size - 1) tap.at1 = source_size - 1;
    if (tap.at0 > source_size - 1) tap.at0 = source_size - 1;
    return tap;
}

// The next level as Mesa makes it: a bilinear blit at the new texels' centres.
static void make_level(uint32_t *out, int width, int height, const struct soft_level *source) {
    for (int y = 0; y < height; y++) {
        struct blit_tap ty = blit_tap(y, height, source->height);
        const uint32_t *row0 = source->texel + (size_t)ty.at0 * (size_t)source->width;
        const uint32_t *row1 = source->texel + (size_t)ty.at1 * (size_t)source->width;
        for (int x = 0; x < width; x++) {
            struct blit_tap tx = blit_tap(x, width, source->width);
            uint32_t texel = 0;
            for (int k = 0; k < 3; k++) {
                int top =
                    soft_lerp_u8(channel(row0[tx.at0], k), channel(row0[tx.at1], k), tx.weight);
                int bottom =
                    soft_lerp_u8(channel(row1[tx.at0], k), channel(row1[tx.at1], k), tx.weight);
                texel |= (uint32_t)soft_lerp_u8(top, bottom, ty.weight) << (8 * k);
            }
            out[(size_t)y * (size_t)width + (size_t)x] = texel;
        }
    }
}

static size_t pyramid_texels(int width, int height, int *levels) {
    size_t total = 0;
    *levels = 0;
    for (;;) {
        total += (size_t)width * (size_t)height;
        ++*levels;
        if (width == 1 && height == 1) return total;
        width = width > 1 ? width / 2 : 1;
        height = height > 1 ? height / 2 : 1;
    }
}

// The 2x2 footprints of a repeating level: texel (x, y), (x, y + 1), (x + 1, y), (x + 1, y + 1).
static void make_footprints(uint8_t *out, const struct soft_level *level) {
    int w = level->width, h = level->height;
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++, out += 16) {
            for (int k = 0; k < 4; k++) {
                int tx = (x + (k >> 1)) % w, ty = (y + (k & 1)) % h;
                uint32_t texel = level->texel[(size_t)ty * (size_t)w + (size_t)tx];
                for (int c = 0; c < 4; c++) out[4 * k + c] = (uint8_t)(texel >> (8 * c));
            }
        }
    }
}

static enum rl_status load_face(struct soft_texture *texture, int face, uint32_t *texels, int width,
                                int height) {
    struct soft_level *level = texture->level[face];
    for (int i = 0; i < texture->level_count; i++) {
        level[i] = (struct soft_level){.width = width,
                                       .height = height,
                                       .width256 = (float)(width * 256),
                                       .height256 = (float)(height * 256),
                                       .texel = texels};
        if (i > 0) make_level(texels, width, height, &level[i - 1]);
        texels += (size_t)width * (size_t)height;
        width = width > 1 ? width / 2 : 1;
        height = height > 1 ? height / 2 : 1;
    }
    return RL_OK;
}

enum rl_status soft_texture_load(struct soft_texture *texture, const mjModel *model, int id,
                                 struct rl_error *err) {
    int width = model->tex_width[id], height = model->tex_height[id];
    int channels = model->tex_nchannel[id];
    const mjtByte *data = model->tex_data + model->tex_adr[id];
    *texture = (struct soft_texture){.cube = model->tex_type[id] != mjTEXTURE_2D};
    int faces = texture->cube ? 6 : 1;
    if (texture->cube) height = width; // a square image is repeated on every face
    if (width < 1 || height < 1 || width > 16384 || height > 16384) {
        return rl_fail(err, RL_EMODEL, "texture %d is %dx%d; 1..16384 is allowed", id, width,
                       height);
    }
    size_t face_texels = pyramid_texels(width, height, &texture->level_count);
    texture->texels = mem_try_alloc(face_texels * (size_t)faces * 4, "texture levels", err);
    if (!texture->texels) return err->code;
    bool separate = texture->cube && model->tex_height[id] >= 6 * width;
    for (int face = 0; face < faces; face++) {
        uint32_t *texels = texture->texels + (size_t)face * face_texels;
        size_t count = (size_t)width * (size_t)height;
        size_t first = separate ? (size_t)face * count : 0;
        for (size_t i = 0; i < count; i++) texels[i] = model_texel(data, first + i, channels);
        if (load_face(texture, face, texels, width, height) != RL_OK) return err->code;
    }
    if (texture->cube) return RL_OK;
    texture->footprints = mem_try_alloc(face_texels * 16, "texture footprints", err);
    if (!texture->footprints) return err->code;
    uint8_t *footprint = texture->footprints;
    for (int i = 0; i < texture->level_count; i++) {
        struct soft_level *level = &texture->level[0][i];
        make_footprints(footprint, level);
        level->footprint = footprint;
        footprint += (size_t)level->width * (size_t)level->height * 16;
    }
    return RL_OK;
}

void soft_texture_release(struct soft_texture *texture) {
    mem_free(texture->texels);
    mem_free(texture->footprints);
    *texture = (struct soft_texture){0};
}
