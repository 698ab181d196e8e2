#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static void text_reserve(struct text *text, size_t extra) {
    size_t needed = text->length + extra + 1;
    if (needed <= text->capacity) return;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity < needed) capacity *= 2;
    text->data = mem_grow(text->data, text->capacity, capacity);
    text->capacity = capacity;
}

void text_add(struct text *text, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    RL_ASSERT(length >= 0);
    text_reserve(text, (size_t)length);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
    va_end(again);
    text->length += (size_t)length;
}

void text_add_bytes(struct text *text, const char *bytes, size_t length) {
    text_reserve(text, length);
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_release(struct text *text) {
    mem_free(text->data);
    *text = (struct text){0};
}

#define NAME_MAX_LENGTH 63

// Edit distance with transpositions of neighbours (optimal string alignment).
static int edit_distance(const char *a, const char *b) {
    int rows[3][NAME_MAX_LENGTH + 2];
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > NAME_MAX_LENGTH || m > NAME_MAX_LENGTH) return NAME_MAX_LENGTH;
    for (int j = 0; j <= m; j++) rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && above2[j - 2] + 1 < best) best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *text_nearest(const char *name, const char *const *candidates, size_t count) {
    const char *nearest = NULL;
    int limit = (int)strlen(name) / 3 + 1, best = limit + 1;
    for (size_t i = 0; i < count; i++) {
        int distance = edit_distance(name, candidates[i]);
        if (distance >= best) continue;
        best = distance;
        nearest = candidates[i];
    }
    return nearest;
}

void text_suggestion(char *out, size_t size, const char *name, const char *const *candidates,
                     size_t count) {
    const char *nearest = text_nearest(name, candidates, count);
    if (nearest) {
        snprintf(out, size, " (did you mean '%s'?)", nearest);
    } else {
        out[0] = '\0';
    }
}

bool text_same_name(const char *a, const char *b) {
    for (; *a && *b; a++, b++) {
        if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b)) return false;
    }
    return *a == *b;
}
