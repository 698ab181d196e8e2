#include "replay/priority.h"

#include <math.h>

#include "base/mem.h"

// A complete binary tree as an array: node i has children 2i and 2i + 1, leaves begin at n_leaves.
struct priority {
    int64_t capacity, n_leaves; // n_leaves: power of two
    double *sums, *maxima;      // (2 * n_leaves)
};

struct priority *priority_create(int64_t capacity, struct rl_error *err) {
    RL_ASSERT(capacity > 0 && capacity <= INT32_MAX);
    struct priority *priority = MEM_NEW(struct priority);
    priority->capacity = capacity;
    priority->n_leaves = 1;
    while (priority->n_leaves < capacity) priority->n_leaves *= 2;
    size_t bytes = mem_size(2 * (size_t)priority->n_leaves, sizeof(double));
    priority->sums = mem_try_alloc(bytes, "replay priorities", err);
    priority->maxima = priority->sums ? mem_try_alloc(bytes, "replay priorities", err) : NULL;
    if (priority->maxima) return priority;
    priority_destroy(priority);
    return NULL;
}

void priority_destroy(struct priority *priority) {
    if (!priority) return;
    mem_free(priority->sums);
    mem_free(priority->maxima);
    mem_free(priority);
}

// Summed from the children, never by a difference, so that errors do not build up.
static void update(struct priority *priority, int64_t node) {
    double *sums = priority->sums, *maxima = priority->maxima;
    sums[node] = sums[2 * node] + sums[2 * node + 1];
    maxima[node] = fmax(maxima[2 * node], maxima[2 * node + 1]);
}

void priority_set(struct priority *priority, int64_t entry, double value) {
    RL_ASSERT(entry >= 0 && value >= 0 && isfinite(value));
    int64_t node = priority->n_leaves + entry % priority->capacity;
    priority->sums[node] = priority->maxima[node] = value;
    for (node /= 2; node > 0; node /= 2) update(priority, node);
}

double *priority_leaves(struct priority *priority, int64_t *count) {
    *count = priority->capacity;
    return priority->sums + priority->n_leaves;
}

void priority_rebuild(struct priority *priority) {
    for (int64_t i = priority->n_leaves; i < 2 * priority->n_leaves; i++) {
        priority->maxima[i] = priority->sums[i];
    }
    for (int64_t node = priority->n_leaves - 1; node > 0; node--) update(priority, node);
}

double priority_get(const struct priority *priority, int64_t entry) {
    RL_ASSERT(entry >= 0);
    return priority->sums[priority->n_leaves + entry % priority->capacity];
}

double priority_total(const struct priority *priority) {
    return priority->sums[1];
}

double priority_max(const struct priority *priority) {
    return priority->maxima[1];
}

int64_t priority_draw(const struct priority *priority, int64_t end, double u) {
    const double *sums = priority->sums;
    RL_ASSERT(sums[1] > 0 && u >= 0 && u < 1);
    double rest = u * sums[1];
    int64_t node = 1;
    while (node < priority->n_leaves) {
        node *= 2;
        // Rounding must not lead into a subtree of zeros.
        if (sums[node + 1] > 0 && (rest >= sums[node] || sums[node] == 0)) {
            rest -= sums[node];
            node++;
        }
    }
    int64_t leaf = node - priority->n_leaves, oldest = end - priority->capacity;
    int64_t entry =
        end - 1 - ((end - 1 - leaf) % priority->capacity + priority->capacity) % priority->capacity;
    RL_ASSERT(entry >= 0 && entry >= oldest && entry < end);
    return entry;
}
