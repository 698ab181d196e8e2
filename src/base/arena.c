#include "base/arena.h"

#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(pointer, size)   ASAN_POISON_MEMORY_REGION(pointer, size)
#define UNPOISON(pointer, size) ASAN_UNPOISON_MEMORY_REGION(pointer, size)
#else
#define POISON(pointer, size)   ((void)0)
#define UNPOISON(pointer, size) ((void)0)
#endif

#define ALIGNMENT 64

enum rl_status arena_init(struct arena *arena, size_t size_bytes, struct rl_error *err) {
    *arena = (struct arena){0};
    arena->base = mem_try_alloc(size_bytes, "arena", err);
    if (!arena->base) return RL_ENOMEM;
    arena->size_bytes = size_bytes;
    POISON(arena->base, size_bytes);
    return RL_OK;
}

void arena_release(struct arena *arena) {
    if (arena->base) UNPOISON(arena->base, arena->size_bytes);
    mem_free(arena->base);
    *arena = (struct arena){0};
}

void *arena_alloc(struct arena *arena, size_t size_bytes) {
    size_t rounded = (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded < size_bytes || rounded > arena->size_bytes - arena->used_bytes) {
        rl_abort(__FILE__, __LINE__, "arena of %zu bytes is %zu short", arena->size_bytes,
                 rounded - (arena->size_bytes - arena->used_bytes));
    }
    void *pointer = arena->base + arena->used_bytes;
    UNPOISON(pointer, size_bytes);
    arena->used_bytes += rounded;
    if (arena->used_bytes > arena->peak_bytes) arena->peak_bytes = arena->used_bytes;
    return pointer;
}

void arena_reset(struct arena *arena, size_t mark_bytes) {
    RL_ASSERT(mark_bytes <= arena->used_bytes);
    POISON(arena->base + mark_bytes, arena->used_bytes - mark_bytes);
    arena->used_bytes = mark_bytes;
}
