#ifndef RL_DOUBLE

#include "math/conv_direct.h"

#include <string.h>

#include "base/ints.h"
#include "math/tile.h"

#define MAX_PARTS      16
#define FLOPS_PER_PART 1e6
#define BAND_BYTES     65536 // of copied rows: they stay in the second-level cache beside the weights

static int divide_up(int a, int b) {
    return (a + b - 1) / b;
}

// --- sizes ---

// How one call is laid out; all counts are of floats.
struct plan {
    const struct tile_kernels *kernels;
    struct conv_shape s;
    int out_h, out_w;
    int n_out_blocks, n_in_blocks; // of kernels->width channels
    int gy_c;                      // out_c in whole vectors
    int halo;          // rows and columns of gy before the first that an input pixel meets
    int gy_rows, gy_w; // of gy with that halo; rows is all of the image's
    int x_w;           // padded width of the input
    int n_parts, n_image_parts;
    size_t forward_weights, backward_weights, partial; // partial: gw and gb of one part
    int x_band_rows, gy_band_rows;                     // largest number of rows in a band's copy
    size_t part_floats;
};

static int part_count(const struct conv_shape *s, int most) {
    double parts = conv_flops(s) / FLOPS_PER_PART;
    return max_int(1, min_int(parts < MAX_PARTS ? (int)parts : MAX_PARTS, most));
}

static int band_rows(size_t floats_per_row) {
    return max_int(1, (int)(BAND_BYTES / sizeof(float) / floats_per_row));
}

static struct plan make_plan(const struct conv_shape *s) {
    struct plan p = {
        .kernels = tile_kernels(), .s = *s, .out_h = conv_out_h(s), .out_w = conv_out_w(s)};
    int width = p.kernels->width, taps = s->kernel * s->kernel;
    p.n_out_blocks = divide_up(s->out_c, width);
    p.n_in_blocks = divide_up(s->in_c, width);
    p.gy_c = round_up(s->out_c, p.kernels->lanes);
    p.halo = divide_up(s->kernel, s->stride) - 1;
    p.gy_rows = max_int(p.out_h, (s->in_h - 1 + s->pad) / s->stride + 1);
    p.gy_w = max_int(p.out_w, (s->in_w - 1 + s->pad) / s->stride + 1) + p.halo;
    p.x_w = s->in_w + 2 * s->pad;
    p.n_parts = part_count(s, s->batch * p.out_h);
    p.n_image_parts = part_count(s, s->batch);
    p.forward_weights = (size_t)taps * s->in_c * p.n_out_blocks * width;
    p.backward_weights = (size_t)taps * p.gy_c * p.n_in_blocks * width;
    p.partial = (size_t)(taps * s->in_c + 1) * p.gy_c;
    size_t x_row = (size_t)p.x_w * s->in_c, gy_row = (size_t)p.gy_w * p.gy_c;
    p.gy_band_rows = min_int(p.gy_rows, band_rows(x_row * s->stride + gy_row));
    p.x_band_rows = (p.gy_band_rows - 1) * s->stride + s->kernel;
    p.part_floats = (p.gy_band_rows + p.halo) * gy_row + p.x_band_rows * x_row + p.partial;
    p.part_floats = (p.part_floats + 15) / 16 * 16;
    return p;
}

size_t conv_direct_workspace_bytes(const struct conv_shape *shape) {
    struct plan p = make_plan(shape);
    size_t weights =
        p.forward_weights > p.backward_weights ? p.forward_weights : p.backward_weights;
    size_t bias = (size_t)p.n_out_blocks * p.kernels->width;
    int parts = max_int(p.n_parts, p.n_image_parts);
    return sizeof(float) * ((weights + bias + 15) / 16 * 16 + parts * p.part_floats);
}

// --- packing weights ---

// Forward: block b of out channels, then (ky, kx, in_c) rows of width floats, zero past out_c.
static void pack_forward(const struct plan *p, const float *w, const float *bias, float *packed,
                         float *packed_bias) {
    int width = p->kernels->width, rows = p->s.kernel * p->s.kernel * p->s.in_c, out_c = p->s.out_c;
    for (int block = 0; block < p->n_out_blocks; block++) {
        int begin = block * width, count = min_int(width, out_c - begin);
        for (int row = 0; row < rows; row++, packed += width) {
            memcpy(packed, w + (size_t)row * out_c + begin, sizeof(float) * count);
            memset(packed + count, 0, sizeof(float) * (width - count));
        }
    }
    memset(packed_bias, 0, sizeof(float) * p->n_out_blocks * width);
    if (bias) memcpy(packed_bias, bias, sizeof(float) * out_c);
}

// An input pixel of phase f = (i + pad) mod stride meets the taps f, f + stride, ...: tap_count of
// them, the last tap with the first gy.
static int tap_count(const struct plan *p, int phase) {
    return phase < p->s.kernel ? divide_up(p->s.kernel - phase, p->s.stride) : 0;
}

// Backward: for each phase (fy, fx) and block of in channels, rows (jy, jx, out_c) of width floats.
// Where the packed weights of a phase begin comes from adding up in the same order.
static void pack_backward(const struct plan *p, const float *w, float *packed) {
    int width = p->kernels->width, stride = p->s.stride, kernel = p->s.kernel, in_c = p->s.in_c;
    for (int fy = 0; fy < stride; fy++) {
        for (int fx = 0; fx < stride; fx++) {
            int ny = tap_count(p, fy), nx = tap_count(p, fx);
            for (int i = 0; i < p->n_in_blocks * ny * nx * p->gy_c; i++, packed += width) {
                int c = i % p->gy_c, jx = i / p->gy_c % nx, jy = i / (p->gy_c * nx) % ny;
                int begin = i / (p->gy_c * nx * ny) * width, count = min_int(width, in_c - begin);
                int ky = fy + stride * (ny - 1 - jy), kx = fx + stride * (nx - 1 - jx);
                memset(packed, 0, sizeof(float) * width);
                if (c >= p->s.out_c) continue;
                const float *from =
                    w + ((size_t)(ky * kernel + kx) * in_c + begin) * p->s.out_c + c;
                for (int j = 0; j < count; j++) packed[j] = from[(size_t)j * p->s.out_c];
            }
        }
    }
}

// --- copying rows ---

struct job {
    struct plan plan;
    const struct conv_input *input;
    const float *y, *gy, *packed, *bias;
    float *out, *gx, *parts;
    bool relu, wants_gw, wants_gb;
};

// Rows of the picture with their first row and row length, as the tiles read them.
struct rows {
    const float *at; // row `first`, first column (padding included)
    int first;
    ptrdiff_t row;
};

static bool input_is_copied(const struct job *job) {
    return job->input->u8 || job->plan.s.pad > 0;
}

static void read_input(const struct job *job, size_t at, size_t count, float *out) {
    const struct conv_input *in = job->input;
    if (in->u8) {
        job->plan.kernels->from_u8(in->u8 + at, count, in->scale, in->shift, out);
    } else {
        memcpy(out, in->x + at, sizeof(float) * count);
    }
}

// Padded input rows [first, first + count) of an image (row 0 is the first row of padding).
static struct rows input_rows(const struct job *job, int image, int first, int count, float *copy) {
    const struct conv_shape *s = &job->plan.s;
    ptrdiff_t row = (ptrdiff_t)job->plan.x_w * s->in_c;
    size_t in_row = (size_t)s->in_w * s->in_c, image_at = (size_t)image * s->in_h * in_row;
    if (!input_is_copied(job)) {
        return (struct rows){job->input->x + image_at + first * in_row, first, row};
    }
    size_t side = (size_t)s->pad * s->in_c;
    for (int i = 0; i < count; i++) {
        float *to = copy + i * row;
        int y = first + i - s->pad;
        if (y < 0 || y >= s->in_h) {
            memset(to, 0, sizeof(float) * row);
            continue;
        }
        memset(to, 0, sizeof(float) * side);
        read_input(job, image_at + y * in_row, in_row, to + side);
        memset(to + side + in_row, 0, sizeof(float) * side);
    }
    return (struct rows){copy, first, row};
}

static void copy_gy_row(const struct job *job, size_t at, float *to) {
    const struct plan *p = &job->plan;
    int out_c = p->s.out_c;
    if (out_c == p->gy_c) {
        size_t count = (size_t)p->out_w * out_c;
        if (job->y) {
            p->kernels->where_positive(job->gy + at, job->y + at, count, to);
        } else {
            memcpy(to, job->gy + at, sizeof(float) * count);
        }
        return;
    }
    for (int x = 0; x < p->out_w; x++, at += out_c, to += p->gy_c) {
        memset(to, 0, sizeof(float) * p->gy_c);
        for (int c = 0; c < out_c; c++) {
            to[c] = !job->y || job->y[at + c] > 0 ? job->gy[at + c] : 0;
        }
    }
}

// Rows [first, first + count) of gy, zero outside the picture, `halo` zero columns before the
// first.
static struct rows gy_rows(const struct job *job, int image, int first, int count, float *copy) {
    const struct plan *p = &job->plan;
    size_t out_row = (size_t)p->out_w * p->s.out_c, before = (size_t)p->halo * p->gy_c;
    size_t row = (size_t)p->gy_w * p->gy_c, inside = (size_t)p->out_w * p->gy_c;
    for (int i = 0; i < count; i++) {
        float *to = copy + i * row;
        int y = first + i;
        if (y < 0 || y >= p->out_h) {
            memset(to, 0, sizeof(float) * row);
            continue;
        }
        memset(to, 0, sizeof(float) * before);
        copy_gy_row(job, ((size_t)image * p->out_h + y) * out_row, to + before);
        memset(to + before + inside, 0, sizeof(float) * (row - before - inside));
    }
    return (struct rows){copy, first, (ptrdiff_t)row};
}

// --- forward ---

static void forward_row(const struct job *job, const struct rows *x, int image, int y) {
    const struct plan *p = &job->plan;
    const struct conv_shape *s = &p->s;
    int width = p->kernels->width, depth = s->kernel * s->in_c;
    for (int block = 0; block < p->n_out_blocks; block++) {
        struct tile_product tile = {
            .rows = p->out_w,
            .cols = min_int(width, s->out_c - block * width),
            .n_outer = s->kernel,
            .depth = depth,
            .a = x->at + (y * s->stride - x->first) * x->row,
            .a_outer = x->row,
            .a_row = s->stride * s->in_c,
            .a_step = 1,
            .b = job->packed + (size_t)block * s->kernel * depth * width,
            .c = job->out + ((size_t)image * p->out_h + y) * p->out_w * s->out_c + block * width,
            .c_row = s->out_c,
            .init = job->bias + block * width,
            .relu = job->relu,
        };
        p->kernels->product(&tile);
    }
}

static void forward_part(void *context, int part) {
    const struct job *job = context;
    const struct plan *p = &job->plan;
    int grain = p->s.batch >= p->n_parts ? p->out_h : 1; // whole images where there are enough
    struct pool_range range = pool_split(p->s.batch * p->out_h, p->n_parts, part, grain);
    float *copy = job->parts + part * p->part_floats;
    for (int i = range.begin; i < range.end;) {
        int image = i / p->out_h, y = i % p->out_h;
        int count = min_int(min_int(range.end - i, p->out_h - y), p->gy_band_rows);
        struct rows x =
            input_rows(job, image, y * p->s.stride, (count - 1) * p->s.stride + p->s.kernel, copy);
        for (int j = 0; j < count; j++) forward_row(job, &x, image, y + j);
        i += count;
    }
}

void conv_direct_forward(struct pool *pool, const struct conv_shape *shape,
                         const struct conv_input *input, const real *w, const real *bias, bool relu,
                         real *y, void *workspace) {
    struct job job = {.plan = make_plan(shape), .input = input, .out = y, .relu = relu};
    const struct plan *p = &job.plan;
    float *packed = workspace, *packed_bias = packed + p->forward_weights;
    pack_forward(p, w, bias, packed, packed_bias);
    job.packed = packed;
    job.bias = packed_bias;
    size_t used = p->forward_weights + (size_t)p->n_out_blocks * p->kernels->width;
    job.parts = packed + (used + 15) / 16 * 16;
    pool_run(pool, p->n_parts, forward_part, &job);
}

// --- backward ---

// gx of the input pixels of one phase in one padded row y = q * stride + fy.
static void backward_phase(const struct job *job, const struct rows *gy, int image, int q, int fy,
                           int fx, const float *packed) {
    const struct plan *p = &job->plan;
    const struct conv_shape *s = &p->s;
    int width = p->kernels->width, ny = tap_count(p, fy), nx = tap_count(p, fx);
    int y = q * s->stride + fy - s->pad;
    int first = max_int(0, divide_up(s->pad - fx, s->stride)); // smallest qx that is in the picture
    int x = first * s->stride + fx - s->pad;
    if (x >= s->in_w) return;
    size_t rows = (size_t)ny * nx * p->gy_c;
    for (int block = 0; block < p->n_in_blocks; block++) {
        struct tile_product tile = {
            .rows = (s->in_w - 1 - x) / s->stride + 1,
            .cols = min_int(width, s->in_c - block * width),
            .n_outer = ny,
            .depth = nx * p->gy_c,
            .a = gy->at + (q - ny + 1 - gy->first) * gy->row + (first + p->halo - nx + 1) * p->gy_c,
            .a_outer = gy->row,
            .a_row = p->gy_c,
            .a_step = 1,
            .b = packed + block * rows * width,
            .c = job->gx + (((size_t)image * s->in_h + y) * s->in_w + x) * s->in_c + block * width,
            .c_row = (ptrdiff_t)s->stride * s->in_c,
        };
        p->kernels->product(&tile);
    }
}

static void backward_input_band(const struct job *job, const struct rows *gy, int image, int first,
                                int count) {
    const struct plan *p = &job->plan;
    const float *packed = job->packed;
    int stride = p->s.stride;
    for (int fy = 0; fy < stride; fy++) {
        for (int fx = 0; fx < stride; fx++) {
            for (int q = first; q < first + count; q++) {
                int y = q * stride + fy - p->s.pad;
                if (y >= 0 && y < p->s.in_h) backward_phase(job, gy, image, q, fy, fx, packed);
            }
            packed += (size_t)tap_count(p, fy) * tap_count(p, fx) * p->gy_c * p->n_in_blocks *
                      p->kernels->width;
        }
    }
}

// Adds the band's gy rows [first, first + count) to the part's gw (taps * in_c, gy_c) and gb after
// it.
static void backward_weight_band(const struct job *job, const struct rows *gy, int image, int first,
                                 int count, float *copy, float *partial) {
    const struct plan *p = &job->plan;
    const struct conv_shape *s = &p->s;
    struct rows x =
        input_rows(job, image, first * s->stride, (count - 1) * s->stride + s->kernel, copy);
    struct tile_outer tile = {
        .rows = s->kernel * s->in_c,
        .cols = p->gy_c,
        .n_outer = count,
        .depth = p->out_w,
        .a_outer = s->stride * x.row,
        .a_step = s->stride * s->in_c,
        .b = gy->at + (first - gy->first) * gy->row + p->halo * p->gy_c,
        .b_outer = gy->row,
        .b_step = p->gy_c,
        .c_row = p->gy_c,
    };
    for (int ky = 0; job->wants_gw && ky < s->kernel; ky++) {
        tile.a = x.at + ky * x.row;
        tile.c = partial + (size_t)ky * tile.rows * p->gy_c;
        p->kernels->outer(&tile);
    }
    float *gb = partial + p->partial - p->gy_c;
    for (int r = 0; job->wants_gb && r < count; r++) {
        const float *from = tile.b + r * gy->row;
        for (int i = 0; i < p->out_w; i++) {
            for (int c = 0; c < p->gy_c; c++) gb[c] += from[(size_t)i * p->gy_c + c];
        }
    }
}

static void backward_part(void *context, int part) {
    const struct job *job = context;
    const struct plan *p = &job->plan;
    struct pool_range range = pool_split(p->s.batch, p->n_image_parts, part, 1);
    float *partial = job->parts + part * p->part_floats;
    float *gy_copy = partial + p->partial;
    float *x_copy = gy_copy + (size_t)(p->gy_band_rows + p->halo) * p->gy_w * p->gy_c;
    memset(partial, 0, sizeof(float) * p->partial);
    for (int image = range.begin; image < range.end; image++) {
        for (int first = 0; first < p->gy_rows; first += p->gy_band_rows) {
            int count = min_int(p->gy_band_rows, p->gy_rows - first);
            struct rows gy = gy_rows(job, image, first - p->halo, count + p->halo, gy_copy);
            if (job->gx) backward_input_band(job, &gy, image, first, count);
            count = min_int(count, p->out_h - first);
            if ((job->wants_gw || job->wants_gb) && count > 0) {
                backward_weight_band(job, &gy, image, first, count, x_copy, partial);
            }
        }
    }
}

void conv_direct_backward(struct pool *pool, const struct conv_shape *shape,
                          const struct conv_input *input, const real *y, const real *gy,
                          const real *w, real *gx, real *gw, real *gb, void *workspace) {
    struct job job = {.plan = make_plan(shape),
                      .input = input,
                      .y = y,
                      .gy = gy,
                      .gx = gx,
                      .packed = workspace,
                      .wants_gw = gw != NULL,
                      .wants_gb = gb != NULL};
    const struct plan *p = &job.plan;
    job.parts = (float *)workspace + (p->backward_weights + 15) / 16 * 16;
    if (gx) pack_backward(p, w, workspace);
    pool_run(pool, p->n_image_parts, backward_part, &job);
    int out_c = p->s.out_c;
    size_t rows = (size_t)p->s.kernel * p->s.kernel * p->s.in_c;
    for (int part = 0; (gw || gb) && part < p->n_image_parts; part++) {
        const float *from = job.parts + part * p->part_floats;
        for (size_t i = 0; gw && i < rows * out_c; i++) {
            gw[i] += from[i / out_c * p->gy_c + i % out_c];
        }
        for (int c = 0; gb && c < out_c; c++) gb[c] += from[rows * p->gy_c + c];
    }
}

#endif
