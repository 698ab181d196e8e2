#include "train/latent_store.h"

#include <dirent.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"

#define MAGIC "RLLAT01"

enum { PART_ENTRIES = 4096, TASK_ROWS = 256 }; // of a file at most; of one task of a load

struct header {
    char magic[8];
    int64_t version, first;
    uint32_t count, row_bytes, raw, zero; // raw: 1 for rows that the snapshot has yet to finish
};

_Static_assert(sizeof(struct header) == 40, "written as it lies in memory");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files of latents are little-endian");

struct part {
    int64_t first, end;
    uint64_t checksum;
};

struct parts_list {
    int64_t version; // 0: none
    struct part *parts;
    size_t count, room;
};

struct latent_store {
    char dir[3840];
    struct replay *replay;
    struct snapshot *snapshot;
    struct publisher *publisher;
    struct parts_list latents, next;
};

struct latent_store *latent_store_create(const char *dir, struct replay *replay,
                                         struct snapshot *snapshot, struct publisher *publisher) {
    struct latent_store *store = MEM_NEW(struct latent_store);
    RL_ASSERT(strlen(dir) < sizeof store->dir);
    strcpy(store->dir, dir);
    store->replay = replay;
    store->snapshot = snapshot;
    store->publisher = publisher;
    return store;
}

void latent_store_destroy(struct latent_store *store) {
    if (!store) return;
    mem_free(store->latents.parts);
    mem_free(store->next.parts);
    mem_free(store);
}

// --- lists of parts ---

static void list_insert(struct parts_list *list, size_t at, struct part part) {
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        list->parts = mem_grow(list->parts, list->room * sizeof part, room * sizeof part);
        list->room = room;
    }
    memmove(list->parts + at + 1, list->parts + at, (list->count - at) * sizeof part);
    list->parts[at] = part;
    list->count++;
}

static void list_clear(struct parts_list *list, int64_t version) {
    list->count = 0;
    list->version = version;
}

static int64_t list_end(const struct parts_list *list) {
    return list->count ? list->parts[list->count - 1].end : 0;
}

// The chain of the parts that reach beyond `begin`.
static struct latent_chain list_chain(const struct parts_list *list, int64_t begin) {
    struct latent_chain chain = {.version = list->version, .end = list_end(list)};
    chain.first = chain.end;
    XXH3_state_t *hash = XXH3_createState();
    if (!hash) rl_abort(__FILE__, __LINE__, "out of memory");
    XXH3_64bits_reset(hash);
    for (size_t i = 0; i < list->count; i++) {
        const struct part *part = &list->parts[i];
        if (part->end <= begin) continue;
        if (part->first < chain.first) chain.first = part->first;
        XXH3_64bits_update(hash, &part->checksum, sizeof part->checksum);
    }
    chain.checksum = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    return chain;
}

// --- writing ---

static void path_of(const struct latent_store *store, int64_t version, int64_t first,
                    char path[4096]) {
    snprintf(path, 4096, "%s/latents-%lld-%lld.bin", store->dir, (long long)version,
             (long long)first);
}

struct sink {
    struct file_writer file;
    XXH3_state_t *hash;
};

static void put(struct sink *sink, const void *data, size_t size) {
    XXH3_64bits_update(sink->hash, data, size);
    file_writer_add(&sink->file, data, size);
}

static const void *row_of(const struct latent_store *store, bool raw, int64_t entry) {
    return raw ? (const void *)publisher_row(store->publisher, store->replay, entry)
               : replay_latent(store->replay, entry);
}

static size_t row_bytes(const struct latent_store *store, bool raw) {
    return (size_t)store->snapshot->dim * (raw ? sizeof(real) : sizeof(float));
}

static enum rl_status write_part(const struct latent_store *store, int64_t version, bool raw,
                                 struct part *part, struct rl_error *err) {
    char path[4096];
    struct sink sink;
    struct header header = {.magic = MAGIC,
                            .version = version,
                            .first = part->first,
                            .count = (uint32_t)(part->end - part->first),
                            .row_bytes = (uint32_t)row_bytes(store, raw),
                            .raw = raw};
    path_of(store, version, part->first, path);
    enum rl_status status = file_writer_open(&sink.file, path, err);
    if (status != RL_OK) return status;
    sink.hash = XXH3_createState();
    if (!sink.hash) rl_abort(__FILE__, __LINE__, "out of memory");
    XXH3_64bits_reset(sink.hash);
    put(&sink, &header, sizeof header);
    for (int64_t entry = part->first; entry < part->end; entry++) {
        put(&sink, row_of(store, raw, entry), header.row_bytes);
    }
    part->checksum = XXH3_64bits_digest(sink.hash);
    file_writer_add(&sink.file, &part->checksum, sizeof part->checksum);
    XXH3_freeState(sink.hash);
    return file_writer_commit(&sink.file, err);
}

// Appends [from, to) to a list; without `all` the part that could still grow stays out.
static enum rl_status extend(const struct latent_store *store, struct parts_list *list, bool raw,
                             int64_t from, int64_t to, bool all, struct rl_error *err) {
    while (from < to) {
        int64_t end = (from / PART_ENTRIES + 1) * PART_ENTRIES;
        if (end > to && !all) break;
        struct part part = {.first = from, .end = end < to ? end : to};
        enum rl_status status = write_part(store, list->version, raw, &part, err);
        if (status != RL_OK) return status;
        list_insert(list, list->count, part);
        from = part.end;
    }
    return RL_OK;
}

// A publish that was committed since the last call makes its raw rows those of the latents.
static void follow_commit(struct latent_store *store) {
    int64_t version = store->snapshot->version;
    if (version == store->latents.version) return;
    struct parts_list old = store->latents;
    store->latents = store->next;
    store->next = old;
    if (store->latents.version != version) list_clear(&store->latents, version);
    list_clear(&store->next, 0);
}

static enum rl_status spill(struct latent_store *store, bool all, struct rl_error *err) {
    const struct publisher *publisher = store->publisher;
    struct parts_list *next = &store->next;
    follow_commit(store);
    if (!publisher->active) return RL_OK;
    int64_t version = store->snapshot->version + 1;
    if (next->version != version) list_clear(next, version);
    // Entries that the ring has overtaken leave a gap: what lies before it is of no use.
    int64_t from = publisher->begin > list_end(next) ? publisher->begin : list_end(next);
    int64_t kept = publisher->next - replay_spec(store->replay)->capacity;
    if (from < kept) from = kept;
    if (from > list_end(next)) list_clear(next, version);
    return extend(store, next, true, from, publisher->next, all, err);
}

enum rl_status latent_store_spill(struct latent_store *store, struct rl_error *err) {
    enum rl_status status = file_make_dirs(store->dir, err);
    return status == RL_OK ? spill(store, false, err) : status;
}

// Rows in front of the raw ones, which the publish encoded at its commit: fewer than a batch.
static enum rl_status write_front(struct latent_store *store, int64_t begin, struct rl_error *err) {
    struct parts_list *list = &store->latents;
    if (!list->count || list->parts[0].first <= begin) return RL_OK;
    struct part part = {.first = begin, .end = list->parts[0].first};
    enum rl_status status = write_part(store, list->version, false, &part, err);
    if (status == RL_OK) list_insert(list, 0, part);
    return status;
}

static void remove_abandoned(const struct latent_store *store);

enum rl_status latent_store_save(struct latent_store *store, struct latent_store_state *state,
                                 struct rl_error *err) {
    *state = (struct latent_store_state){0};
    int64_t begin = replay_begin(store->replay), end = replay_end(store->replay);
    enum rl_status status = file_make_dirs(store->dir, err);
    if (status == RL_OK) follow_commit(store);
    if (status == RL_OK) remove_abandoned(store);
    if (status == RL_OK) status = spill(store, true, err);
    struct parts_list *list = &store->latents;
    if (status != RL_OK || list->version == 0) return status;
    if (list_end(list) < begin) list_clear(list, list->version);
    status = write_front(store, begin, err);
    int64_t from = list->count ? list_end(list) : begin;
    if (status == RL_OK) status = extend(store, list, false, from, end, true, err);
    if (status != RL_OK) return status;
    state->latents = list_chain(list, begin);
    if (store->publisher->active) state->next = list_chain(&store->next, begin);
    return RL_OK;
}

// --- the folder ---

struct name {
    int64_t version, first;
};

static int by_place(const void *a, const void *b) {
    const struct name *x = a, *y = b;
    if (x->version != y->version) return x->version < y->version ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

// Files of latents in the folder, sorted; mem_free.
static struct name *list_files(const struct latent_store *store, size_t *count) {
    struct name *names = NULL;
    size_t room = 0;
    *count = 0;
    DIR *dir = opendir(store->dir);
    for (struct dirent *item; dir && (item = readdir(dir));) {
        long long version, first;
        char again[96];
        if (sscanf(item->d_name, "latents-%lld-%lld.bin", &version, &first) != 2) continue;
        snprintf(again, sizeof again, "latents-%lld-%lld.bin", version, first);
        if (strcmp(again, item->d_name) != 0) continue;
        if (*count == room) {
            names = mem_grow(names, room * sizeof *names, (room + 256) * sizeof *names);
            room += 256;
        }
        names[(*count)++] = (struct name){version, first};
    }
    if (dir) closedir(dir);
    if (*count) qsort(names, *count, sizeof *names, by_place);
    return names;
}

static void remove_file(const struct latent_store *store, struct name name) {
    char path[4096];
    path_of(store, name.version, name.first, path);
    unlink(path);
}

// What a run wrote that was later resumed from before it.
static void remove_abandoned(const struct latent_store *store) {
    size_t count;
    struct name *names = list_files(store, &count);
    for (size_t i = 0; i < count; i++) {
        int64_t version = names[i].version, first = names[i].first;
        const struct parts_list *list = version == store->latents.version ? &store->latents
                                        : version == store->next.version  ? &store->next
                                                                          : NULL;
        bool later = version > store->snapshot->version;
        if (list ? first >= list_end(list) : later) remove_file(store, names[i]);
    }
    mem_free(names);
}

void latent_store_prune(struct latent_store *store, int64_t version, int64_t begin) {
    size_t count;
    struct name *names = list_files(store, &count);
    for (size_t i = 0; i < count; i++) {
        // Files of a version follow one another: each ends where the next one begins, or before.
        bool followed = i + 1 < count && names[i + 1].version == names[i].version;
        bool behind = followed && names[i + 1].first <= begin;
        if (names[i].version < version || behind) remove_file(store, names[i]);
    }
    mem_free(names);
}

// --- reading ---

struct source {
    const char *path;
    struct bytes file;
    struct header header;
    struct part part;
};

static enum rl_status torn(const struct source *source, const char *why, struct rl_error *err) {
    return rl_fail(err, RL_EFORMAT, "%s: %s", source->path, why);
}

static enum rl_status open_source(struct source *source, const struct latent_store *store,
                                  int64_t version, struct rl_error *err) {
    size_t limit = sizeof source->header + sizeof(uint64_t) + PART_ENTRIES * row_bytes(store, true);
    enum rl_status status = file_read(source->path, limit, &source->file, err);
    if (status == RL_ENOTFOUND) return torn(source, "is missing", err);
    if (status != RL_OK) return status;
    const struct bytes *file = &source->file;
    struct header *header = &source->header;
    if (file->size < sizeof *header + sizeof(uint64_t)) return torn(source, "cut short", err);
    size_t body = file->size - sizeof(uint64_t);
    memcpy(&source->part.checksum, file->data + body, sizeof(uint64_t));
    if (XXH3_64bits(file->data, body) != source->part.checksum)
        return torn(source, "torn or altered (its checksum differs)", err);
    memcpy(header, file->data, sizeof *header);
    if (memcmp(header->magic, MAGIC, sizeof header->magic) != 0)
        return torn(source, "not latents of this version", err);
    if (header->version != version || header->first != source->part.first || header->count < 1 ||
        header->count > PART_ENTRIES || header->raw > 1 || header->zero != 0 ||
        header->row_bytes != row_bytes(store, header->raw) ||
        body != sizeof *header + (size_t)header->count * header->row_bytes)
        return torn(source, "its header makes no sense, or is another run's", err);
    source->part.end = source->part.first + header->count;
    return RL_OK;
}

struct restoring {
    const struct latent_store *store;
    const struct source *source;
    int64_t begin, end; // of the entries that are wanted
    bool into_publisher;
    atomic_bool bad;
};

// False for numbers that are not finite. The snapshot's scratch has room for two rows.
static bool restore_row(struct restoring *work, const struct snapshot *snapshot, int64_t entry) {
    bool finite = true;
    const struct latent_store *store = work->store;
    const struct header *header = &work->source->header;
    const unsigned char *row = work->source->file.data + sizeof *header +
                               (size_t)(entry - header->first) * header->row_bytes;
    float *out = replay_latent(store->replay, entry);
    real *raw = work->into_publisher ? publisher_row(store->publisher, store->replay, entry)
                                     : snapshot->scratch + snapshot->dim;
    if (header->raw) {
        memcpy(raw, row, header->row_bytes);
        for (int i = 0; i < snapshot->dim; i++) finite = finite && isfinite(raw[i]);
    }
    if (work->into_publisher) return finite;
    if (header->raw) {
        snapshot_finish_rows(snapshot, NULL, 1, raw);
        for (int i = 0; i < snapshot->dim; i++) out[i] = (float)raw[i];
    } else {
        memcpy(out, row, header->row_bytes);
    }
    for (int i = 0; i < snapshot->dim; i++) finite = finite && isfinite(out[i]);
    return finite;
}

static void restore_task(void *context, int task) {
    struct restoring *work = context;
    struct snapshot snapshot = *work->store->snapshot; // with a scratch of its own
    snapshot.scratch = MEM_ARRAY(real, 2 * snapshot.dim);
    int64_t from = work->begin + (int64_t)task * TASK_ROWS, to = from + TASK_ROWS;
    for (int64_t entry = from; entry < to && entry < work->end; entry++) {
        if (!restore_row(work, &snapshot, entry)) atomic_store(&work->bad, true);
    }
    mem_free(snapshot.scratch);
}

static enum rl_status load_part(struct latent_store *store, struct parts_list *list, int64_t first,
                                struct pool *pool, struct rl_error *err) {
    char path[4096];
    path_of(store, list->version, first, path);
    struct source source = {.path = path, .part.first = first};
    enum rl_status status = open_source(&source, store, list->version, err);
    if (status == RL_OK) {
        int64_t oldest = replay_begin(store->replay);
        struct restoring work = {.store = store,
                                 .source = &source,
                                 .begin = first > oldest ? first : oldest,
                                 .end = source.part.end,
                                 .into_publisher = list == &store->next};
        if (work.into_publisher && !source.header.raw) {
            status = torn(&source, "holds no raw rows", err);
        } else if (work.end > replay_end(store->replay)) {
            status = torn(&source, "goes on beyond the replay", err);
        } else if (work.begin < work.end) {
            pool_run(pool, (int)((work.end - work.begin + TASK_ROWS - 1) / TASK_ROWS), restore_task,
                     &work);
            if (work.bad) status = torn(&source, "holds numbers that are not finite", err);
        }
        if (status == RL_OK) list_insert(list, list->count, source.part);
    }
    mem_free(source.file.data);
    return status;
}

static enum rl_status load_chain(struct latent_store *store, struct parts_list *list,
                                 const struct latent_chain *chain, struct pool *pool,
                                 struct rl_error *err) {
    list_clear(list, chain->version);
    enum rl_status status = RL_OK;
    for (int64_t at = chain->first; at < chain->end && status == RL_OK; at = list_end(list)) {
        status = load_part(store, list, at, pool, err);
    }
    if (status != RL_OK) return status;
    struct latent_chain found = list_chain(list, 0);
    bool same = list->count == 0 ? chain->first == chain->end
                                 : found.end == chain->end && found.checksum == chain->checksum;
    if (same) return RL_OK;
    return rl_fail(err, RL_EFORMAT, "%s: holds other latents than the checkpoint was saved with",
                   store->dir);
}

// Whether the chains are what the loaded snapshot, publisher and replay need.
static bool is_complete(const struct latent_store *store, const struct latent_store_state *state) {
    const struct publisher *publisher = store->publisher;
    int64_t version = store->snapshot->version, begin = replay_begin(store->replay);
    const struct latent_chain *latents = &state->latents, *next = &state->next;
    if (version > 0 && (latents->version != version || latents->first > begin ||
                        latents->end != replay_end(store->replay)))
        return false;
    if (!publisher->active) return true;
    int64_t needed = publisher->begin > begin ? publisher->begin : begin;
    return next->version == version + 1 &&
           (publisher->next <= needed || (next->first <= needed && next->end == publisher->next));
}

enum rl_status latent_store_load(struct latent_store *store, const struct latent_store_state *state,
                                 struct pool *pool, struct rl_error *err) {
    list_clear(&store->latents, 0);
    list_clear(&store->next, 0);
    if (!is_complete(store, state)) {
        return rl_fail(err, RL_EFORMAT, "%s: the checkpoint's state of the latents makes no sense",
                       store->dir);
    }
    enum rl_status status = RL_OK;
    if (store->snapshot->version > 0)
        status = load_chain(store, &store->latents, &state->latents, pool, err);
    if (status == RL_OK && store->publisher->active)
        status = load_chain(store, &store->next, &state->next, pool, err);
    return status;
}
