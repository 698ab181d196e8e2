// Bump allocator for the step lifetime: what one update needs is taken from it and dropped at once.
#pragma once

#include <stddef.h>

#include "base/err.h"

struct arena {
    unsigned char *base;
    size_t size_bytes, used_bytes, peak_bytes;
};

RL_CHECKED enum rl_status arena_init(struct arena *arena, size_t size_bytes, struct rl_error *err);
void arena_release(struct arena *arena); // NULL base is fine

// 64-byte aligned, NOT zeroed; running out is a sizing bug and aborts, naming the size that was
// missing.
void *arena_alloc(struct arena *arena, size_t size_bytes);

#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc(arena, (size_t)(count) * sizeof(type)))

// Drop everything taken since mark = arena->used_bytes was noted (0 drops all).
void arena_reset(struct arena *arena, size_t mark_bytes);
