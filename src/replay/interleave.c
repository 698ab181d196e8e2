#include "replay/interleave.h"

#include <string.h>

#include "base/err.h"
#include "math/simd.h"

void interleave_init(struct interleave *plan, size_t n, size_t channels) {
    RL_ASSERT(n >= 1 && n <= INTERLEAVE_MAX);
    *plan = (struct interleave){.n = n, .channels = channels};
    size_t out_channels = n * channels;
    if (out_channels > INTERLEAVE_BYTES) return;
    memset(plan->lanes, 128, sizeof(plan->lanes));
    for (size_t v = 0; v < out_channels; v++) {
        plan->start[v] = (uint8_t)(v * INTERLEAVE_BYTES / out_channels * channels);
        for (size_t i = 0; i < INTERLEAVE_BYTES; i++) {
            size_t byte = v * INTERLEAVE_BYTES + i;
            size_t pixel = byte / out_channels, channel = byte % out_channels;
            size_t from = pixel * channels + channel % channels;
            plan->lanes[v][channel / channels][i] = (uint8_t)(from - plan->start[v]);
        }
    }
}

// Inlined with constant channels, so that the copies are.
static inline __attribute__((always_inline)) void pixels(const struct interleave_args *args,
                                                         size_t from, size_t n, size_t channels) {
    uint8_t *out = args->out + from * n * channels;
    for (size_t i = from; i < args->n_pixels; i++) {
        for (size_t k = 0; k < n; k++, out += channels) {
            memcpy(out, args->frames[k] + i * channels, channels);
        }
    }
}

void interleave_portable(const struct interleave *plan, const struct interleave_args *args,
                         size_t from) {
    if (plan->channels == 3) {
        pixels(args, from, plan->n, 3);
    } else {
        pixels(args, from, plan->n, plan->channels);
    }
}

void interleave(const struct interleave *plan, const struct interleave_args *args) {
    size_t done = 0;
    if (plan->n == 1) {
        memcpy(args->out, args->frames[0], args->n_pixels * plan->channels);
        return;
    }
#ifndef RL_DOUBLE // that build has no variants
    if (plan->n * plan->channels <= INTERLEAVE_BYTES && simd_level() >= SIMD_LEVEL_AVX2) {
        done = interleave_avx2(plan, args);
    }
#endif
    interleave_portable(plan, args, done);
}
