#include "replay/replay_store.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"
#include "replay/segment.h"

struct replay_store {
    char dir[3840];
    struct segment *segments; // of the present replay, oldest first; some no longer needed
    size_t count, room;
};

struct replay_store *replay_store_create(const char *dir) {
    struct replay_store *store = MEM_NEW(struct replay_store);
    RL_ASSERT(strlen(dir) < sizeof(store->dir));
    strcpy(store->dir, dir);
    return store;
}

void replay_store_destroy(struct replay_store *store) {
    if (!store) return;
    mem_free(store->segments);
    mem_free(store);
}

static void path_of(const struct replay_store *store, int64_t first, char path[4096]) {
    snprintf(path, 4096, "%s/seg-%lld.bin", store->dir, (long long)first);
}

static void remember(struct replay_store *store, struct segment segment) {
    if (store->count == store->room) {
        size_t room = store->room ? 2 * store->room : 64;
        store->segments =
            mem_grow(store->segments, store->room * sizeof(segment), room * sizeof(segment));
        store->room = room;
    }
    store->segments[store->count++] = segment;
}

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// First entries of the segment files in the folder, sorted; mem_free. NULL when there are none.
static int64_t *list_files(const struct replay_store *store, size_t *count) {
    *count = 0;
    DIR *dir = opendir(store->dir);
    if (!dir) return NULL;
    int64_t *firsts = NULL;
    size_t room = 0;
    for (struct dirent *item; (item = readdir(dir));) {
        long long first;
        char again[64];
        if (sscanf(item->d_name, "seg-%lld.bin", &first) != 1) continue;
        snprintf(again, sizeof(again), "seg-%lld.bin", first);
        if (strcmp(again, item->d_name) != 0) continue;
        if (*count == room) {
            firsts = mem_grow(firsts, room * sizeof(*firsts), (room + 256) * sizeof(*firsts));
            room += 256;
        }
        firsts[(*count)++] = first;
    }
    closedir(dir);
    if (*count) qsort(firsts, *count, sizeof(*firsts), by_number);
    return firsts;
}

static void remove_file(const struct replay_store *store, int64_t first) {
    char path[4096];
    path_of(store, first, path);
    unlink(path);
}

// What a run wrote that was later resumed from before it.
static void remove_abandoned(const struct replay_store *store, int64_t from) {
    size_t count;
    int64_t *firsts = list_files(store, &count);
    for (size_t i = 0; i < count; i++) {
        if (firsts[i] >= from) remove_file(store, firsts[i]);
    }
    mem_free(firsts);
}

// The state of a replay whose entries [begin, end) are stored.
static struct replay_store_state describe(const struct replay_store *store, int64_t begin,
                                          int64_t end) {
    struct replay_store_state state = {.begin = begin, .end = end, .first_segment = begin};
    XXH3_state_t *hash = XXH3_createState();
    if (!hash) rl_abort(__FILE__, __LINE__, "out of memory");
    XXH3_64bits_reset(hash);
    bool any = false;
    for (size_t i = 0; i < store->count; i++) {
        const struct segment *segment = &store->segments[i];
        if (segment->end <= begin) continue;
        if (!any) state.first_segment = segment->first;
        any = true;
        XXH3_64bits_update(hash, &segment->checksum, sizeof(segment->checksum));
    }
    if (any) state.checksum = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    return state;
}

enum rl_status replay_store_save(struct replay_store *store, const struct replay *replay,
                                 struct replay_store_state *state, struct rl_error *err) {
    int64_t oldest = replay_oldest_stored(replay);
    int64_t next = store->count ? store->segments[store->count - 1].end : 0;
    if (next < oldest) next = oldest;
    enum rl_status status = file_make_dirs(store->dir, err);
    if (status == RL_OK) remove_abandoned(store, next);
    while (status == RL_OK && next < replay_end(replay)) {
        // Cut at multiples, so that groups of frames stay whole in one file.
        int64_t end = (next / SEGMENT_ENTRIES + 1) * SEGMENT_ENTRIES;
        struct segment segment = {.first = next,
                                  .end = end < replay_end(replay) ? end : replay_end(replay)};
        char path[4096];
        path_of(store, next, path);
        status = segment_write(path, replay, &segment, err);
        if (status == RL_OK) remember(store, segment);
        next = segment.end;
    }
    if (status == RL_OK) *state = describe(store, oldest, next);
    return status;
}

// Which of the opened files make up the replay: each that begins where the last one ended. Others
// are of an abandoned future.
static enum rl_status follow(const struct segment_file *files, int count, int64_t last,
                             int64_t *next, bool *wanted, struct rl_error *err) {
    for (int i = 0; i < count && *next < last; i++) {
        const struct segment *segment = &files[i].segment;
        if (segment->first < *next) continue;
        if (segment->first > *next) break;
        if (files[i].status != RL_OK) {
            *err = files[i].err;
            return files[i].status;
        }
        if (segment->end > last) {
            return rl_fail(err, RL_EFORMAT,
                           "%s: goes on to entry %lld, the checkpoint ends at %lld; resume from "
                           "another checkpoint",
                           files[i].path, (long long)segment->end, (long long)last);
        }
        wanted[i] = true;
        *next = segment->end;
    }
    return RL_OK;
}

static enum rl_status missing(const struct replay_store *store, int64_t first,
                              struct rl_error *err) {
    char path[4096];
    path_of(store, first, path);
    return rl_fail(err, RL_EFORMAT, "%s: is missing; resume from an older checkpoint", path);
}

static enum rl_status load_files(struct replay_store *store, const int64_t *firsts, size_t count,
                                 const struct replay_store_state *state,
                                 struct segment_reader *reader, struct rl_error *err) {
    struct segment_file *files = MEM_ARRAY(struct segment_file, SEGMENTS_AT_ONCE);
    enum rl_status status = RL_OK;
    int64_t next = state->first_segment;
    for (size_t at = 0; at < count && next < state->end && status == RL_OK;) {
        bool wanted[SEGMENTS_AT_ONCE] = {0};
        int n = 0;
        for (; n < SEGMENTS_AT_ONCE && at < count && firsts[at] < state->end; at++) {
            if (firsts[at] < next) continue;
            files[n].segment = (struct segment){.first = firsts[at]};
            path_of(store, firsts[at], files[n++].path);
        }
        int64_t before = next;
        segment_reader_open(reader, files, n);
        status = follow(files, n, state->end, &next, wanted, err);
        if (status == RL_OK && next == before) break;
        if (status == RL_OK) status = segment_reader_put(reader, wanted, err);
        for (int i = 0; i < n && status == RL_OK; i++) {
            if (wanted[i]) remember(store, files[i].segment);
        }
    }
    mem_free(files);
    return status == RL_OK && next < state->end ? missing(store, next, err) : status;
}

static enum rl_status load_segments(struct replay_store *store,
                                    const struct replay_store_state *state, struct replay *replay,
                                    int64_t keep_from, struct pool *pool, struct rl_error *err) {
    size_t count;
    int64_t *firsts = list_files(store, &count);
    struct segment_reader *reader = segment_reader_create(replay, keep_from, pool);
    enum rl_status status = load_files(store, firsts, count, state, reader, err);
    segment_reader_destroy(reader);
    mem_free(firsts);
    return status;
}

static void empty(struct replay_store *store, struct replay *replay) {
    store->count = 0;
    replay->first_stored = 0;
    replay->has_action = false;
    atomic_store(&replay->end, 0);
}

enum rl_status replay_store_load(struct replay_store *store, const struct replay_store_state *state,
                                 struct replay *replay, struct pool *pool, struct rl_error *err) {
    empty(store, replay);
    if (state->begin < 0 || state->end < state->begin || state->first_segment < 0 ||
        state->first_segment > state->begin) {
        return rl_fail(err, RL_EFORMAT, "%s: the checkpoint's replay state makes no sense",
                       store->dir);
    }
    int64_t oldest_room = state->end - (replay->slots - replay->spec.reserve);
    int64_t keep_from = oldest_room > state->begin ? oldest_room : state->begin;
    enum rl_status status = load_segments(store, state, replay, keep_from, pool, err);
    if (status == RL_OK) {
        struct replay_store_state found = describe(store, state->begin, state->end);
        if (found.checksum != state->checksum || found.first_segment != state->first_segment) {
            status = rl_fail(err, RL_EFORMAT,
                             "%s: holds another replay than the checkpoint was saved with; resume "
                             "from another checkpoint",
                             store->dir);
        }
    }
    if (status == RL_OK) {
        replay->first_stored = keep_from;
        atomic_store(&replay->end, state->end);
    } else {
        empty(store, replay);
    }
    return status;
}

void replay_store_prune(struct replay_store *store, int64_t oldest_needed) {
    size_t count;
    int64_t *firsts = list_files(store, &count);
    // Segments follow one another, so each ends where the next one begins, or before.
    for (size_t i = 0; i + 1 < count && firsts[i + 1] <= oldest_needed; i++) {
        remove_file(store, firsts[i]);
    }
    mem_free(firsts);
}
