// Eight lanes of float and int32 for the renderer's kernel. Only operations whose bits do not
// depend on the instruction set: IEEE + - * / sqrt, compares, conversions; never a fused
// multiply-add, never an approximate reciprocal. So every target draws the same bytes.
#pragma once

#include <stdint.h>
#include <string.h>

#if defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#endif

typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
typedef float f4 __attribute__((vector_size(16)));

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi" // vectors are passed only between inlined functions
#endif

#define VEC static inline __attribute__((always_inline, unused))

VEC vf vf_set(float x) {
    return (vf){x, x, x, x, x, x, x, x};
}
VEC vi vi_set(int x) {
    return (vi){x, x, x, x, x, x, x, x};
}
VEC vf vf_load(const float *p) {
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}
VEC vi vi_load(const void *p) {
    vi v;
    memcpy(&v, p, sizeof v);
    return v;
}
VEC void vf_store(float *p, vf v) {
    memcpy(p, &v, sizeof v);
}
VEC void vi_store(void *p, vi v) {
    memcpy(p, &v, sizeof v);
}

#if defined(__AVX2__)
VEC vf vf_sqrt(vf x) {
    return (vf)_mm256_sqrt_ps((__m256)x);
}
VEC vf vf_max(vf a, vf b) { // a > b ? a : b
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
}
VEC vf vf_min(vf a, vf b) { // a < b ? a : b
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
}
VEC vf vf_pick(vi mask, vf a, vf b) {
    return (vf)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
}
VEC vi vi_pick(vi mask, vi a, vi b) {
    return (vi)_mm256_blendv_epi8((__m256i)b, (__m256i)a, (__m256i)mask);
}
VEC int vi_bits(vi mask) { // one bit a lane
    return _mm256_movemask_ps((__m256)mask);
}
VEC vi vf_round(vf x) { // to the nearest, ties to even
    return (vi)_mm256_cvtps_epi32((__m256)x);
}
VEC vi vf_trunc(vf x) {
    return (vi)_mm256_cvttps_epi32((__m256)x);
}
VEC vf vi_float(vi x) {
    return (vf)_mm256_cvtepi32_ps((__m256i)x);
}
#elif defined(__SSE2__)
struct vf_halves {
    __m128 lo, hi;
};
struct vi_halves {
    __m128i lo, hi;
};
VEC struct vf_halves vf_split(vf x) {
    struct vf_halves h;
    memcpy(&h, &x, sizeof h);
    return h;
}
VEC vf vf_join(__m128 lo, __m128 hi) {
    struct vf_halves h = {lo, hi};
    vf x;
    memcpy(&x, &h, sizeof x);
    return x;
}
VEC vi vi_join(__m128i lo, __m128i hi) {
    struct vi_halves h = {lo, hi};
    vi x;
    memcpy(&x, &h, sizeof x);
    return x;
}
VEC vf vf_sqrt(vf x) {
    struct vf_halves h = vf_split(x);
    return vf_join(_mm_sqrt_ps(h.lo), _mm_sqrt_ps(h.hi));
}
VEC vf vf_max(vf a, vf b) {
    struct vf_halves p = vf_split(a), q = vf_split(b);
    return vf_join(_mm_max_ps(p.lo, q.lo), _mm_max_ps(p.hi, q.hi));
}
VEC vf vf_min(vf a, vf b) {
    struct vf_halves p = vf_split(a), q = vf_split(b);
    return vf_join(_mm_min_ps(p.lo, q.lo), _mm_min_ps(p.hi, q.hi));
}
VEC vf vf_pick(vi mask, vf a, vf b) {
    return (vf)((mask & (vi)a) | (~mask & (vi)b));
}
VEC vi vi_pick(vi mask, vi a, vi b) {
    return (mask & a) | (~mask & b);
}
VEC int vi_bits(vi mask) {
    struct vf_halves h = vf_split((vf)mask);
    return _mm_movemask_ps(h.lo) | _mm_movemask_ps(h.hi) << 4;
}
VEC vi vf_round(vf x) {
    struct vf_halves h = vf_split(x);
    return vi_join(_mm_cvtps_epi32(h.lo), _mm_cvtps_epi32(h.hi));
}
VEC vi vf_trunc(vf x) {
    struct vf_halves h = vf_split(x);
    return vi_join(_mm_cvttps_epi32(h.lo), _mm_cvttps_epi32(h.hi));
}
VEC vf vi_float(vi x) {
    return __builtin_convertvector(x, vf);
}
#else
#error "The renderer's kernel needs SSE2 at least; a port adds its operations here."
#endif

// Sixteen int16, in two halves of 128 bits that never mix: pixels i.. in the low half, i + 4.. in
// the high.
#if defined(__AVX2__)
typedef __m256i v16;
VEC v16 v16_load2(const void *low, const void *high) {
    __m256i a = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low));
    return _mm256_inserti128_si256(a, _mm_loadu_si128((const __m128i *)high), 1);
}
VEC v16 v16_lerp(v16 a, v16 b, v16 weight) { // a + (b - a) weight / 256, rounded; weight 0..255
    v16 delta = _mm256_slli_epi16(_mm256_sub_epi16(b, a), 7);
    return _mm256_add_epi16(a, _mm256_mulhrs_epi16(delta, weight));
}
VEC v16 v16_widen_low(v16 bytes) {
    return _mm256_unpacklo_epi8(bytes, _mm256_setzero_si256());
}
VEC v16 v16_widen_high(v16 bytes) {
    return _mm256_unpackhi_epi8(bytes, _mm256_setzero_si256());
}
VEC v16 v16_low64(v16 a, v16 b) {
    return _mm256_unpacklo_epi64(a, b);
}
VEC v16 v16_high64(v16 a, v16 b) {
    return _mm256_unpackhi_epi64(a, b);
}
VEC v16 v16_set(int x) {
    return _mm256_set1_epi16((short)x);
}
// Weight i in the low 8 bytes, weight j in the high 8 bytes of each half; of lanes + 4 in the high
// half.
#define v16_spread(w, i, j)                                                                        \
    _mm256_shuffle_epi8((__m256i)(w),                                                              \
                        _mm256_set_epi64x(0x0100010001000100 + 0x0404040404040404LL * (j),         \
                                          0x0100010001000100 + 0x0404040404040404LL * (i),         \
                                          0x0100010001000100 + 0x0404040404040404LL * (j),         \
                                          0x0100010001000100 + 0x0404040404040404LL * (i)))
VEC vi v16_pack(v16 a, v16 b) {
    return (vi)_mm256_packus_epi16(a, b);
}
#else
typedef struct vi_halves v16;
VEC __m128i mulhrs(__m128i a, __m128i b) { // (a b + 2^14) >> 15, as SSSE3 has it
    __m128i high = _mm_mulhi_epi16(a, b), low = _mm_srli_epi16(_mm_mullo_epi16(a, b), 14);
    low = _mm_srli_epi16(_mm_add_epi16(low, _mm_set1_epi16(1)), 1);
    return _mm_add_epi16(_mm_add_epi16(high, high), low);
}
VEC v16 v16_load2(const void *low, const void *high) {
    return (v16){_mm_loadu_si128((const __m128i *)low), _mm_loadu_si128((const __m128i *)high)};
}
VEC __m128i lerp_half(__m128i a, __m128i b, __m128i weight) {
    return _mm_add_epi16(a, mulhrs(_mm_slli_epi16(_mm_sub_epi16(b, a), 7), weight));
}
VEC v16 v16_lerp(v16 a, v16 b, v16 w) {
    return (v16){lerp_half(a.lo, b.lo, w.lo), lerp_half(a.hi, b.hi, w.hi)};
}
VEC v16 v16_widen_low(v16 a) {
    __m128i zero = _mm_setzero_si128();
    return (v16){_mm_unpacklo_epi8(a.lo, zero), _mm_unpacklo_epi8(a.hi, zero)};
}
VEC v16 v16_widen_high(v16 a) {
    __m128i zero = _mm_setzero_si128();
    return (v16){_mm_unpackhi_epi8(a.lo, zero), _mm_unpackhi_epi8(a.hi, zero)};
}
VEC v16 v16_low64(v16 a, v16 b) {
    return (v16){_mm_unpacklo_epi64(a.lo, b.lo), _mm_unpacklo_epi64(a.hi, b.hi)};
}
VEC v16 v16_high64(v16 a, v16 b) {
    return (v16){_mm_unpackhi_epi64(a.lo, b.lo), _mm_unpackhi_epi64(a.hi, b.hi)};
}
VEC v16 v16_set(int x) {
    return (v16){_mm_set1_epi16((short)x), _mm_set1_epi16((short)x)};
}
VEC __m128i spread_half(int low, int high) {
    return _mm_unpacklo_epi64(_mm_set1_epi16((short)low), _mm_set1_epi16((short)high));
}
VEC v16 v16_spread(vi w, int i, int j) {
    return (v16){spread_half(w[i], w[j]), spread_half(w[i + 4], w[j + 4])};
}
VEC vi v16_pack(v16 a, v16 b) {
    return vi_join(_mm_packus_epi16(a.lo, b.lo), _mm_packus_epi16(a.hi, b.hi));
}
#endif

VEC vf vf_abs(vf x) {
    return (vf)((vi)x & vi_set(0x7fffffff));
}
VEC vf vf_floor(vf x) { // |x| < 2^31
    vf t = vi_float(vf_trunc(x));
    return t + vi_float(t > x); // a true compare is -1
}
VEC vf vf_clamp01(vf x) { // NaN becomes 0
    return vf_min(vf_max(x, vf_set(0)), vf_set(1));
}
VEC int vi_any(vi mask) {
    return vi_bits(mask) != 0;
}
VEC int vi_all(vi mask) {
    return vi_bits(mask) == 0xff;
}

// 2^x and log2(x) to about 1e-6 relative: minimax polynomials on [-0.5, 0.5] and [sqrt(1/2),
// sqrt(2)].
VEC vf vf_exp2(vf x) {
    x = vf_min(vf_max(x, vf_set(-126)), vf_set(126));
    vi whole = vf_round(x);
    vf f = x - vi_float(whole);
    vf p = vf_set(1.5403530e-4f);
    p = p * f + 1.3333558e-3f;
    p = p * f + 9.6181291e-3f;
    p = p * f + 5.5504109e-2f;
    p = p * f + 2.4022651e-1f;
    p = p * f + 6.9314718e-1f;
    p = p * f + 1.0f;
    return p * (vf)((whole + 127) << 23);
}
VEC vf vf_log2(vf x) { // x > 0 and normal
    vi bits = (vi)x - 0x3f3504f3;
    vf e = vi_float(bits >> 23);
    vf m = (vf)((bits & 0x7fffff) + 0x3f3504f3);
    vf z = (m - 1.0f) / (m + 1.0f), y = z * z; // log2(m) = 2/ln2 atanh(z)
    vf p = vf_set(0.32059889f);
    p = p * y + 0.41219859f;
    p = p * y + 0.57707802f;
    p = p * y + 0.96179669f;
    p = p * y + 2.88539008f;
    return p * z + e;
}
VEC vf vf_power(vf x, float exponent) { // x^exponent for x >= 0; 0^e = 0
    vf p = vf_exp2(vf_log2(vf_max(x, vf_set(1e-30f))) * exponent);
    return vf_pick(x > 1e-30f, p, vf_set(0));
}

// Angle of (x, y) in turns, [0, 1); polynomial of atan on [0, 1], to about 1e-6.
VEC vf vf_turns(vf y, vf x) {
    vf ax = vf_abs(x), ay = vf_abs(y);
    vf big = vf_max(vf_max(ax, ay), vf_set(1e-30f)), z = vf_min(ax, ay) / big, q = z * z;
    vf p = vf_set(0.0028662257f);
    p = p * q - 0.0161657367f;
    p = p * q + 0.0429096138f;
    p = p * q - 0.0752896400f;
    p = p * q + 0.1065626393f;
    p = p * q - 0.1420889944f;
    p = p * q + 0.1999355085f;
    p = p * q - 0.3333314528f;
    vf angle = (p * q * z + z) * 0.15915494f;
    angle = vf_pick(ay > ax, 0.25f - angle, angle);
    angle = vf_pick(x < 0, 0.5f - angle, angle);
    return vf_pick(y < 0, 1.0f - angle, angle);
}
