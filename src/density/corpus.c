#include "density/corpus.h"

#include <string.h>

#include "base/mem.h"

// A hash table of words, open addressing.
struct slot {
    const char *start;
    size_t length;
    int64_t count;
    int id;
};

struct reader {
    const struct corpus_options *options;
    struct slot *slots;
    size_t n_slots, used; // n_slots a power of two
};

static struct slot *find(struct reader *reader, const char *start, size_t length) {
    uint64_t hash = 1469598103934665603u; // FNV-1a
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)start[i]) * 1099511628211u;
    size_t at = (size_t)(hash ^ hash >> 32) & (reader->n_slots - 1);
    for (;; at = (at + 1) & (reader->n_slots - 1)) {
        struct slot *slot = &reader->slots[at];
        if (!slot->start || (slot->length == length && !memcmp(slot->start, start, length)))
            return slot;
    }
}

static void grow(struct reader *reader) {
    struct slot *old = reader->slots;
    size_t n_old = reader->n_slots;
    reader->n_slots *= 2;
    reader->slots = MEM_ARRAY(struct slot, reader->n_slots);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].start) *find(reader, old[i].start, old[i].length) = old[i];
    }
    mem_free(old);
}

static bool in_word(unsigned char c) {
    return c >= 128 || c == '\'' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

// The next word of [at, end): its start and length, or a length of 0.
static const char *next_word(bool characters, const char *at, const char *end, size_t *length) {
    *length = at < end;
    if (characters) return at;
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r')) at++;
    const char *stop = at;
    while (stop < end && in_word((unsigned char)*stop)) stop++;
    *length = at == end ? 0 : stop > at ? (size_t)(stop - at) : 1;
    return at;
}

static const char *line_end(const char *at, const char *end) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    return stop ? stop : end;
}

// Empty lines are none.
static int64_t count_lines(const char *text, const char *end) {
    int64_t lines = 0;
    for (const char *at = text; at < end;) {
        const char *stop = line_end(at, end);
        lines += stop > at;
        at = stop + 1;
    }
    return lines;
}

// Counts the words of the first n_train lines; returns where they end.
static const char *count_words(struct reader *reader, const char *at, const char *end,
                               int64_t n_train) {
    for (int64_t line = 0; line < n_train && at < end;) {
        const char *stop = line_end(at, end);
        line += stop > at;
        size_t length;
        while ((at = next_word(reader->options->characters, at, stop, &length)), length > 0) {
            if (2 * reader->used >= reader->n_slots) grow(reader);
            struct slot *slot = find(reader, at, length);
            reader->used += !slot->start;
            slot->start = at;
            slot->length = length;
            slot->count++;
            at += length;
        }
        at = stop + 1;
    }
    return at;
}

// Ids in the order of the text, so that they do not depend on the table's size.
static void number_words(struct reader *reader, const char *text, const char *end,
                         struct corpus *corpus) {
    corpus->word = MEM_ARRAY(char *, reader->used + 2);
    corpus->word[CORPUS_END] = mem_strdup("</s>");
    corpus->word[CORPUS_UNKNOWN] = mem_strdup("<unk>");
    corpus->vocabulary = 2;
    for (const char *at = text; at < end; at++) {
        const char *stop = line_end(at, end);
        size_t length;
        while ((at = next_word(reader->options->characters, at, stop, &length)), length > 0) {
            struct slot *slot = find(reader, at, length);
            at += length;
            if (slot->id || slot->count < reader->options->min_count) continue;
            slot->id = corpus->vocabulary;
            char *word = corpus->word[corpus->vocabulary++] = mem_alloc(length + 1);
            memcpy(word, slot->start, length);
        }
        at = stop;
    }
}

static void add_tokens(struct reader *reader, const char *at, const char *end,
                       struct corpus *corpus) {
    for (; at < end; at++) {
        const char *stop = line_end(at, end);
        bool empty = stop == at;
        size_t length;
        while ((at = next_word(reader->options->characters, at, stop, &length)), length > 0) {
            const struct slot *slot = find(reader, at, length);
            corpus->token[corpus->n++] = slot->start && slot->id ? slot->id : CORPUS_UNKNOWN;
            at += length;
        }
        if (!empty) corpus->token[corpus->n++] = CORPUS_END;
        at = stop;
    }
}

enum rl_status corpus_create(const char *text, size_t size, const struct corpus_options *options,
                             struct corpus *corpus, struct rl_error *err) {
    *corpus = (struct corpus){0};
    const char *end = text + size;
    int64_t lines = count_lines(text, end);
    int64_t n_train = lines - (int64_t)(options->test_share * (double)lines);
    if (n_train == lines) n_train--;
    if (n_train < 1)
        return rl_fail(err, RL_EUSAGE, "the text has %lld lines; two are the least",
                       (long long)lines);
    struct reader reader = {.options = options, .n_slots = 1024};
    reader.slots = MEM_ARRAY(struct slot, reader.n_slots);
    const char *rest = count_words(&reader, text, end, n_train);
    if (rest > end) rest = end;
    number_words(&reader, text, rest, corpus);
    corpus->token = MEM_ARRAY(int, size + (size_t)lines); // at most a word a byte, an end a line
    add_tokens(&reader, text, rest, corpus);
    corpus->n_train = corpus->n;
    add_tokens(&reader, rest, end, corpus);
    mem_free(reader.slots);
    return RL_OK;
}

void corpus_release(struct corpus *corpus) {
    for (int i = 0; i < corpus->vocabulary; i++) mem_free(corpus->word[i]);
    mem_free(corpus->word);
    mem_free(corpus->token);
    *corpus = (struct corpus){0};
}
