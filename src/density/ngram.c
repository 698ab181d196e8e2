#include "density/ngram.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

struct gram {
    int token[NGRAM_MAX_ORDER];
    bool used;
    int64_t count;        // n(c w)
    int64_t total, types; // as a context: n(c), different words after it
};

struct grams { // of one length, open addressing
    struct gram *slots;
    size_t n_slots, used;
};

struct ngram {
    int order, vocabulary;
    struct grams level[NGRAM_MAX_ORDER + 1]; // by length; contexts of length 0 at level 0
    double discount[NGRAM_MAX_ORDER + 1];
};

static struct gram *find(const struct grams *grams, const int *token, int length) {
    uint64_t hash = 1469598103934665603u;
    for (int i = 0; i < length; i++) {
        hash = (hash ^ (uint64_t)(unsigned)token[i]) * 1099511628211u;
        hash ^= hash >> 29;
    }
    size_t at = (size_t)(hash ^ hash >> 32) & (grams->n_slots - 1);
    for (;; at = (at + 1) & (grams->n_slots - 1)) {
        struct gram *slot = &grams->slots[at];
        if (!slot->used || !memcmp(slot->token, token, (size_t)length * sizeof(int))) return slot;
    }
}

static void grow(struct grams *grams, int length) {
    struct grams old = *grams;
    grams->n_slots = old.n_slots ? 2 * old.n_slots : 64;
    grams->slots = MEM_ARRAY(struct gram, grams->n_slots);
    for (size_t i = 0; i < old.n_slots; i++) {
        if (old.slots[i].used) *find(grams, old.slots[i].token, length) = old.slots[i];
    }
    mem_free(old.slots);
}

// The n-gram, made when it is new.
static struct gram *touch(struct grams *grams, const int *token, int length) {
    if (2 * grams->used >= grams->n_slots) grow(grams, length);
    struct gram *gram = find(grams, token, length);
    if (!gram->used) {
        memcpy(gram->token, token, (size_t)length * sizeof(int));
        gram->used = true;
        grams->used++;
    }
    return gram;
}

// window (order): shifts token in; after a line's end the context is empty (zeros).
static void shift(int *window, int order, int token) {
    if (window[order - 1] == 0) memset(window, 0, (size_t)order * sizeof(int));
    memmove(window, window + 1, (size_t)(order - 1) * sizeof(int));
    window[order - 1] = token;
}

static void count_contexts(struct ngram *ngram, int length) {
    const struct grams *grams = &ngram->level[length];
    int64_t once = 0, twice = 0;
    for (size_t i = 0; i < grams->n_slots; i++) {
        const struct gram *gram = &grams->slots[i];
        if (!gram->used || gram->count == 0) continue;
        struct gram *context = touch(&ngram->level[length - 1], gram->token, length - 1);
        context->total += gram->count;
        context->types++;
        once += gram->count == 1;
        twice += gram->count == 2;
    }
    // Without any seen once or twice (tiny vocabularies) the estimate does not exist.
    ngram->discount[length] = once && twice ? (double)once / (double)(once + 2 * twice) : 0.5;
}

// How many different words stand before each n-gram of that length.
static void count_continuations(struct ngram *ngram, int length) {
    const struct grams *longer = &ngram->level[length + 1];
    for (size_t i = 0; i < longer->n_slots; i++) {
        if (longer->slots[i].used && longer->slots[i].count)
            touch(&ngram->level[length], longer->slots[i].token + 1, length)->count++;
    }
}

struct ngram *ngram_create(const int *token, int64_t n, int vocabulary, int order) {
    RL_ASSERT(order >= 1 && order <= NGRAM_MAX_ORDER);
    struct ngram *ngram = MEM_NEW(struct ngram);
    ngram->order = order;
    ngram->vocabulary = vocabulary;
    int window[NGRAM_MAX_ORDER] = {0};
    for (int64_t i = 0; i < n; i++) {
        shift(window, order, token[i]);
        touch(&ngram->level[order], window, order)->count++;
    }
    for (int length = order - 1; length >= 1; length--) count_continuations(ngram, length);
    for (int length = order; length >= 1; length--) count_contexts(ngram, length);
    return ngram;
}

void ngram_destroy(struct ngram *ngram) {
    if (!ngram) return;
    for (int i = 0; i <= NGRAM_MAX_ORDER; i++) mem_free(ngram->level[i].slots);
    mem_free(ngram);
}

double ngram_prob(const struct ngram *ngram, const int *context, int word) {
    int order = ngram->order, window[NGRAM_MAX_ORDER];
    memcpy(window, context, (size_t)(order - 1) * sizeof(int));
    window[order - 1] = word;
    double prob = 1.0 / ngram->vocabulary;
    for (int length = 1; length <= order; length++) {
        const int *gram = window + order - length;
        const struct grams *contexts = &ngram->level[length - 1], *grams = &ngram->level[length];
        if (!contexts->n_slots || !grams->n_slots) break;
        const struct gram *seen = find(contexts, gram, length - 1),
                          *own = find(grams, gram, length);
        if (!seen->used || seen->total == 0) break;
        double discount = ngram->discount[length], total = (double)seen->total;
        double count = own->used && own->count ? (double)own->count - discount : 0;
        prob = count / total + discount * (double)seen->types / total * prob;
    }
    return prob;
}

double ngram_perplexity(const struct ngram *ngram, const int *token, int64_t n) {
    int window[NGRAM_MAX_ORDER] = {0}, order = ngram->order;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        shift(window, order, token[i]);
        sum -= log(ngram_prob(ngram, window, token[i]));
    }
    return exp(sum / (double)n);
}

int64_t ngram_size(const struct ngram *ngram) {
    int64_t size = 0;
    const struct grams *grams = &ngram->level[ngram->order];
    for (size_t i = 0; i < grams->n_slots; i++)
        size += grams->slots[i].used && grams->slots[i].count;
    return size;
}
