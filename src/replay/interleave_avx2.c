#include <immintrin.h>

#include "replay/interleave.h"

// n and stream are constants where these are inlined.
#define INLINE static inline __attribute__((always_inline))

INLINE void store(uint8_t *out, __m128i bytes, bool stream) {
    if (stream) {
        _mm_stream_si128((__m128i *)out, bytes);
    } else {
        _mm_storeu_si128((__m128i *)out, bytes);
    }
}

INLINE __m128i single(const struct interleave *plan, const uint8_t *const *frames, size_t v,
                      size_t n) {
    __m128i sum = _mm_setzero_si128();
    for (size_t k = 0; k < n; k++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(frames[k] + plan->start[v]));
        __m128i lanes = _mm_loadu_si128((const __m128i *)plan->lanes[v][k]);
        sum = _mm_or_si128(sum, _mm_shuffle_epi8(bytes, lanes));
    }
    return sum;
}

// Vectors v and v + 1, one in each half.
INLINE __m256i pair(const struct interleave *plan, const uint8_t *const *frames, size_t v,
                    size_t n) {
    __m256i sum = _mm256_setzero_si256();
    for (size_t k = 0; k < n; k++) {
        __m256i bytes = _mm256_loadu2_m128i((const __m128i *)(frames[k] + plan->start[v + 1]),
                                            (const __m128i *)(frames[k] + plan->start[v]));
        __m256i lanes = _mm256_loadu2_m128i((const __m128i *)plan->lanes[v + 1][k],
                                            (const __m128i *)plan->lanes[v][k]);
        sum = _mm256_or_si256(sum, _mm256_shuffle_epi8(bytes, lanes));
    }
    return sum;
}

INLINE void block(const struct interleave *plan, const uint8_t *const *frames, size_t n,
                  bool stream, uint8_t *out) {
    size_t vectors = n * plan->channels, v = 0;
    for (; v + 1 < vectors; v += 2, out += 2 * INTERLEAVE_BYTES) {
        __m256i bytes = pair(plan, frames, v, n);
        store(out, _mm256_castsi256_si128(bytes), stream);
        store(out + INTERLEAVE_BYTES, _mm256_extracti128_si256(bytes, 1), stream);
    }
    if (v < vectors) store(out, single(plan, frames, v, n), stream);
}

INLINE size_t blocks(const struct interleave *plan, const struct interleave_args *args, size_t n,
                     bool stream) {
    size_t channels = plan->channels, done = 0;
    // The last load of a block may reach past its own pixels.
    size_t reach = (plan->start[n * channels - 1] + INTERLEAVE_BYTES + channels - 1) / channels;
    if (reach < INTERLEAVE_BYTES) reach = INTERLEAVE_BYTES;
    for (; done + reach <= args->n_pixels; done += INTERLEAVE_BYTES) {
        const uint8_t *frames[INTERLEAVE_MAX];
        for (size_t k = 0; k < n; k++) {
            frames[k] = args->frames[k] + done * channels;
            if (args->has_next) {
                _mm_prefetch((const char *)args->next[k] + done * channels, _MM_HINT_T1);
            }
        }
        block(plan, frames, n, stream, args->out + done * n * channels);
    }
    if (stream) _mm_sfence();
    return done;
}

size_t interleave_avx2(const struct interleave *plan, const struct interleave_args *args) {
    bool stream = args->stream && (uintptr_t)args->out % INTERLEAVE_BYTES == 0;
    if (plan->n == 3 && stream) return blocks(plan, args, 3, true);
    if (plan->n == 3) return blocks(plan, args, 3, false);
    return blocks(plan, args, plan->n, false);
}
