#include "math/gemm_bf16.h"

#include "base/ints.h"
#include "math/gemm_bf16_tile.h"
#include "math/simd.h"

#define DEPTH               512 // of a packed block, in numbers
#define PAIRS               (DEPTH / 2)
#define WIDTH               BF16_WIDTH
#define CHUNK_ROWS          56 // rows of A packed at a time, four tiles
#define PANELS              4  // of B packed at a time
#define MULTIPLIES_PER_PART (1 << 23)
#define MAX_PARTS           8

struct product {
    bool trans_a, trans_b, by_rows;
    int m, n, k, lda, ldb, ldc, n_parts;
    float alpha, beta;
    const float *a, *b;
    float *c;
};

bool gemm_bf16_available(void) {
#if defined(__x86_64__)
    return simd_level() == SIMD_LEVEL_AVX512 && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

#if defined(__x86_64__)

static void scale_c(const struct product *p, struct pool_range rows, struct pool_range cols) {
    for (int i = rows.begin; i < rows.end; i++) {
        float *c = p->c + (ptrdiff_t)i * p->ldc;
        for (int j = cols.begin; j < cols.end; j++) c[j] = p->beta == 0 ? 0 : c[j] * p->beta;
    }
}

// Rows [row, row + rows) of op(A), depths [from, from + depth), as pairs: [pair][row].
static void pack_a(const struct product *p, int row, int rows, int from, int depth,
                   uint32_t *packed) {
    if (p->trans_a) {
        bf16_pack_across(p->a + (ptrdiff_t)from * p->lda + row, p->lda, depth, rows, 1, CHUNK_ROWS,
                         packed);
    } else {
        bf16_pack_along(p->a + (ptrdiff_t)row * p->lda + from, p->lda, depth, rows, 1, CHUNK_ROWS,
                        packed);
    }
}

// Columns [col, col + cols) of alpha op(B) as one panel: [pair][WIDTH].
static void pack_b(const struct product *p, int col, int cols, int from, int depth,
                   uint32_t *packed) {
    if (p->trans_b) {
        bf16_pack_along(p->b + (ptrdiff_t)col * p->ldb + from, p->ldb, depth, cols, p->alpha, WIDTH,
                        packed);
    } else {
        bf16_pack_across(p->b + (ptrdiff_t)from * p->ldb + col, p->ldb, depth, cols, p->alpha,
                         WIDTH, packed);
    }
}

// Adds the products of columns [col, col + cols), at most PANELS panels, at these depths.
static void run_block(const struct product *p, struct pool_range rows, int col, int cols, int from,
                      int depth) {
    _Alignas(64) uint32_t a[PAIRS * CHUNK_ROWS], b[PANELS][PAIRS * WIDTH];
    int pairs = (depth + 1) / 2, panels = (cols + WIDTH - 1) / WIDTH;
    for (int i = 0; i < panels; i++) {
        pack_b(p, col + i * WIDTH, min_int(WIDTH, cols - i * WIDTH), from, depth, b[i]);
    }
    for (int row = rows.begin; row < rows.end; row += CHUNK_ROWS) {
        int count = min_int(CHUNK_ROWS, rows.end - row);
        pack_a(p, row, count, from, depth, a);
        for (int i = 0; i < panels; i++) {
            float *c = p->c + (ptrdiff_t)row * p->ldc + col + i * WIDTH;
            bf16_add_product(a, CHUNK_ROWS, b[i], pairs, count, min_int(WIDTH, cols - i * WIDTH), c,
                             p->ldc);
        }
    }
}

static void run_part(void *context, int part) {
    const struct product *p = context;
    struct pool_range rows = {0, p->m}, cols = {0, p->n};
    if (p->by_rows) {
        rows = pool_split(p->m, p->n_parts, part, BF16_ROWS);
    } else {
        cols = pool_split(p->n, p->n_parts, part, WIDTH);
    }
    if (p->beta != 1) scale_c(p, rows, cols);
    for (int col = cols.begin; col < cols.end; col += PANELS * WIDTH) {
        int count = min_int(PANELS * WIDTH, cols.end - col);
        for (int from = 0; from < p->k; from += DEPTH) {
            run_block(p, rows, col, count, from, min_int(DEPTH, p->k - from));
        }
    }
}

void gemm_bf16(struct pool *pool, bool trans_a, bool trans_b, int m, int n, int k, float alpha,
               const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc) {
    double parts = (double)m * n * k / MULTIPLIES_PER_PART;
    struct product p = {.trans_a = trans_a,
                        .trans_b = trans_b,
                        .by_rows = m >= n,
                        .m = m,
                        .n = n,
                        .k = k,
                        .lda = lda,
                        .ldb = ldb,
                        .ldc = ldc,
                        .n_parts = parts < 1 ? 1 : min_int((int)parts, MAX_PARTS),
                        .alpha = alpha,
                        .beta = beta,
                        .a = a,
                        .b = b,
                        .c = c};
    pool_run(pool, p.n_parts, run_part, &p);
}

#endif
