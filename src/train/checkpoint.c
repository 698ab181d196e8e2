#include "train/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define MAGIC                 "RLRUNCKP"
#define MAGIC_END             "RLRUNEND"
#define VERSION               1u
#define CHUNK_BYTES           (1u << 20)
#define DIRECTORY_LIMIT_BYTES (64u << 20)
#define NAME_LIMIT_BYTES      512u

struct header {
    char magic[8];
    uint32_t version, unused;
    int64_t step;
};

struct trailer {
    uint64_t directory_offset, directory_bytes, n_records, hash;
    char magic[8];
};

// What precedes each name (which ends with a 0) in the directory.
struct record_head {
    uint64_t size, hash;
    uint32_t name_bytes, unused;
};

// --- saving ---

struct saver {
    struct state_visitor visitor; // first: the callback gets its address
    struct file_writer writer;
    struct text directory, names; // names: for the check that none comes twice
    uint64_t offset, n_records;
};

static void check_unique(struct saver *saver, const char *name) {
    size_t size = strlen(name) + 1;
    RL_ASSERT(size > 1 && size <= NAME_LIMIT_BYTES);
    for (size_t at = 0; at < saver->names.length; at += strlen(saver->names.data + at) + 1) {
        if (!strcmp(saver->names.data + at, name))
            rl_abort(__FILE__, __LINE__, "checkpoint: two records are named '%s'", name);
    }
    text_add_bytes(&saver->names, name, size);
}

static void save_bytes(struct state_visitor *visitor, const char *name, void *data, size_t size) {
    struct saver *saver = (struct saver *)visitor;
    check_unique(saver, name);
    struct record_head head = {
        .size = size,
        .hash = XXH3_64bits(data, size),
        .name_bytes = (uint32_t)strlen(name) + 1,
    };
    text_add_bytes(&saver->directory, (const char *)&head, sizeof head);
    text_add_bytes(&saver->directory, name, head.name_bytes);
    file_writer_add(&saver->writer, data, size);
    saver->offset += size;
    saver->n_records++;
}

static uint64_t index_hash(const struct header *header, const char *directory,
                           const struct trailer *trailer) {
    XXH3_state_t *state = XXH3_createState();
    RL_ASSERT(state);
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, header, sizeof *header);
    XXH3_64bits_update(state, directory, trailer->directory_bytes);
    XXH3_64bits_update(state, trailer, offsetof(struct trailer, hash));
    uint64_t hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

static enum rl_status write_file(const char *path, int64_t step, checkpoint_visit_fn visit,
                                 void *object, struct rl_error *err) {
    struct saver *saver = MEM_NEW(struct saver);
    saver->visitor.bytes = save_bytes;
    enum rl_status status = file_writer_open(&saver->writer, path, err);
    if (status == RL_OK) {
        struct header header = {.magic = MAGIC, .version = VERSION, .step = step};
        file_writer_add(&saver->writer, &header, sizeof header);
        saver->offset = sizeof header;
        text_add_bytes(&saver->directory, "", 0);
        visit(object, &saver->visitor);
        struct trailer trailer = {
            .directory_offset = saver->offset,
            .directory_bytes = saver->directory.length,
            .n_records = saver->n_records,
            .magic = MAGIC_END,
        };
        trailer.hash = index_hash(&header, saver->directory.data, &trailer);
        file_writer_add(&saver->writer, saver->directory.data, saver->directory.length);
        file_writer_add(&saver->writer, &trailer, sizeof trailer);
        status = file_writer_commit(&saver->writer, err);
    }
    text_release(&saver->directory);
    text_release(&saver->names);
    mem_free(saver);
    return status;
}

// --- the folder ---

struct listing {
    int64_t *step;
    size_t count, capacity;
};

static int newest_first(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

// "step-" digits ".ckpt", exactly as checkpoint_save names it.
static bool parse_name(const char *name, int64_t *step) {
    char again[64];
    if (sscanf(name, "step-%" SCNd64 ".ckpt", step) != 1 || *step < 0) return false;
    snprintf(again, sizeof again, "step-%09" PRId64 ".ckpt", *step);
    return !strcmp(again, name);
}

static void listing_read(struct listing *listing, const char *dir) {
    *listing = (struct listing){0};
    DIR *handle = opendir(dir);
    if (!handle) return;
    int64_t step;
    for (struct dirent *entry; (entry = readdir(handle));) {
        if (!parse_name(entry->d_name, &step)) continue;
        if (listing->count == listing->capacity) {
            size_t capacity = listing->capacity ? 2 * listing->capacity : 16;
            listing->step = mem_grow(listing->step, listing->capacity * sizeof *listing->step,
                                     capacity * sizeof *listing->step);
            listing->capacity = capacity;
        }
        listing->step[listing->count++] = step;
    }
    closedir(handle);
    if (listing->count) qsort(listing->step, listing->count, sizeof *listing->step, newest_first);
}

static void step_path(char path[CHECKPOINT_PATH_BYTES], const char *dir, int64_t step) {
    char name[64];
    snprintf(name, sizeof name, "step-%09" PRId64 ".ckpt", step);
    file_join(path, CHECKPOINT_PATH_BYTES, dir, name);
}

static void prune(const char *dir, int64_t newest, int keep) {
    struct listing listing;
    char path[CHECKPOINT_PATH_BYTES];
    listing_read(&listing, dir);
    int kept = 0;
    for (size_t i = 0; i < listing.count; i++) {
        bool abandoned = listing.step[i] > newest;
        if (!abandoned && (keep <= 0 || kept++ < keep)) continue;
        step_path(path, dir, listing.step[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            log_warning("cannot remove the old checkpoint %s: %s", path, strerror(errno));
    }
    mem_free(listing.step);
}

enum rl_status checkpoint_save(const char *dir, int64_t step, checkpoint_visit_fn visit,
                               void *object, int keep, struct rl_error *err) {
    RL_ASSERT(step >= 0);
    char path[CHECKPOINT_PATH_BYTES];
    enum rl_status status = file_make_dirs(dir, err);
    if (status != RL_OK) return status;
    step_path(path, dir, step);
    status = write_file(path, step, visit, object, err);
    if (status == RL_OK) prune(dir, step, keep);
    return status;
}

// --- reading ---

struct record {
    const char *name; // in the directory's bytes
    uint64_t offset, size, hash;
    bool visited;
};

struct reader {
    const char *path;
    int fd;
    uint64_t file_bytes;
    struct header header;
    struct trailer trailer;
    char *directory;
    struct record *records;
};

static enum rl_status damaged(const struct reader *reader, const char *what, struct rl_error *err) {
    return rl_fail(err, RL_EFORMAT, "%s: %s: the checkpoint is torn or damaged", reader->path,
                   what);
}

static enum rl_status read_at(const struct reader *reader, uint64_t offset, void *out, size_t size,
                              struct rl_error *err) {
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(reader->fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return rl_fail(err, RL_EIO, "cannot read %s: %s", reader->path, strerror(errno));
        if (n == 0) return damaged(reader, "ends too early", err);
        done += (size_t)n;
    }
    return RL_OK;
}

static enum rl_status open_file(struct reader *reader, struct rl_error *err) {
    struct stat info;
    reader->fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader->fd < 0) {
        enum rl_status code = errno == ENOENT ? RL_ENOTFOUND : RL_EIO;
        return rl_fail(err, code, "cannot open %s: %s", reader->path, strerror(errno));
    }
    if (fstat(reader->fd, &info) != 0)
        return rl_fail(err, RL_EIO, "cannot read %s: %s", reader->path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return rl_fail(err, RL_EIO, "cannot read %s: not a regular file", reader->path);
    reader->file_bytes = (uint64_t)info.st_size;
    if (reader->file_bytes < sizeof(struct header) + sizeof(struct trailer))
        return damaged(reader, "too short", err);
    return RL_OK;
}

// Header, trailer and directory, bounded by the file's size and checked against their hash.
static enum rl_status read_index(struct reader *reader, struct rl_error *err) {
    struct header *header = &reader->header;
    struct trailer *trailer = &reader->trailer;
    uint64_t trailer_offset = reader->file_bytes - sizeof *trailer;
    enum rl_status status = read_at(reader, 0, header, sizeof *header, err);
    if (status != RL_OK) return status;
    if (memcmp(header->magic, MAGIC, sizeof header->magic))
        return rl_fail(err, RL_EFORMAT, "%s is not a checkpoint", reader->path);
    if (header->version != VERSION)
        return rl_fail(err, RL_EFORMAT, "%s is a checkpoint of version %u; this program reads %u",
                       reader->path, header->version, VERSION);
    if ((status = read_at(reader, trailer_offset, trailer, sizeof *trailer, err)) != RL_OK)
        return status;
    if (memcmp(trailer->magic, MAGIC_END, sizeof trailer->magic))
        return damaged(reader, "no end mark", err);
    if (trailer->directory_bytes > DIRECTORY_LIMIT_BYTES ||
        trailer->directory_bytes > trailer_offset - sizeof *header ||
        trailer->directory_offset != trailer_offset - trailer->directory_bytes)
        return damaged(reader, "bad directory place", err);
    if (trailer->n_records > trailer->directory_bytes / sizeof(struct record_head))
        return damaged(reader, "bad record count", err);
    reader->directory = mem_try_alloc(trailer->directory_bytes + 1, "checkpoint directory", err);
    if (!reader->directory) return RL_ENOMEM;
    status = read_at(reader, trailer->directory_offset, reader->directory, trailer->directory_bytes,
                     err);
    if (status != RL_OK) return status;
    if (index_hash(header, reader->directory, trailer) != trailer->hash)
        return damaged(reader, "wrong directory checksum", err);
    return RL_OK;
}

// The hash has matched, so only a hostile file fails here; it must not get further either.
static enum rl_status parse_directory(struct reader *reader, struct rl_error *err) {
    const struct trailer *trailer = &reader->trailer;
    size_t bytes = mem_size(trailer->n_records + 1, sizeof *reader->records);
    reader->records = mem_try_alloc(bytes, "checkpoint directory", err);
    if (!reader->records) return RL_ENOMEM;
    uint64_t at = 0, offset = sizeof(struct header);
    for (uint64_t i = 0; i < trailer->n_records; i++) {
        struct record_head head;
        if (trailer->directory_bytes - at < sizeof head)
            return damaged(reader, "short directory", err);
        memcpy(&head, reader->directory + at, sizeof head);
        at += sizeof head;
        const char *name = reader->directory + at;
        if (head.name_bytes < 2 || head.name_bytes > NAME_LIMIT_BYTES ||
            head.name_bytes > trailer->directory_bytes - at ||
            strnlen(name, head.name_bytes) != head.name_bytes - 1)
            return damaged(reader, "bad record name", err);
        if (head.size > trailer->directory_offset - offset)
            return damaged(reader, "bad record size", err);
        reader->records[i] = (struct record){name, offset, head.size, head.hash, false};
        at += head.name_bytes;
        offset += head.size;
    }
    if (at != trailer->directory_bytes || offset != trailer->directory_offset)
        return damaged(reader, "bytes that no record owns", err);
    return RL_OK;
}

static enum rl_status verify_records(const struct reader *reader, struct rl_error *err) {
    unsigned char *chunk = mem_alloc(CHUNK_BYTES);
    XXH3_state_t *state = XXH3_createState();
    RL_ASSERT(state);
    enum rl_status status = RL_OK;
    for (uint64_t i = 0; i < reader->trailer.n_records && status == RL_OK; i++) {
        const struct record *record = &reader->records[i];
        XXH3_64bits_reset(state);
        for (uint64_t done = 0; done < record->size && status == RL_OK;) {
            uint64_t left = record->size - done;
            size_t size = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
            status = read_at(reader, record->offset + done, chunk, size, err);
            if (status == RL_OK) XXH3_64bits_update(state, chunk, size);
            done += size;
        }
        if (status == RL_OK && XXH3_64bits_digest(state) != record->hash) {
            char what[NAME_LIMIT_BYTES + 64];
            snprintf(what, sizeof what, "wrong checksum of '%s'", record->name);
            status = damaged(reader, what, err);
        }
    }
    XXH3_freeState(state);
    mem_free(chunk);
    return status;
}

static void reader_close(struct reader *reader) {
    if (reader->fd >= 0) close(reader->fd);
    mem_free(reader->directory);
    mem_free(reader->records);
}

static enum rl_status reader_open(struct reader *reader, const char *path, struct rl_error *err) {
    *reader = (struct reader){.path = path, .fd = -1};
    enum rl_status status = open_file(reader, err);
    if (status == RL_OK) status = read_index(reader, err);
    if (status == RL_OK) status = parse_directory(reader, err);
    if (status == RL_OK) status = verify_records(reader, err);
    return status;
}

// --- loading ---

struct loader {
    struct state_visitor visitor; // first: the callback gets its address
    struct reader *reader;
    uint64_t next; // records come in the order of the visit, unless the program changed
    bool write;    // false: only compare names and sizes
    enum rl_status status;
    struct rl_error *err;
};

static struct record *find_record(struct loader *loader, const char *name) {
    uint64_t count = loader->reader->trailer.n_records;
    for (uint64_t k = 0; k < count; k++) {
        struct record *record = &loader->reader->records[(loader->next + k) % count];
        if (strcmp(record->name, name)) continue;
        loader->next = (loader->next + k + 1) % count;
        return record;
    }
    return NULL;
}

static void load_bytes(struct state_visitor *visitor, const char *name, void *data, size_t size) {
    struct loader *loader = (struct loader *)visitor;
    if (loader->status != RL_OK) return;
    struct record *record = find_record(loader, name);
    if (!record) {
        loader->status = rl_fail(loader->err, RL_EFORMAT,
                                 "%s has no record '%s'; it was saved with another config.yaml, or "
                                 "by another version",
                                 loader->reader->path, name);
    } else if (record->size != size) {
        loader->status = rl_fail(loader->err, RL_EFORMAT,
                                 "%s: record '%s' has %" PRIu64 " bytes where this run needs %zu; "
                                 "it was saved with another config.yaml, or by another version",
                                 loader->reader->path, name, record->size, size);
    } else if (loader->write) {
        loader->status = read_at(loader->reader, record->offset, data, size, loader->err);
    } else {
        record->visited = true;
    }
}

static enum rl_status visit_all(struct reader *reader, checkpoint_visit_fn visit, void *object,
                                bool write, struct rl_error *err) {
    struct loader loader = {
        .visitor = {.bytes = load_bytes}, .reader = reader, .write = write, .err = err};
    visit(object, &loader.visitor);
    return loader.status;
}

static enum rl_status check_all_visited(const struct reader *reader, struct rl_error *err) {
    for (uint64_t i = 0; i < reader->trailer.n_records; i++) {
        if (reader->records[i].visited) continue;
        return rl_fail(
            err, RL_EFORMAT,
            "%s has a record '%s' that this run does not know; it was saved with another "
            "config.yaml, or by another version",
            reader->path, reader->records[i].name);
    }
    return RL_OK;
}

static enum rl_status load(const char *path, checkpoint_visit_fn visit, void *object, bool part,
                           struct rl_error *err) {
    struct reader reader;
    enum rl_status status = reader_open(&reader, path, err);
    if (status == RL_OK) status = visit_all(&reader, visit, object, false, err);
    if (status == RL_OK && !part) status = check_all_visited(&reader, err);
    if (status == RL_OK) status = visit_all(&reader, visit, object, true, err);
    reader_close(&reader);
    return status;
}

enum rl_status checkpoint_load(const char *path, checkpoint_visit_fn visit, void *object,
                               struct rl_error *err) {
    return load(path, visit, object, false, err);
}

enum rl_status checkpoint_load_part(const char *path, checkpoint_visit_fn visit, void *object,
                                    struct rl_error *err) {
    return load(path, visit, object, true, err);
}

enum rl_status checkpoint_verify(const char *path, int64_t *step, struct rl_error *err) {
    struct reader reader;
    enum rl_status status = reader_open(&reader, path, err);
    if (status == RL_OK && step) *step = reader.header.step;
    reader_close(&reader);
    return status;
}

enum rl_status checkpoint_find_before(const char *dir, int64_t before,
                                      char path[CHECKPOINT_PATH_BYTES], int64_t *step,
                                      struct rl_error *err) {
    struct listing listing;
    listing_read(&listing, dir);
    int damaged_count = 0;
    bool found = false;
    for (size_t i = 0; i < listing.count && !found; i++) {
        struct rl_error why = {0};
        if (listing.step[i] >= before) continue;
        step_path(path, dir, listing.step[i]);
        *step = listing.step[i];
        found = checkpoint_verify(path, NULL, &why) == RL_OK;
        if (found) continue;
        damaged_count++;
        log_warning("skipping a checkpoint: %s", why.message);
    }
    mem_free(listing.step);
    if (found) return RL_OK;
    if (damaged_count)
        return rl_fail(err, RL_ENOTFOUND, "none of the %d checkpoints in %s is whole",
                       damaged_count, dir);
    return rl_fail(err, RL_ENOTFOUND, "no checkpoint in %s", dir);
}

enum rl_status checkpoint_find_latest(const char *dir, char path[CHECKPOINT_PATH_BYTES],
                                      struct rl_error *err) {
    int64_t step;
    return checkpoint_find_before(dir, INT64_MAX, path, &step, err);
}
