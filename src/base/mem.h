// Allocation: zero-filled, 64-byte aligned, counted. Small objects abort when memory is out; large
// ones (replay, arenas) are asked for with mem_try_alloc and fail with the size. Free everything by
// mem_free (reserved address space by mem_unreserve).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

void *mem_alloc(size_t size_bytes);                                             // never NULL
void *mem_try_alloc(size_t size_bytes, const char *what, struct rl_error *err); // NULL + err
void *mem_grow(void *old, size_t old_bytes, size_t new_bytes);                  // new part zeroed
char *mem_strdup(const char *text);
void mem_free(void *pointer); // NULL is fine

// What mem_alloc does when memory is out; default: rl_abort. The handler must not return.
void mem_on_exhausted(void (*handler)(size_t size_bytes));

// Product of two sizes; aborts (mem_size) or returns false (mem_size_checked) on overflow.
size_t mem_size(size_t count, size_t each_bytes);
bool mem_size_checked(size_t count, size_t each_bytes, size_t *product);

// Address space for what fills slowly (replay): zero pages that cost memory only once written.
// Released with mem_unreserve and the same size. advice ends the error message ("lower --x.y").
void *mem_try_reserve(size_t size_bytes, const char *what, const char *advice,
                      struct rl_error *err);
void mem_prefer_huge_pages(void *pointer, size_t size_bytes); // of what is filled from end to end
void mem_unreserve(void *pointer, size_t size_bytes);         // NULL is fine
uint64_t mem_physical_bytes(void);                            // of this machine

#define MEM_NEW(type)          ((type *)mem_alloc(sizeof(type)))
#define MEM_ARRAY(type, count) ((type *)mem_alloc(mem_size((size_t)(count), sizeof(type))))

// Number of allocations so far in the process: a test compares it before and after a hot loop.
uint64_t mem_allocation_count(void);

// Test hook: the n-th mem_try_alloc or mem_try_reserve from now fails (0 = never).
void mem_fail_at(uint64_t n);
