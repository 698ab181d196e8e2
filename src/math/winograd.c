#ifndef RL_DOUBLE

#include "math/winograd.h"

#include <string.h>

#include "base/ints.h"
#include "math/tile.h"

#define MAX_PARTS      16
#define FLOPS_PER_PART 1e6
// Tiles of a chunk, about: for the products a part of the first-level cache, for the gradient more,
// since each chunk reads and writes its sums once.
#define PRODUCT_TILES  10
#define GRADIENT_TILES 20
#define MOST_STRIPS    16 // of a chunk
// in_c * out_c beyond which the transformed weights fall out of the caches.
#define MOST_WEIGHTS (128 * 128)
// Outputs of a picture below which the tiles are mostly margin.
#define FEWEST_OUTPUTS 16

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
    size_t space, scratch; // floats a channel
    size_t part_floats;
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
    int in_strip = tile_count(max_int(p.x.w, p.y.w));
    p.most_tiles = max_int(max_int(PRODUCT_TILES, GRADIENT_TILES), in_strip);
    int width = p.tile->width;
    size_t forward = (size_t)s->in_c * round_up(s->out_c, width);
    size_t backward = (size_t)s->out_c * round_up(s->in_c, width);
    p.weights = WINOGRAD_POSITIONS * (forward > backward ? forward : backward);
    p.partial = (size_t)WINOGRAD_POSITIONS * s->in_c * s->out_c + s->out_c;
    p.space = (size_t)WINOGRAD_IN * p.most_tiles;
    p.scratch = WINOGRAD_OUT * p.space + 2 * WINOGRAD_IN * MOST_STRIPS;
    p.part_floats = p.partial + (p.space + p.scratch) * (s->in_c + s->out_c);
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
    const float *data, *mask;     // of reading
    float *out;                   // of writing
    int pad;                      // zeros around it when read
    int ahead;                    // rows of a strip that the strip before has read too, less pad
    int count;                    // of pictures
    float *space, *scratch, *sum; // the part's, see struct winograd_strip
};

struct job {
    struct plan plan;
    struct batch from, to; // of the product: x to y, or gy to gx
    struct batch x, gy;    // of the weight gradient
    const float *packed, *bias;
    float *parts;
    bool backward, relu, wants_product, wants_gw, wants_gb;
};

// A part's own memory: for x and y (or their gradients), and the gradient of the transformed
// weights.
struct memory {
    struct {
        float *space, *scratch;
    } x, y;
    float *partial;
};

static struct memory part_memory(const struct job *job, int part) {
    const struct plan *p = &job->plan;
    float *at = job->parts + part * p->part_floats;
    struct memory memory = {.partial = at};
    memory.x.space = at + p->partial;
    memory.x.scratch = memory.x.space + p->space * p->x.c;
    memory.y.space = memory.x.scratch + p->scratch * p->x.c;
    memory.y.scratch = memory.y.space + p->space * p->y.c;
    return memory;
}

// Strips [first, first + count) of a batch, n_strips a picture, each with n_rows rows of the
// picture from row 4 * (its place) - pad.
static void make_strips(const struct job *job, const struct batch *batch, int first, int count,
                        int n_tiles, int n_strips, int n_rows, struct winograd_strip *strips) {
    const struct picture *size = &batch->size;
    size_t row = (size_t)size->w * size->c;
    for (int i = 0; i < count; i++) {
        int image = (first + i) / n_strips;
        int top = (first + i) % n_strips * WINOGRAD_OUT - batch->pad;
        struct winograd_strip *s = &strips[i];
        *s = (struct winograd_strip){
            .n_tiles = n_tiles,
            .channels = size->c,
            .width = size->w,
            .pad = batch->pad,
            .masked = batch->mask,
            .scratch = batch->scratch + (size_t)i * WINOGRAD_SCRATCH(n_tiles) * size->c,
            .space = batch->space + (size_t)i * n_tiles * WINOGRAD_IN * size->c,
            .sum = batch->sum,
            .bias = job->bias,
            .relu = job->relu,
        };
        for (int y = max_int(0, -top); y < n_rows && top + y < size->h; y++) {
            size_t at = ((size_t)image * size->h + top + y) * row;
            if (batch->data) s->row[y] = batch->data + at;
            if (batch->mask) s->mask[y] = batch->mask + at;
            if (batch->out) s->out[y] = batch->out + at;
        }
    }
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

static void product_chunk(const struct job *job, const struct batch *from, const struct batch *to,
                          int first, int count) {
    const struct plan *p = &job->plan;
    int n_strips = tile_count(to->size.h), n_tiles = tile_count(to->size.w);
    int from_c = from->size.c, to_c = to->size.c, width = p->tile->width;
    struct winograd_strip in[MOST_STRIPS], out[MOST_STRIPS];
    make_strips(job, from, first, count, n_tiles, n_strips, WINOGRAD_IN, in);
    make_strips(job, to, first, count, n_tiles, n_strips, WINOGRAD_OUT, out);
    struct tile_product tile = {.rows = count * n_tiles,
                                .n_outer = 1,
                                .depth = from_c,
                                .a_row = WINOGRAD_IN * from_c,
                                .a_step = 1,
                                .c_row = WINOGRAD_IN * to_c,
                                .b = job->packed};
    for (int i = 0; i < count; i++) p->kernels->input_columns(&in[i]);
    for (int position = 0; position < WINOGRAD_POSITIONS; position++) {
        int row = position / WINOGRAD_IN, column = position % WINOGRAD_IN;
        for (int i = 0; column == 0 && i < count; i++) p->kernels->input_row(&in[i], row);
        prefetch_share(from, n_strips, first + count, count, position);
        prefetch_share(to, n_strips, first, count, position);
        tile.a = from->space + column * from_c;
        for (int c = 0; c < to_c; c += width, tile.b += (ptrdiff_t)from_c * width) {
            tile.cols = min_int(width, to_c - c);
            tile.c = to->space + column * to_c + c;
            p->tile->product(&tile);
        }
        for (int i = 0; column == 5 && i < count; i++) p->kernels->output_row(&out[i], row);
    }
    for (int i = 0; i < count; i++) p->kernels->output_columns(&out[i]);
}

static int chunk_strips(int tiles, const struct picture *size) {
    return min_int(MOST_STRIPS, max_int(1, tiles / tile_count(size->w)));
}

// Strips [begin, end) of the convolution: into the transformed space, 36 products, and back.
static void product_strips(const struct job *job, const struct memory *memory, int begin, int end) {
    struct batch from = job->from, to = job->to;
    from.space = job->backward ? memory->y.space : memory->x.space;
    from.scratch = job->backward ? memory->y.scratch : memory->x.scratch;
    to.space = job->backward ? memory->x.space : memory->y.space;
    to.scratch = job->backward ? memory->x.scratch : memory->y.scratch;
    int chunk = chunk_strips(PRODUCT_TILES, &to.size);
    for (int i = begin; i < end; i += chunk) {
        product_chunk(job, &from, &to, i, min_int(chunk, end - i));
    }
}

static void gradient_chunk(const struct job *job, const struct batch *x, const struct batch *gy,
                           float *partial, int first, int count) {
    const struct plan *p = &job->plan;
    int n_strips = tile_count(p->y.h), n_tiles = tile_count(p->y.w);
    struct winograd_strip x_strips[MOST_STRIPS], y_strips[MOST_STRIPS];
    make_strips(job, x, first, count, n_tiles, n_strips, WINOGRAD_IN, x_strips);
    make_strips(job, gy, first, count, n_tiles, n_strips, WINOGRAD_OUT, y_strips);
    for (int i = 0; i < count; i++) p->kernels->gradient_columns(&y_strips[i]);
    if (!job->wants_gw) return;
    for (int i = 0; i < count; i++) p->kernels->input_columns(&x_strips[i]);
    struct tile_outer tile = {.rows = p->x.c,
                              .cols = p->y.c,
                              .n_outer = 1,
                              .depth = count * n_tiles,
                              .a_step = WINOGRAD_IN * p->x.c,
                              .b_step = WINOGRAD_IN * p->y.c,
                              .c = partial,
                              .c_row = p->y.c};
    for (int position = 0; position < WINOGRAD_POSITIONS; position++) {
        int row = position / WINOGRAD_IN, column = position % WINOGRAD_IN;
        for (int i = 0; column == 0 && i < count; i++) {
            p->kernels->input_row(&x_strips[i], row);
            p->kernels->gradient_row(&y_strips[i], row);
        }
        prefetch_share(x, n_strips, first + count, count, position);
        prefetch_share(gy, n_strips, first + count, count, position);
        tile.a = x->space + column * p->x.c;
        tile.b = gy->space + column * p->y.c;
        p->tile->outer(&tile);
        tile.c += (ptrdiff_t)p->x.c * p->y.c;
    }
}

// Strips [begin, end) of outputs: both sides into the transformed space, 36 products over the
// tiles.
static void gradient_strips(const struct job *job, const struct memory *memory, int begin,
                            int end) {
    struct batch x = job->x, gy = job->gy;
    x.space = memory->x.space, x.scratch = memory->x.scratch;
    gy.space = memory->y.space, gy.scratch = memory->y.scratch;
    gy.sum = memory->partial + job->plan.partial - job->plan.y.c;
    int chunk = chunk_strips(GRADIENT_TILES, &gy.size);
    for (int i = begin; i < end; i += chunk) {
        gradient_chunk(job, &x, &gy, memory->partial, i, min_int(chunk, end - i));
    }
}

// --- the calls ---

static void forward_part(void *context, int part) {
    const struct job *job = context;
    const struct plan *p = &job->plan;
    struct memory memory = part_memory(job, part);
    struct pool_range range = pool_split(p->s.batch * tile_count(p->y.h), p->n_parts, part, 1);
    product_strips(job, &memory, range.begin, range.end);
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
    struct memory memory = part_memory(job, part);
    struct pool_range range = pool_split(p->s.batch, p->n_image_parts, part, 1);
    memset(memory.partial, 0, sizeof(float) * p->partial);
    int n_y = tile_count(p->y.h), n_x = tile_count(p->x.h);
    int group = max_int(1, GRADIENT_TILES / (n_y * tile_count(p->y.w))); // images that fill a chunk
    for (int begin = range.begin; begin < range.end; begin += group) {
        int end = min_int(begin + group, range.end);
        if (job->wants_gw || job->wants_gb) gradient_strips(job, &memory, begin * n_y, end * n_y);
        if (job->wants_product) product_strips(job, &memory, begin * n_x, end * n_x);
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
