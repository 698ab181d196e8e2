// One vector of floats for the instruction set that the including file is compiled for: the kernels
// are written once over it and compiled as *_portable.c (4 lanes, no fused multiply-add), *_avx2.c
// (8) and
// *_avx512.c (16). Loads and stores need no alignment.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))

#if defined(__AVX512F__)

#include <immintrin.h>
#define LANES       16
#define LANES_TABLE avx512
typedef __m512 vec;

INLINE vec vec_load(const float *p) {
    return _mm512_loadu_ps(p);
}
INLINE void vec_store(float *p, vec v) {
    _mm512_storeu_ps(p, v);
}
INLINE vec vec_all(float x) {
    return _mm512_set1_ps(x);
}
INLINE vec vec_fma(vec a, vec b, vec c) { // a * b + c
    return _mm512_fmadd_ps(a, b, c);
}
INLINE vec vec_max(vec a, vec b) { // b where either is NaN
    return _mm512_max_ps(a, b);
}
INLINE vec vec_sqrt(vec a) {
    return _mm512_sqrt_ps(a);
}
INLINE vec vec_positive(vec x, vec y) { // x where y > 0, else 0
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_GT_OQ), x);
}
INLINE vec vec_load_u8(const uint8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
INLINE vec vec_load_part(const float *p, int count) { // the first count lanes, the others 0
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}
INLINE void vec_store_part(float *p, vec v, int count) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), v);
}

#elif defined(__AVX2__)

#include <immintrin.h>
#define LANES       8
#define LANES_TABLE avx2
typedef __m256 vec;

INLINE vec vec_load(const float *p) {
    return _mm256_loadu_ps(p);
}
INLINE void vec_store(float *p, vec v) {
    _mm256_storeu_ps(p, v);
}
INLINE vec vec_all(float x) {
    return _mm256_set1_ps(x);
}
INLINE vec vec_fma(vec a, vec b, vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
INLINE vec vec_max(vec a, vec b) { // b where either is NaN
    return _mm256_max_ps(a, b);
}
INLINE vec vec_sqrt(vec a) {
    return _mm256_sqrt_ps(a);
}
INLINE vec vec_positive(vec x, vec y) {
    return _mm256_and_ps(_mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_GT_OQ), x);
}
INLINE vec vec_load_u8(const uint8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
INLINE vec vec_load_part(const float *p, int count) {
    float lanes[LANES] = {0};
    memcpy(lanes, p, sizeof(float) * (size_t)count);
    return _mm256_loadu_ps(lanes);
}
INLINE void vec_store_part(float *p, vec v, int count) {
    float lanes[LANES];
    _mm256_storeu_ps(lanes, v);
    memcpy(p, lanes, sizeof(float) * (size_t)count);
}

#else

#include <math.h>
#define LANES       4
#define LANES_TABLE portable
typedef float vec __attribute__((vector_size(16)));

INLINE vec vec_load(const float *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
INLINE void vec_store(float *p, vec v) {
    memcpy(p, &v, sizeof v);
}
INLINE vec vec_all(float x) {
    return (vec){x, x, x, x};
}
INLINE vec vec_fma(vec a, vec b, vec c) {
    return a * b + c;
}
INLINE vec vec_max(vec a, vec b) { // b where either is NaN
    return (vec){a[0] > b[0] ? a[0] : b[0], a[1] > b[1] ? a[1] : b[1], a[2] > b[2] ? a[2] : b[2],
                 a[3] > b[3] ? a[3] : b[3]};
}
INLINE vec vec_sqrt(vec a) {
    return (vec){sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3])};
}
INLINE vec vec_positive(vec x, vec y) {
    typedef int32_t bits __attribute__((vector_size(16)));
    return (vec)((bits)x & (y > vec_all(0)));
}
INLINE vec vec_load_u8(const uint8_t *p) {
    return (vec){p[0], p[1], p[2], p[3]};
}
INLINE vec vec_load_part(const float *p, int count) {
    vec v = vec_all(0);
    memcpy(&v, p, sizeof(float) * (size_t)count);
    return v;
}
INLINE void vec_store_part(float *p, vec v, int count) {
    memcpy(p, &v, sizeof(float) * (size_t)count);
}

#endif

#define LANES_JOIN2(a, b) a##_##b
#define LANES_JOIN(a, b)  LANES_JOIN2(a, b)
#define LANES_NAME(name)  LANES_JOIN(name, LANES_TABLE) // name_avx2 and so on
