// Growing text, and the nearest name for "did you mean".
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; // always terminated once anything was added; NULL before
    size_t length, capacity;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(struct text *text, const char *bytes, size_t length);
void text_release(struct text *text);

// The candidate nearest to name by edit distance, or NULL when none is near enough to suggest.
const char *text_nearest(const char *name, const char *const *candidates, size_t count);

// " (did you mean 'x'?)" into out, or "" when nothing is near: ready to end an error message.
void text_suggestion(char *out, size_t size, const char *name, const char *const *candidates,
                     size_t count);

// Same text when '-' and '_' count as equal (option and environment names).
bool text_same_name(const char *a, const char *b);
