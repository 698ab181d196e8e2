#ifndef RL_DOUBLE

#include "math/winograd.h"

#include <string.h>

#include "math/tile.h"

#define MAX_PARTS      16
#define FLOPS_PER_PART 1e6
// Of both transformed sides of a chunk: beside the weights in the second-level cache.
#define SPACE_BYTES (184 << 10)
#define MOST_WEIGHTS                                                                               \
    (128 * 128)           // in_c * out_c: beyond, the transformed weights fall out of the caches
#define FEWEST_OUTPUTS 16 // of a picture: below, the tiles are mostly margin

static int round_up(int count, int grain) {
    return (count + grain - 1) / grain * grain;
}

static int min_int(int a, int b) {
    return a < b ? a : b;
}

static int max_int(int a, int b) {
    return a > b ? a : b;
}

static const struct winograd_kernels *winograd_kernels(void) {
#if defined(__x86_64__)
    switch (simd_level()) {
    case SIMD_LEVEL_AVX512: return &winograd_kernels_avx512;
    case SIMD_LEVEL_AVX2: return &winograd_kernels_avx2;
    case SIMD_LEVEL_PORTABLE: break;
    }
#endif
    return &winograd_kernels_portable;
}

bool winograd_fits(const struct conv_shape *s) {
    return s->kernel == 3 && s->stride == 1 && s->pad <= 2 && s->in_c % 16 == 0 &&
           s->out_c % 16 == 0 && s->in_c * s->out_c <= MOST_WEIGHTS &&
           conv_out_h(s) * conv_out_w(s) >= FEWEST_OUTPUTS;
}

// --- sizes ---

struct picture { // one side of the layer
    int h, w, c;
};

struct plan {
    const struct tile_kernels *tile;
    const struct winograd_kernels *kernels;
    struct conv_shape s;
    struct picture x, y;
    int n_parts, n_image_parts;
    int most_tiles; // of a chunk
    size_t weights,
        partial; // floats: transformed weights (either direction), gradient of them and bias
    size_t scratch, part_floats;
};

static int tile_count(int length) {
    return (length + WINOGRAD_OUT - 1) / WINOGRAD_OUT;
}

static int part_count(const struct conv_shape *s, int most) {
    double parts = conv_flops(s) / FLOPS_PER_PART;
    return max_int(1, min_int(parts < MAX_PARTS ? (int)parts : MAX_PARTS, most));
}

static struct plan make_plan(const struct conv_shape *s) {
    struct plan p = {.tile = tile_kernels(), .kernels = winograd_kernels(), .s = *s};
    p.x = (struct picture){s->in_h, s->in_w, s->in_c};
    p.y = (struct picture){conv_out_h(s), conv_out_w(s), s->out_c};
    p.n_parts = part_count(s, s->batch * tile_count(p.y.h));
    p.n_image_parts = part_count(s, s->batch);
    int in_strip = tile_count(max_int(p.x.w, p.y.w)), channels = s->in_c + s->out_c;
    int fit = SPACE_BYTES / (int)(WINOGRAD_POSITIONS * sizeof(float)) / channels;
    p.most_tiles = max_int(fit, in_strip);
    // An odd number of cache lines between positions: they must not fall on the same set of the
    // cache.
    int width = p.tile->width;
    size_t forward = (size_t)s->in_c * round_up(s->out_c, width);
    size_t backward = (size_t)s->out_c * round_up(s->in_c, width);
    p.weights = WINOGRAD_POSITIONS * (forward > backward ? forward : backward);
    p.partial = (size_t)WINOGRAD_POSITIONS * s->in_c * s->out_c + s->out_c;
    p.scratch = (size_t)(WINOGRAD_OUT * in_strip + 2) * WINOGRAD_IN * max_int(s->in_c, s->out_c);
    p.part_floats = p.scratch + (size_t)WINOGRAD_POSITIONS * p.most_tiles * channels + p.partial;
    return p;
}

size_t winograd_workspace_bytes(const struct conv_shape *shape) {
    struct plan p = make_plan(shape);
    return sizeof(float) * (p.weights + max_int(p.n_parts, p.n_image_parts) * p.part_floats);
}

// --- weights ---

static const float g_matrix[WINOGRAD_IN][3] = {
    {1, 0, 0},
    {-2 / 3.0f, -2 / 3.0f * WINOGRAD_A, -1 / 3.0f},
    {-2 / 3.0f, 2 / 3.0f * WINOGRAD_A, -1 / 3.0f},
    {1 / 6.0f, 1 / 6.0f * WINOGRAD_B, 1 / 3.0f},
    {1 / 6.0f, -1 / 6.0f * WINOGRAD_B, 1 / 3.0f},
    {0, 0, 1},
};

// G g G' of one pair of channels, g's taps `step` floats apart; to[36] `to_step` apart.
static void transform_weight(const float *g, ptrdiff_t step, float *to, ptrdiff_t to_step) {
    float half[WINOGRAD_IN][3];
    for (int i = 0; i < WINOGRAD_IN; i++) {
        const float *m = g_matrix[i];
        for (int x = 0; x < 3; x++) {
            half[i][x] = m[0] * g[x * step] + m[1] * g[(3 + x) * step] + m[2] * g[(6 + x) * step];
        }
    }
    for (int i = 0; i < WINOGRAD_IN; i++) {
        for (int j = 0; j < WINOGRAD_IN; j++) {
            const float *m = g_matrix[j];
            to[(WINOGRAD_IN * i + j) * to_step] =
                m[0] * half[i][0] + m[1] * half[i][1] + m[2] * half[i][2];
        }
    }
}

// Position, block of `width` to-channels, from-channel: rows of width floats. backward: w is
// flipped (the taps are read from the last, step < 0) and its channels change places.
static void pack_weights(const struct plan *p, const float *w, bool backward, float *packed) {
    int width = p->tile->width, in_c = p->s.in_c, out_c = p->s.out_c;
    int n_from = backward ? out_c : in_c, n_to = backward ? in_c : out_c;
    ptrdiff_t tap = (ptrdiff_t)in_c * out_c, position = (ptrdiff_t)n_from * round_up(n_to, width);
    if (n_to % width) memset(packed, 0, sizeof(float) * WINOGRAD_POSITIONS * position);
    for (int i = 0; i < n_from; i++) {
        for (int j = 0; j < n_to; j++) {
            float *to = packed + ((ptrdiff_t)(j / width) * n_from + i) * width + j % width;
            if (backward) {
                transform_weight(w + 8 * tap + (ptrdiff_t)j * out_c + i, -tap, to, position);
            } else {
                transform_weight(w + (ptrdiff_t)i * out_c + j, tap, to, position);
            }
        }
    }
}

// gw += G' m G for each pair of channels.
static void add_weight_gradient(const struct plan *p, const float *m, float *gw) {
    ptrdiff_t pairs = (ptrdiff_t)p->s.in_c * p->s.out_c;
    for (ptrdiff_t pair = 0; pair < pairs; pair++) {
        float half[3][WINOGRAD_IN] = {{0}};
        for (int i = 0; i < WINOGRAD_POSITIONS; i++) {
            for (int y = 0; y < 3; y++) {
                half[y][i % WINOGRAD_IN] += g_matrix[i / WINOGRAD_IN][y] * m[i * pairs + pair];
            }
        }
        for (int tap = 0; tap < 9; tap++) {
            float sum = 0;
            for (int j = 0; j < WINOGRAD_IN; j++) sum += half[tap / 3][j] * g_matrix[j][tap % 3];
            gw[tap * pairs + pair] += sum;
        }
    }
}

// --- chunks of strips ---

// A picture of a batch as the transforms read or write it.
struct batch {
    struct picture size;
    const float *data, *mask; // of reading
    float *out;               // of writing
    int pad;                  // zeros around it when read
    int ahead;                // rows of a strip that the strip before has read too, less pad
    int count;
};

struct job {
    struct plan plan;
    struct batch from, to; // of the product: x to y, or gy to gx
    struct batch x, gy;    // of the weight gradient
    const float *packed, *bias;
    float *parts;
    bool backward, relu, wants_product, wants_gw, wants_gb;
};

// A thread's own memory.
struct space {
    float *scratch, *x, *y, *partial;
};

static struct space part_space(const struct job *job, int part) {
    const struct plan *p = &job->plan;
    float *at = job->parts + part * p->part_floats;
    struct space space = {.partial = at, .x = at + p->partial};
    space.y = space.x + (ptrdiff_t)WINOGRAD_POSITIONS * p->most_tiles * p->x.c;
    space.scratch = space.y + (ptrdiff_t)WINOGRAD_POSITIONS * p->most_tiles * p->y.c;
    return space;
}

// Strip number `strip` of the batch, n_rows input rows from row 4 * (its place in the picture) -
// pad.
static struct winograd_strip strip_of(const struct job *job, const struct batch *batch, int strip,
                                      int n_strips, int n_tiles, int n_rows) {
    const struct picture *size = &batch->size;
    int image = strip / n_strips, first = strip % n_strips * WINOGRAD_OUT - batch->pad;
    size_t row = (size_t)size->w * size->c;
    struct winograd_strip s = {.n_tiles = n_tiles,
                               .channels = size->c,
                               .width = size->w,
                               .pad = batch->pad,
                               .masked = batch->mask,
                               .bias = job->bias,
                               .relu = job->relu};
    for (int i = 0; i < n_rows; i++) {
        int y = first + i;
        if (y < 0 || y >= size->h) continue;
        size_t at = ((size_t)image * size->h + y) * row;
        if (batch->data) s.row[i] = batch->data + at;
        if (batch->mask) s.mask[i] = batch->mask + at;
        if (batch->out) s.out[i] = batch->out + at;
    }
    return s;
}

// Pictures come from memory and go there; the products in between wait for nothing. So each of the
// 36 asks for its share of what the next chunk of strips reads, or this one writes.
static void prefetch_share(const struct batch *batch, int n_strips, int strip, int count,
                           int share) {
    size_t row = (size_t)batch->size.w * batch->size.c;
    size_t first =
        strip / n_strips * (size_t)batch->size.h + strip % n_strips * WINOGRAD_OUT + batch->ahead;
    size_t floats = count * WINOGRAD_OUT * row,
           begin = first * row + floats * share / WINOGRAD_POSITIONS;
    size_t end = first * row + floats * (share + 1) / WINOGRAD_POSITIONS;
    size_t most = (size_t)batch->count * batch->size.h * row;
    for (size_t i = begin; i < end && i < most; i += 16) {
        if (batch->data) __builtin_prefetch(batch->data + i, 0, 2);
        if (batch->mask) __builtin_prefetch(batch->mask + i, 0, 2);
        if (batch->out) __builtin_prefetch(batch->out + i, 1, 2);
    }
}

// Strips [first, first + count) of the product: into the transformed space, 36 matrix products,
// back.
static void product_chunk(const struct job *job, const struct space *space, int first, int count) {
    const struct plan *p = &job->plan;
    int n_strips = tile_count(job->to.size.h), n_tiles = tile_count(job->to.size.w);
    int from_c = job->from.size.c, to_c = job->to.size.c, width = p->tile->width;
    ptrdiff_t from_tile = (ptrdiff_t)WINOGRAD_POSITIONS * from_c;
    ptrdiff_t to_tile = (ptrdiff_t)WINOGRAD_POSITIONS * to_c;
    float *from = job->backward ? space->y : space->x, *to = job->backward ? space->x : space->y;
    for (int i = 0; i < count; i++) {
        struct winograd_strip s =
            strip_of(job, &job->from, first + i, n_strips, n_tiles, WINOGRAD_IN);
        s.scratch = space->scratch;
        s.space = from + i * n_tiles * from_tile;
        s.position_step = from_c;
        s.tile_step = from_tile;
        p->kernels->input(&s);
    }
    struct tile_product tile = {.rows = count * n_tiles,
                                .n_outer = 1,
                                .depth = from_c,
                                .a_row = from_tile,
                                .c_row = to_tile,
                                .b = job->packed};
    for (int position = 0; position < WINOGRAD_POSITIONS; position++) {
        prefetch_share(&job->from, n_strips, first + count, count, position);
        prefetch_share(&job->to, n_strips, first, count, position);
        tile.a = from + position * from_c;
        for (int c = 0; c < to_c; c += width, tile.b += (ptrdiff_t)from_c * width) {
            tile.cols = min_int(width, to_c - c);
            tile.c = to + position * to_c + c;
            p->tile->product(&tile);
        }
    }
    for (int i = 0; i < count; i++) {
        struct winograd_strip s =
            strip_of(job, &job->to, first + i, n_strips, n_tiles, WINOGRAD_OUT);
        s.space = to + i * n_tiles * to_tile;
        s.position_step = to_c;
        s.tile_step = to_tile;
        p->kernels->output(&s);
    }
}

static void product_strips(const struct job *job, const struct space *space, int begin, int end) {
    int chunk = max_int(1, job->plan.most_tiles / tile_count(job->to.size.w));
    for (int i = begin; i < end; i += chunk) {
        product_chunk(job, space, i, min_int(chunk, end - i));
    }
}

// Strips of outputs: both sides into the transformed space, 36 products summed over the tiles.
static void gradient_chunk(const struct job *job, const struct space *space, int first, int count) {
    const struct plan *p = &job->plan;
    int n_strips = tile_count(p->y.h), n_tiles = tile_count(p->y.w);
    ptrdiff_t x_tile = (ptrdiff_t)WINOGRAD_POSITIONS * p->x.c;
    ptrdiff_t y_tile = (ptrdiff_t)WINOGRAD_POSITIONS * p->y.c;
    for (int i = 0; i < count; i++) {
        struct winograd_strip x = strip_of(job, &job->x, first + i, n_strips, n_tiles, WINOGRAD_IN);
        x.scratch = space->scratch;
        x.space = space->x + i * n_tiles * x_tile;
        x.position_step = p->x.c;
        x.tile_step = x_tile;
        if (job->wants_gw) p->kernels->input(&x);
        struct winograd_strip y =
            strip_of(job, &job->gy, first + i, n_strips, n_tiles, WINOGRAD_OUT);
        y.scratch = space->scratch;
        y.space = space->y + i * n_tiles * y_tile;
        y.position_step = p->y.c;
        y.tile_step = y_tile;
        y.sum = space->partial + p->partial - p->y.c;
        p->kernels->gradient(&y);
    }
    struct tile_outer tile = {.rows = p->x.c,
                              .cols = p->y.c,
                              .n_outer = 1,
                              .depth = count * n_tiles,
                              .a_step = x_tile,
                              .b_step = y_tile,
                              .c_row = p->y.c};
    for (int position = 0; job->wants_gw && position < WINOGRAD_POSITIONS; position++) {
        prefetch_share(&job->x, n_strips, first + count, count, position);
        prefetch_share(&job->gy, n_strips, first + count, count, position);
        tile.a = space->x + position * p->x.c;
        tile.b = space->y + position * p->y.c;
        tile.c = space->partial + (ptrdiff_t)position * p->x.c * p->y.c;
        p->tile->outer(&tile);
    }
}

static void gradient_strips(const struct job *job, const struct space *space, int begin, int end) {
    int chunk = max_int(1, job->plan.most_tiles / tile_count(job->plan.y.w));
    for (int i = begin; i < end; i += chunk) {
        gradient_chunk(job, space, i, min_int(chunk, end - i));
    }
}

// --- the calls ---

static void forward_part(void *context, int part) {
    const struct job *job = context;
    const struct plan *p = &job->plan;
    struct space space = part_space(job, part);
    struct pool_range range = pool_split(p->s.batch * tile_count(p->y.h), p->n_parts, part, 1);
    product_strips(job, &space, range.begin, range.end);
}

void winograd_forward(struct pool *pool, const struct conv_shape *shape, const real *x,
                      const real *w, const real *bias, bool relu, real *y, void *workspace) {
    struct job job = {.plan = make_plan(shape), .packed = workspace, .bias = bias, .relu = relu};
    const struct plan *p = &job.plan;
    job.parts = (float *)workspace + p->weights;
    job.from = (struct batch){
        .size = p->x, .count = shape->batch, .data = x, .pad = shape->pad, .ahead = 2 - shape->pad};
    job.to = (struct batch){.size = p->y, .count = shape->batch, .out = y};
    pack_weights(p, w, false, workspace);
    pool_run(pool, p->n_parts, forward_part, &job);
}

// Image by image, so that both gradients find gy in the cache.
static void backward_part(void *context, int part) {
    const struct job *job = context;
    const struct plan *p = &job->plan;
    struct space space = part_space(job, part);
    struct pool_range range = pool_split(p->s.batch, p->n_image_parts, part, 1);
    memset(space.partial, 0, sizeof(float) * p->partial);
    int n_y = tile_count(p->y.h), n_x = tile_count(p->x.h);
    int group = max_int(1, p->most_tiles / (n_y * tile_count(p->y.w))); // images that fill a chunk
    for (int begin = range.begin; begin < range.end; begin += group) {
        int end = min_int(begin + group, range.end);
        if (job->wants_gw || job->wants_gb) gradient_strips(job, &space, begin * n_y, end * n_y);
        if (job->wants_product) product_strips(job, &space, begin * n_x, end * n_x);
    }
}

void winograd_backward(struct pool *pool, const struct conv_shape *shape, const real *x,
                       const real *y, const real *gy, const real *w, real *gx, real *gw, real *gb,
                       void *workspace) {
    struct job job = {.plan = make_plan(shape),
                      .packed = workspace,
                      .backward = true,
                      .wants_product = gx != NULL,
                      .wants_gw = gw != NULL,
                      .wants_gb = gb != NULL};
    const struct plan *p = &job.plan;
    job.parts = (float *)workspace + p->weights;
    job.from = (struct batch){.size = p->y,
                              .count = shape->batch,
                              .data = gy,
                              .mask = y,
                              .pad = 2 - shape->pad,
                              .ahead = shape->pad};
    job.to = (struct batch){.size = p->x, .count = shape->batch, .out = gx};
    job.x = (struct batch){
        .size = p->x, .count = shape->batch, .data = x, .pad = shape->pad, .ahead = 2 - shape->pad};
    job.gy = (struct batch){.size = p->y, .count = shape->batch, .data = gy, .mask = y};
    if (gx) pack_weights(p, w, true, workspace);
    pool_run(pool, p->n_image_parts, backward_part, &job);
    if (!gw && !gb) return;
    float *sum = job.parts;
    for (int part = 1; part < p->n_image_parts; part++) {
        const float *from = sum + part * p->part_floats;
        for (size_t i = 0; i < p->partial; i++) sum[i] += from[i];
    }
    if (gw) add_weight_gradient(p, sum, gw);
    for (int c = 0; gb && c < p->y.c; c++) gb[c] += sum[p->partial - p->y.c + c];
}

#endif
