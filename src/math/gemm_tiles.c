#ifndef RL_DOUBLE

#include "math/gemm_tiles.h"

#include "math/tile.h"

#define DEPTH               256 // of a packed block: its panel stays in the first-level cache
#define PACKED_FLOATS       16384
#define CHUNK_ROWS          56 // rows that pass over all packed panels before the next
#define MULTIPLIES_PER_PART (1 << 22)
#define MAX_PARTS           8

struct product {
    const struct tile_kernels *kernels;
    bool trans_a, trans_b, by_rows;
    int m, n, k, lda, ldb, ldc, n_parts;
    float alpha, beta;
    const float *a, *b;
    float *c;
};

static int min_int(int a, int b) {
    return a < b ? a : b;
}

// Columns [col, col + cols) and depth [from, from + depth) of the part's rows.
static void block(const struct product *p, struct pool_range rows, int col, int cols, int from,
                  int depth) {
    _Alignas(64) float packed[PACKED_FLOATS];
    int width = p->kernels->width;
    for (int j = 0; j < cols; j += width) {
        const float *b = p->trans_b ? p->b + (ptrdiff_t)(col + j) * p->ldb + from
                                    : p->b + (ptrdiff_t)from * p->ldb + col + j;
        p->kernels->pack(b, p->ldb, p->trans_b, depth, min_int(width, cols - j), p->alpha,
                         packed + (ptrdiff_t)j * depth);
    }
    struct tile_product tile = {.n_outer = 1,
                                .depth = depth,
                                .c_row = p->ldc,
                                .a_row = p->trans_a ? 1 : p->lda,
                                .a_step = p->trans_a ? p->lda : 1,
                                .accumulate = from > 0 || p->beta != 0};
    int count = rows.end - rows.begin, n_chunks = (count + CHUNK_ROWS - 1) / CHUNK_ROWS;
    for (int i = 0; i < n_chunks; i++) {
        struct pool_range chunk = pool_split(count, n_chunks, i, 1);
        int row = rows.begin + chunk.begin;
        tile.rows = chunk.end - chunk.begin;
        tile.a = p->a + row * tile.a_row + from * tile.a_step;
        for (int j = 0; j < cols; j += width) {
            tile.b = packed + (ptrdiff_t)j * depth;
            tile.cols = min_int(width, cols - j);
            tile.c = p->c + (ptrdiff_t)row * p->ldc + col + j;
            p->kernels->product(&tile);
        }
    }
}

static void scale_rows(const struct product *p, struct pool_range rows, struct pool_range cols) {
    for (int i = rows.begin; i < rows.end; i++) {
        float *c = p->c + (ptrdiff_t)i * p->ldc;
        for (int j = cols.begin; j < cols.end; j++) c[j] *= p->beta;
    }
}

static void run_part(void *context, int part) {
    const struct product *p = context;
    struct pool_range rows = {0, p->m}, cols = {0, p->n};
    int width = p->kernels->width;
    if (p->by_rows) {
        rows = pool_split(p->m, p->n_parts, part, 1);
    } else {
        cols = pool_split(p->n, p->n_parts, part, width);
    }
    if (p->beta != 0 && p->beta != 1) scale_rows(p, rows, cols);
    int depth = min_int(p->k, DEPTH), wide = PACKED_FLOATS / (depth * width) * width;
    for (int col = cols.begin; col < cols.end; col += wide) {
        for (int from = 0; from < p->k; from += depth) {
            block(p, rows, col, min_int(wide, cols.end - col), from, min_int(depth, p->k - from));
        }
    }
}

void gemm_tiles(struct pool *pool, bool trans_a, bool trans_b, int m, int n, int k, real alpha,
                const real *a, int lda, const real *b, int ldb, real beta, real *c, int ldc) {
    struct product p = {tile_kernels(), trans_a, trans_b, false, m, n, k, lda, ldb, ldc, 1,
                        alpha,          beta,    a,       b,     c};
    double parts = (double)m * n * k / MULTIPLIES_PER_PART;
    if (parts > 1) p.n_parts = parts < MAX_PARTS ? (int)parts : MAX_PARTS;
    p.by_rows =
        n < p.n_parts * 2 * p.kernels->width; // packs B once in each part: only when it must
    pool_run(pool, p.n_parts, run_part, &p);
}

#endif
