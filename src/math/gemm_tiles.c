#ifndef RL_DOUBLE

#include "math/gemm_tiles.h"

#include <string.h>

#include "base/ints.h"
#include "math/tile.h"

#define DEPTH               256   // of a packed block: its panel stays in the first-level cache
#define PACKED_FLOATS       16384 // of B, several panels of width columns
#define CHUNK_ROWS          56    // rows of A that pass over the panels before the next are read
#define TILE_ROWS           14
#define NEAR_FLOATS         384 // columns of A further apart than this are copied together
#define MULTIPLIES_PER_PART (1 << 22)
#define MAX_PARTS           8
#define DEPTH_PARTS         4
#define DEPTH_RESULT        16384 // floats, of m * n
#define FAR_FLOATS          (1 << 18)
#define LINE                16 // floats of a cache line

struct product {
    const struct tile_kernels *kernels;
    bool trans_a, trans_b, far_in, far_out; // operands or result too large for the cache
    enum { BY_COLUMNS, BY_ROWS, BY_DEPTH } cut;
    int m, n, k, lda, ldb, ldc, n_parts;
    float alpha, beta;
    const float *a, *b;
    float *c, *partial; // partial: results of the parts after the first, if BY_DEPTH
};

// Where a part is: columns [col, col + cols), depth [from, from + depth) of its rows.
struct block {
    int col, cols, from, depth;
};

// --- reading ahead ---

// `count` rows of `floats` numbers, `row` apart, that will be read soon.
struct ahead {
    const float *at;
    ptrdiff_t row;
    int count, floats;
};

// Asks for part `share` of n: in small portions, so that the products in between hide the wait.
static void ask_ahead(const struct ahead *ahead, int share, int n) {
    struct pool_range rows = pool_split(ahead->count, n, share, 1);
    for (int i = rows.begin; i < rows.end; i++) {
        const float *at = ahead->at + i * ahead->row;
        for (int j = 0; j < ahead->floats; j += LINE) __builtin_prefetch(at + j, 0, 2);
    }
}

static struct ahead rows_of_a(const struct product *p, int row, int rows, int from, int depth) {
    struct ahead ahead = {.row = p->lda};
    ahead.at =
        p->trans_a ? p->a + (ptrdiff_t)from * p->lda + row : p->a + (ptrdiff_t)row * p->lda + from;
    ahead.count = p->trans_a ? depth : rows;
    ahead.floats = p->trans_a ? rows : depth;
    return ahead;
}

static struct ahead rows_of_b(const struct product *p, const struct block *b) {
    struct ahead ahead = {.row = p->ldb};
    ahead.at = p->trans_b ? p->b + (ptrdiff_t)b->col * p->ldb + b->from
                          : p->b + (ptrdiff_t)b->from * p->ldb + b->col;
    ahead.count = p->trans_b ? b->cols : b->depth;
    ahead.floats = p->trans_b ? b->depth : b->cols;
    return ahead;
}

// --- one block ---

static void pack_b(const struct product *p, const struct block *b, float *packed) {
    int width = p->kernels->width;
    struct ahead from = rows_of_b(p, b);
    for (int j = 0; j < b->cols; j += width) {
        p->kernels->pack(from.at + (p->trans_b ? j * from.row : j), from.row, p->trans_b, b->depth,
                         min_int(width, b->cols - j), p->alpha, packed + (ptrdiff_t)j * b->depth);
    }
}

// Rows whose distance is about a multiple of half a page fall on the same sets of the first-level
// cache.
static bool rows_collide(ptrdiff_t row) {
    ptrdiff_t distance = row % 512;
    return distance < 64 || distance > 448;
}

// Rows of A as the tiles read them: where they are, or copied together where that would miss the
// cache.
static void place_a(const struct product *p, const struct ahead *from, float *copy,
                    struct tile_product *tile) {
    ptrdiff_t row = from->row;
    tile->a = from->at;
    if (row > NEAR_FLOATS && (p->trans_a || rows_collide(row))) {
        row = from->floats;
        for (int i = 0; i < from->count; i++) {
            memcpy(copy + i * row, from->at + i * from->row, sizeof(float) * from->floats);
        }
        tile->a = copy;
    }
    tile->a_row = p->trans_a ? 1 : row;
    tile->a_step = p->trans_a ? row : 1;
}

// The rows that come after [row, row + rows) in the order of reading: of this block, or the first
// of next.
static struct ahead next_of_a(const struct product *p, struct pool_range rows, int end,
                              const struct block *now, const struct block *next) {
    int left = rows.end - end;
    if (left > 0) return rows_of_a(p, end, min_int(left, CHUNK_ROWS), now->from, now->depth);
    return rows_of_a(p, rows.begin, min_int(rows.end - rows.begin, CHUNK_ROWS), next->from,
                     next->cols ? next->depth : 0);
}

static void run_block(const struct product *p, struct pool_range rows, const struct block *b,
                      const struct block *next) {
    _Alignas(64) float packed[PACKED_FLOATS], copy[CHUNK_ROWS * DEPTH];
    int width = p->kernels->width, n_panels = (b->cols + width - 1) / width;
    pack_b(p, b, packed);
    struct ahead next_b = rows_of_b(p, next);
    struct tile_product tile = {.n_outer = 1,
                                .depth = b->depth,
                                .c_row = p->ldc,
                                .accumulate = b->from > 0 || p->beta != 0};
    int n_rows = rows.end - rows.begin, n_tiles = (n_rows + TILE_ROWS - 1) / TILE_ROWS;
    for (int begin = rows.begin, done = 0; begin < rows.end; begin += CHUNK_ROWS) {
        int count = min_int(CHUNK_ROWS, rows.end - begin),
            tiles = (count + TILE_ROWS - 1) / TILE_ROWS;
        struct ahead from = rows_of_a(p, begin, count, b->from, b->depth);
        struct ahead next_a = next_of_a(p, rows, begin + count, b, next);
        place_a(p, &from, copy, &tile);
        const float *a = tile.a;
        for (int i = 0; i < tiles * n_panels; i++) {
            struct pool_range part = pool_split(count, tiles, i % tiles, 1);
            int j = i / tiles * width;
            tile.rows = part.end - part.begin;
            tile.a = a + part.begin * tile.a_row;
            tile.b = packed + (ptrdiff_t)j * b->depth;
            tile.cols = min_int(width, b->cols - j);
            tile.c = p->c + (ptrdiff_t)(begin + part.begin) * p->ldc + b->col + j;
            for (int r = 0; p->far_out && r < tile.rows; r++) { // of the next tile, roughly
                __builtin_prefetch(tile.c + (r + tile.rows) * p->ldc, 1, 3);
                __builtin_prefetch(tile.c + (r + tile.rows) * p->ldc + LINE, 1, 3);
            }
            if (p->far_in) {
                ask_ahead(&next_a, i, tiles * n_panels);
                ask_ahead(&next_b, done++, n_tiles * n_panels);
            }
            p->kernels->product(&tile);
        }
    }
}

// --- the whole product ---

static void scale_c(const struct product *p, struct pool_range rows, struct pool_range cols) {
    for (int i = rows.begin; i < rows.end; i++) {
        float *c = p->c + (ptrdiff_t)i * p->ldc;
        for (int j = cols.begin; j < cols.end; j++) c[j] *= p->beta;
    }
}

// Depth first, then the next columns; none left: cols = 0.
static struct block next_block(const struct product *p, struct pool_range cols, int wide,
                               const struct block *b) {
    struct block next = *b;
    next.from += b->depth;
    if (next.from >= p->k) {
        next.from = 0;
        next.col += wide;
    }
    next.cols = next.col < cols.end ? min_int(wide, cols.end - next.col) : 0;
    next.depth = min_int(DEPTH, p->k - next.from);
    return next;
}

static void run_part(void *context, int part) {
    const struct product *p = context;
    struct product own = *p;
    struct pool_range rows = {0, p->m}, cols = {0, p->n}, depths = {0, p->k};
    int width = p->kernels->width;
    switch (p->cut) {
    case BY_COLUMNS: cols = pool_split(p->n, p->n_parts, part, width); break;
    case BY_ROWS: rows = pool_split(p->m, p->n_parts, part, 1); break;
    case BY_DEPTH:
        depths = pool_split(p->k, p->n_parts, part, DEPTH);
        own.a += (ptrdiff_t)depths.begin * (p->trans_a ? p->lda : 1);
        own.b += (ptrdiff_t)depths.begin * (p->trans_b ? 1 : p->ldb);
        own.k = depths.end - depths.begin;
        if (part == 0) break;
        own.beta = 0;
        own.c = p->partial + (ptrdiff_t)(part - 1) * p->m * p->n;
        own.ldc = p->n;
    }
    if (own.beta != 0 && own.beta != 1) scale_c(&own, rows, cols);
    int depth = min_int(own.k, DEPTH), wide = PACKED_FLOATS / (depth * width) * width;
    struct block b = {cols.begin, min_int(wide, cols.end - cols.begin), 0, depth};
    while (b.cols > 0) {
        struct block next = next_block(&own, cols, wide, &b);
        run_block(&own, rows, &b, &next);
        b = next;
    }
}

// A small result of a great depth: each part sums its own depths, then the sums are added in order.
static void run_by_depth(struct pool *pool, struct product *p) {
    float partial[DEPTH_PARTS - 1][DEPTH_RESULT];
    p->n_parts = DEPTH_PARTS;
    p->partial = partial[0];
    pool_run(pool, p->n_parts, run_part, p);
    for (int part = 0; part < DEPTH_PARTS - 1; part++) {
        const float *from = p->partial + (ptrdiff_t)part * p->m * p->n;
        for (int i = 0; i < p->m; i++) {
            for (int j = 0; j < p->n; j++) p->c[(ptrdiff_t)i * p->ldc + j] += from[i * p->n + j];
        }
    }
}

void gemm_tiles(struct pool *pool, bool trans_a, bool trans_b, int m, int n, int k, real alpha,
                const real *a, int lda, const real *b, int ldb, real beta, real *c, int ldc) {
    struct product p = {.kernels = tile_kernels(),
                        .trans_a = trans_a,
                        .trans_b = trans_b,
                        .m = m,
                        .n = n,
                        .k = k,
                        .lda = lda,
                        .ldb = ldb,
                        .ldc = ldc,
                        .n_parts = 1,
                        .alpha = alpha,
                        .beta = beta,
                        .a = a,
                        .b = b,
                        .c = c};
    p.far_in = ((double)m + n) * k > FAR_FLOATS;
    p.far_out = (double)m * n > FAR_FLOATS;
    if (m * (double)n <= DEPTH_RESULT && k >= DEPTH_PARTS * 4 * DEPTH) {
        p.cut = BY_DEPTH;
        run_by_depth(pool, &p);
        return;
    }
    double parts = (double)m * n * k / MULTIPLIES_PER_PART;
    if (parts > 1) p.n_parts = parts < MAX_PARTS ? (int)parts : MAX_PARTS;
    // By rows each part packs B for itself.
    p.cut = n < p.n_parts * 2 * p.kernels->width ? BY_ROWS : BY_COLUMNS;
    pool_run(pool, p.n_parts, run_part, &p);
}

#endif
