// A stack of frames: n images of C channels into one of n * C, pixel by pixel.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INTERLEAVE_BYTES = 16, INTERLEAVE_MAX = 16 }; // of a vector; frames

// How vectors are shuffled, for n * C <= 16: 16 pixels make n * C vectors of output, and each takes
// the bytes of one short stretch of every frame. lanes: byte of the stretch for each byte of the
// output, 128 = none.
struct interleave {
    size_t n, channels;
    uint8_t start[INTERLEAVE_BYTES]; // of the stretches of output vector v, in bytes
    uint8_t lanes[INTERLEAVE_BYTES][INTERLEAVE_MAX][INTERLEAVE_BYTES]; // (vector, frame, byte)
};

void interleave_init(struct interleave *plan, size_t n, size_t channels); // n <= INTERLEAVE_MAX

struct interleave_args {
    const uint8_t *frames[INTERLEAVE_MAX]; // (n_pixels, channels) each
    const uint8_t *next[INTERLEAVE_MAX]; // read into the cache meanwhile: the stack after this one
    bool has_next;
    bool stream; // past the caches: the caller writes more stacks than they hold
    size_t n_pixels;
    uint8_t *out; // (n_pixels, n * channels): channels [k * channels, ...) are frames[k]'s
};

void interleave(const struct interleave *plan, const struct interleave_args *args);

// The variants. The first, from pixel `from` on, is the specification; the second does what whole
// blocks of 16 pixels can do without reading past the frames, and returns how many pixels those
// were.
void interleave_portable(const struct interleave *plan, const struct interleave_args *args,
                         size_t from);
size_t interleave_avx2(const struct interleave *plan, const struct interleave_args *args);
