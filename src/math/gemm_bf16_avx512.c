#if defined(__x86_64__)

#include <immintrin.h>
#include <stdbool.h>

#include "math/gemm_bf16_tile.h"

#define LANES  16
#define INLINE static inline __attribute__((always_inline))

static __mmask16 first(int count) {
    return (__mmask16)(count >= LANES ? 0xffff : (1u << count) - 1);
}

// Lines that are not there are asked for where memory is: a masked load from a page that is not
// there costs a microcode assist.
INLINE __m512 load(const float *x, __mmask16 there, const float *elsewhere) {
    return _mm512_maskz_loadu_ps(there, there ? x : elsewhere);
}

// Of 16 lines: low numbers in the low halves, high ones above them.
INLINE __m512i paired(__m512 low, __m512 high) {
    __m512i l = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(low));
    __m512i h = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(high));
    return _mm512_or_si512(l, _mm512_slli_epi32(h, 16));
}

void bf16_pack_across(const float *x, ptrdiff_t stride, int depth, int count, float scale,
                      int line_count, uint32_t *packed) {
    __m512 factor = _mm512_set1_ps(scale);
    for (int k = 0; k < depth; k += 2, packed += line_count) {
        for (int line = 0; line < count; line += LANES) {
            const float *from = x + k * stride + line;
            __mmask16 low = first(count - line), high = k + 1 < depth ? low : 0;
            __m512 a = load(from, low, x), b = load(from + stride, high, x);
            __m512i pair = paired(_mm512_mul_ps(a, factor), _mm512_mul_ps(b, factor));
            _mm512_mask_storeu_epi32(packed + line, first(line_count - line), pair);
        }
    }
}

// Transposes 16 x 16 numbers of 32 bits.
INLINE void transpose(__m512i r[LANES]) {
    __m512i t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) { // quarters of rows i, i + 4, i + 8, i + 12
        __m512i a = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        __m512i b = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        __m512i c = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        __m512i d = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
        t[i] = _mm512_shuffle_i32x4(a, c, 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
        t[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
        t[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
    for (int i = 0; i < LANES; i++) r[i] = t[i];
}

void bf16_pack_along(const float *x, ptrdiff_t stride, int depth, int count, float scale,
                     int line_count, uint32_t *packed) {
    __m512 factor = _mm512_set1_ps(scale);
    for (int line = 0; line < count; line += LANES) {
        __mmask16 lines = first(line_count - line);
        for (int k = 0; k < depth; k += 2 * LANES) {
            int left = depth - k;
            __m512i pairs[LANES];
            for (int i = 0; i < LANES; i++) { // a line of 32 numbers is 16 pairs as they are
                const float *from = x + (line + i) * stride + k;
                bool there = line + i < count;
                __mmask16 low = there ? first(left) : 0;
                __mmask16 high = there && left > LANES ? first(left - LANES) : 0;
                __m512 a = load(from, low, x), b = load(from + LANES, high, x);
                pairs[i] = (__m512i)_mm512_cvtne2ps_pbh(_mm512_mul_ps(b, factor),
                                                        _mm512_mul_ps(a, factor));
            }
            transpose(pairs);
            for (int i = 0; i < LANES && 2 * i < left; i++) {
                uint32_t *to = packed + (ptrdiff_t)(k / 2 + i) * line_count + line;
                _mm512_mask_storeu_epi32(to, lines, pairs[i]);
            }
        }
    }
}

INLINE void add_rows(const uint32_t *a, int a_lines, const uint32_t *b, int pairs, int rows,
                     int cols, float *c, ptrdiff_t c_row) {
    __m512 sum[BF16_ROWS][2];
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (int k = 0; k < pairs; k++, a += a_lines, b += BF16_WIDTH) {
        __m512bh b0 = (__m512bh)_mm512_loadu_si512(b);
        __m512bh b1 = (__m512bh)_mm512_loadu_si512(b + LANES);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[r]);
            sum[r][0] = _mm512_dpbf16_ps(sum[r][0], x, b0);
            sum[r][1] = _mm512_dpbf16_ps(sum[r][1], x, b1);
        }
    }
    __mmask16 left = first(cols), right = cols > LANES ? first(cols - LANES) : 0;
    for (int r = 0; r < rows; r++, c += c_row) {
        __m512 c0 = _mm512_maskz_loadu_ps(left, c), c1 = _mm512_maskz_loadu_ps(right, c + LANES);
        _mm512_mask_storeu_ps(c, left, _mm512_add_ps(c0, sum[r][0]));
        _mm512_mask_storeu_ps(c + LANES, right, _mm512_add_ps(c1, sum[r][1]));
    }
}

void bf16_add_product(const uint32_t *a, int a_lines, const uint32_t *b, int pairs, int rows,
                      int cols, float *c, ptrdiff_t c_row) {
    int n_tiles = (rows + BF16_ROWS - 1) / BF16_ROWS;
    for (int i = 0; i < n_tiles; i++) { // even shares, so that no tile is too thin
        int begin = rows * i / n_tiles, count = rows * (i + 1) / n_tiles - begin;
        float *to = c + begin * c_row;
        switch (count) {
#define CASE(n)                                                                                    \
    case n: add_rows(a + begin, a_lines, b, pairs, n, cols, to, c_row); break;
            CASE(1)
            CASE(2)
            CASE(3)
            CASE(4)
            CASE(5)
            CASE(6)
            CASE(7)
            CASE(8)
            CASE(9)
            CASE(10)
            CASE(11)
            CASE(12)
            CASE(13)
            CASE(14)
#undef CASE
        }
    }
}

#endif
