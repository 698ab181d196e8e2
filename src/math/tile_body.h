// Source of the kernels of math/tile.h over math/lanes.h; included once for each instruction set.
// A tile of up to ROWS x 2 vectors of C stays in registers: each step along the depth loads two
// vectors of B and broadcasts one number of A for each row, two multiply-adds a broadcast.
#include "math/lanes.h"
#include "math/tile.h"

#if LANES == 16
#define ROWS 14 // 28 sums + 2 of B + 1 broadcast of 32 registers
#else
#define ROWS 6 // 12 + 2 + 1 of 16
#endif
#define WIDTH (2 * LANES)

// --- product ---

// Rows are addressed from every third one, so that base + {0, 1, 2} * a_row are addressing modes.
INLINE void product_rows(const struct tile_product *t, int first, int rows, int vectors) {
    int tail = t->cols - (vectors - 1) * LANES;
    vec sum[ROWS][2], init0 = vec_all(0), init1 = init0;
    float *c = t->c + first * t->c_row;
    if (t->init) {
        init0 = vec_load(t->init);
        if (vectors > 1) init1 = vec_load(t->init + LANES);
    }
    for (int r = 0; r < rows; r++) sum[r][0] = init0, sum[r][1] = init1;
    if (t->accumulate) {
        for (int r = 0; r < rows; r++) {
            if (vectors > 1) sum[r][0] = vec_load(c + r * t->c_row);
            const float *last = c + r * t->c_row + (vectors - 1) * LANES;
            sum[r][vectors - 1] = tail == LANES ? vec_load(last) : vec_load_part(last, tail);
        }
    }
    const float *b = t->b;
    ptrdiff_t row = t->a_row, step = t->a_step;
    for (int o = 0; o < t->n_outer; o++) {
        const float *a[(ROWS + 2) / 3];
        for (int r = 0; r < rows; r += 3) a[r / 3] = t->a + o * t->a_outer + (first + r) * row;
        for (int k = 0; k < t->depth; k++, b += WIDTH) {
            vec b0 = vec_load(b), b1 = vectors > 1 ? vec_load(b + LANES) : b0;
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                vec x = vec_all(a[r / 3][r % 3 * row]);
                sum[r][0] = vec_fma(x, b0, sum[r][0]);
                if (vectors > 1) sum[r][1] = vec_fma(x, b1, sum[r][1]);
            }
#pragma GCC unroll 5
            for (int r = 0; r < rows; r += 3) a[r / 3] += step;
        }
    }
    for (int r = 0; t->relu && r < rows; r++) {
        for (int v = 0; v < vectors; v++) sum[r][v] = vec_max(vec_all(0), sum[r][v]);
    }
    if (tail == LANES) {
        for (int r = 0; r < rows; r++, c += t->c_row) {
            for (int v = 0; v < vectors; v++) vec_store(c + v * LANES, sum[r][v]);
        }
    } else {
        for (int r = 0; r < rows; r++, c += t->c_row) {
            if (vectors > 1) vec_store(c, sum[r][0]);
            vec_store_part(c + (vectors - 1) * LANES, sum[r][vectors - 1], tail);
        }
    }
}

// Calls f(..., rows, vectors) with both as constants.
#define EACH_ROWS_SMALL(f, vectors)                                                                \
    case 1: f(1, vectors); break;                                                                  \
    case 2: f(2, vectors); break;                                                                  \
    case 3: f(3, vectors); break;                                                                  \
    case 4: f(4, vectors); break;                                                                  \
    case 5: f(5, vectors); break;                                                                  \
    case 6:                                                                                        \
        f(6, vectors);                                                                             \
        break;
#if LANES == 16
#define EACH_ROWS(f, vectors)                                                                      \
    EACH_ROWS_SMALL(f, vectors)                                                                    \
    case 7: f(7, vectors); break;                                                                  \
    case 8: f(8, vectors); break;                                                                  \
    case 9: f(9, vectors); break;                                                                  \
    case 10: f(10, vectors); break;                                                                \
    case 11: f(11, vectors); break;                                                                \
    case 12: f(12, vectors); break;                                                                \
    case 13: f(13, vectors); break;                                                                \
    case 14:                                                                                       \
        f(14, vectors);                                                                            \
        break;
#else
#define EACH_ROWS(f, vectors) EACH_ROWS_SMALL(f, vectors)
#endif

static void product(const struct tile_product *t) {
    int n_tiles = (t->rows + ROWS - 1) / ROWS;
    for (int i = 0; i < n_tiles; i++) { // even shares, so that no tile is too thin
        int first = t->rows * i / n_tiles, rows = t->rows * (i + 1) / n_tiles - first;
#define PRODUCT_CASE(n, vectors) product_rows(t, first, n, vectors)
        if (t->cols > LANES) {
            switch (rows) { EACH_ROWS(PRODUCT_CASE, 2) }
        } else {
            switch (rows) { EACH_ROWS(PRODUCT_CASE, 1) }
        }
    }
}

// --- packing ---

typedef float quad __attribute__((vector_size(16)));

// to[k][col] = alpha * from[col][k] for 4 x 4 numbers.
INLINE void transpose_quad(const float *from, ptrdiff_t row, float alpha, float *to) {
    quad x[4], scale = {alpha, alpha, alpha, alpha};
    for (int i = 0; i < 4; i++) {
        memcpy(&x[i], from + i * row, sizeof x[i]);
        x[i] *= scale;
    }
    quad a = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5);
    quad b = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5);
    quad c = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7);
    quad d = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);
    quad y[4] = {
        __builtin_shufflevector(a, b, 0, 1, 4, 5), __builtin_shufflevector(a, b, 2, 3, 6, 7),
        __builtin_shufflevector(c, d, 0, 1, 4, 5), __builtin_shufflevector(c, d, 2, 3, 6, 7)};
    for (int i = 0; i < 4; i++) memcpy(to + i * WIDTH, &y[i], sizeof y[i]);
}

static void pack_transposed(const float *b, ptrdiff_t row, int depth, int cols, float alpha,
                            float *packed) {
    int whole_cols = cols / 4 * 4, whole_depth = depth / 4 * 4;
    for (int col = 0; col < whole_cols; col += 4) {
        for (int k = 0; k < whole_depth; k += 4) {
            transpose_quad(b + col * row + k, row, alpha, packed + k * WIDTH + col);
        }
    }
    for (int col = 0; col < cols; col++) {
        for (int k = col < whole_cols ? whole_depth : 0; k < depth; k++) {
            packed[k * WIDTH + col] = alpha * b[col * row + k];
        }
    }
    for (int k = 0; k < depth; k++) {
        for (int col = cols; col < WIDTH; col++) packed[k * WIDTH + col] = 0;
    }
}

static void pack(const float *b, ptrdiff_t row, bool transposed, int depth, int cols, float alpha,
                 float *packed) {
    if (transposed) {
        pack_transposed(b, row, depth, cols, alpha, packed);
        return;
    }
    vec scale = vec_all(alpha);
    for (int k = 0; k < depth; k++, b += row, packed += WIDTH) {
        for (int col = 0; col < WIDTH; col += LANES) {
            int count = cols - col;
            vec x = count >= LANES ? vec_load(b + col)
                    : count > 0    ? vec_load_part(b + col, count)
                                   : vec_all(0);
            vec_store(packed + col, x * scale);
        }
    }
}

// --- outer ---

INLINE void outer_rows(const struct tile_outer *t, int first, int col, int rows, int vectors) {
    vec sum[ROWS][2];
    float *c = t->c + first * t->c_row + col;
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++) sum[r][v] = vec_load(c + r * t->c_row + v * LANES);
    }
    ptrdiff_t a_step = t->a_step, b_step = t->b_step;
    for (int o = 0; o < t->n_outer; o++) {
        const float *a = t->a + o * t->a_outer + first, *b = t->b + o * t->b_outer + col;
        for (int k = 0; k < t->depth; k++, a += a_step, b += b_step) {
            vec b0 = vec_load(b), b1 = vectors > 1 ? vec_load(b + LANES) : b0;
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                vec x = vec_all(a[r]);
                sum[r][0] = vec_fma(x, b0, sum[r][0]);
                if (vectors > 1) sum[r][1] = vec_fma(x, b1, sum[r][1]);
            }
        }
    }
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++) vec_store(c + r * t->c_row + v * LANES, sum[r][v]);
    }
}

static void outer(const struct tile_outer *t) {
    int n_tiles = (t->rows + ROWS - 1) / ROWS;
    for (int i = 0; i < n_tiles; i++) {
        int first = t->rows * i / n_tiles, rows = t->rows * (i + 1) / n_tiles - first, col = 0;
#define OUTER_CASE(n, vectors) outer_rows(t, first, col, n, vectors)
        for (; col + WIDTH <= t->cols; col += WIDTH) {
            switch (rows) { EACH_ROWS(OUTER_CASE, 2) }
        }
        if (col < t->cols) {
            switch (rows) { EACH_ROWS(OUTER_CASE, 1) }
        }
    }
}

// --- reading ---

static void from_u8(const uint8_t *in, size_t count, float scale, float shift, float *out) {
    vec factor = vec_all(scale), offset = vec_all(shift);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec_store(out + i, vec_fma(vec_load_u8(in + i), factor, offset));
    }
    uint8_t rest[LANES] = {0};
    if (i == count) return;
    memcpy(rest, in + i, count - i);
    vec_store_part(out + i, vec_fma(vec_load_u8(rest), factor, offset), (int)(count - i));
}

static void where_positive(const float *x, const float *y, size_t count, float *out) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec_store(out + i, vec_positive(vec_load(x + i), vec_load(y + i)));
    }
    for (; i < count; i++) out[i] = y[i] > 0 ? x[i] : 0;
}

const struct tile_kernels LANES_NAME(tile_kernels) = {
    .lanes = LANES,
    .width = WIDTH,
    .product = product,
    .pack = pack,
    .outer = outer,
    .from_u8 = from_u8,
    .where_positive = where_positive,
};
