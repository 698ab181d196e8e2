#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"
#include "replay/frame_codec.h"
#include "replay/segment.h"
#include "replay/segment_format.h"

// A file in memory whose checksum is right and whose columns and frames lie within it.
struct source {
    const char *path;
    struct bytes file;
    size_t room; // of file.data
    struct segment_header header;
    const unsigned char *flags, *rewards, *discounts, *actions, *obs, *newest_action;
    struct frame_code *codes; // (SEGMENT_ENTRIES)
};

static enum rl_status torn(const struct source *source, const char *why, struct rl_error *err) {
    return rl_fail(err, RL_EFORMAT, "%s: %s; resume from an older checkpoint", source->path, why);
}

static size_t largest_file(const struct replay *replay) {
    const struct replay_spec *spec = &replay->spec;
    size_t floats = (size_t)spec->obs_dim + (size_t)spec->action_dim;
    size_t frame = replay->frames.frame_bytes ? frame_codec_bound(replay->frames.frame_bytes) : 0;
    size_t each = frame + sizeof(uint32_t) + 1 + 2 * sizeof(double) + floats * sizeof(float);
    return sizeof(struct segment_header) + sizeof(uint64_t) + (SEGMENT_ENTRIES + 1) * each;
}

static enum rl_status check_header(const struct source *source, const struct replay *replay,
                                   int64_t first, struct rl_error *err) {
    const struct segment_header *header = &source->header;
    const struct replay_spec *spec = &replay->spec;
    if (memcmp(header->magic, SEGMENT_MAGIC, sizeof(header->magic)) != 0) {
        return torn(source, "not a replay segment of this version", err);
    }
    if (header->first != first || header->count < 1 || header->count > SEGMENT_ENTRIES ||
        header->has_action > 1 || header->zero != 0) {
        return torn(source, "its header makes no sense", err);
    }
    if (header->frame_bytes != replay->frames.frame_bytes ||
        header->obs_dim != (uint32_t)spec->obs_dim ||
        header->action_dim != (uint32_t)spec->action_dim) {
        return rl_fail(err, RL_EFORMAT,
                       "%s: frames of %u bytes, observations of %u, actions of %u; this run has "
                       "%zu, %d, %d",
                       source->path, header->frame_bytes, header->obs_dim, header->action_dim,
                       replay->frames.frame_bytes, spec->obs_dim, spec->action_dim);
    }
    return RL_OK;
}

// The next `size` bytes, or NULL past the end.
static const unsigned char *take(const struct source *source, size_t *at, size_t size) {
    size_t body = source->file.size - sizeof(uint64_t);
    if (size > body - *at) return NULL;
    const unsigned char *data = source->file.data + *at;
    *at += size;
    return data;
}

static bool find_columns(struct source *source, size_t *at) {
    const struct segment_header *header = &source->header;
    size_t count = header->count, action_bytes = header->action_dim * sizeof(float);
    source->flags = take(source, at, count);
    source->rewards = take(source, at, count * sizeof(double));
    source->discounts = take(source, at, count * sizeof(double));
    source->actions = take(source, at, count * action_bytes);
    source->obs = take(source, at, count * header->obs_dim * sizeof(float));
    source->newest_action = take(source, at, action_bytes);
    return source->flags && source->rewards && source->discounts && source->actions &&
           source->obs && source->newest_action;
}

static bool find_frames(struct source *source, size_t *at) {
    const struct segment_header *header = &source->header;
    for (uint32_t i = 0; header->frame_bytes && i < header->count; i++) {
        uint32_t word;
        const unsigned char *size = take(source, at, sizeof(word));
        if (!size) return false;
        memcpy(&word, size, sizeof(word));
        struct frame_code *code = &source->codes[i];
        code->is_key = word & SEGMENT_KEY;
        code->size = word & ~SEGMENT_KEY;
        code->bytes = take(source, at, code->size);
        bool must_be_key = i == 0 || (header->first + i) % FRAME_GROUP == 0;
        if (!code->bytes || code->is_key != must_be_key) return false;
        if (code->is_key ? code->size != header->frame_bytes
                         : code->size > frame_codec_bound(header->frame_bytes)) {
            return false;
        }
    }
    return true;
}

static bool all_finite(const unsigned char *data, size_t count, size_t each_bytes) {
    for (size_t i = 0; i < count; i++) {
        double wide;
        float narrow;
        if (each_bytes == sizeof(double)) {
            memcpy(&wide, data + i * each_bytes, each_bytes);
        } else {
            memcpy(&narrow, data + i * each_bytes, each_bytes);
            wide = narrow;
        }
        if (!isfinite(wide)) return false;
    }
    return true;
}

static enum rl_status check_columns(const struct source *source, struct rl_error *err) {
    size_t count = source->header.count;
    for (size_t i = 0; i < count; i++) {
        bool follows_last = i > 0 && (source->flags[i - 1] & REPLAY_LAST);
        if (source->flags[i] & ~(REPLAY_FIRST | REPLAY_LAST) ||
            (follows_last && !(source->flags[i] & REPLAY_FIRST))) {
            return torn(source, "its episodes make no sense", err);
        }
    }
    if (source->header.has_action && (source->flags[count - 1] & REPLAY_LAST)) {
        return torn(source, "an action after the end of an episode", err);
    }
    if (!all_finite(source->rewards, count, sizeof(double)) ||
        !all_finite(source->discounts, count, sizeof(double)) ||
        !all_finite(source->actions, count * source->header.action_dim, sizeof(float)) ||
        !all_finite(source->newest_action, source->header.action_dim, sizeof(float)) ||
        !all_finite(source->obs, count * source->header.obs_dim, sizeof(float))) {
        return torn(source, "holds numbers that are not finite", err);
    }
    return RL_OK;
}

static enum rl_status open_source(struct source *source, const struct replay *replay,
                                  struct segment *segment, struct rl_error *err) {
    enum rl_status status =
        file_read_again(source->path, largest_file(replay), &source->file, &source->room, err);
    if (status == RL_ENOTFOUND) return torn(source, "is missing", err);
    if (status != RL_OK) return status;
    const struct bytes *file = &source->file;
    if (file->size < sizeof(source->header) + sizeof(uint64_t)) {
        return torn(source, "cut short", err);
    }
    size_t body = file->size - sizeof(uint64_t), at = sizeof(source->header);
    memcpy(&segment->checksum, file->data + body, sizeof(segment->checksum));
    if (XXH3_64bits(file->data, body) != segment->checksum) {
        return torn(source, "torn or altered (its checksum differs)", err);
    }
    memcpy(&source->header, file->data, sizeof(source->header));
    status = check_header(source, replay, segment->first, err);
    if (status != RL_OK) return status;
    if (!find_columns(source, &at) || !find_frames(source, &at) || at != body) {
        return torn(source, "its parts do not add up to its size", err);
    }
    segment->end = segment->first + source->header.count;
    return check_columns(source, err);
}

static void put_columns(const struct source *source, struct replay *replay, int64_t keep_from) {
    const struct segment_header *header = &source->header;
    size_t action_dim = header->action_dim, obs_dim = header->obs_dim;
    size_t action_bytes = action_dim * sizeof(float), obs_bytes = obs_dim * sizeof(float);
    for (size_t i = 0; i < header->count; i++) {
        int64_t entry = header->first + (int64_t)i;
        if (entry < keep_from) continue;
        size_t slot = (size_t)(entry % replay->slots);
        replay->flags[slot] = source->flags[i];
        memcpy(replay->obs + slot * obs_dim, source->obs + i * obs_bytes, obs_bytes);
        if (entry == keep_from) continue; // the step that led to it is an entry that is gone
        size_t before = (size_t)((entry - 1) % replay->slots);
        memcpy(&replay->rewards[before], source->rewards + i * sizeof(double), sizeof(double));
        memcpy(&replay->discounts[before], source->discounts + i * sizeof(double), sizeof(double));
        memcpy(replay->actions + before * action_dim, source->actions + i * action_bytes,
               action_bytes);
    }
    size_t newest = (size_t)((header->first + header->count - 1) % replay->slots);
    memcpy(replay->actions + newest * action_dim, source->newest_action, action_bytes);
    replay->has_action = header->has_action;
}

struct segment_reader {
    struct replay *replay;
    int64_t keep_from;
    struct pool *pool;
    struct source sources[SEGMENTS_AT_ONCE];
    struct segment_file *files; // of the last open
    int n_files;
    int first_group[SEGMENTS_AT_ONCE + 1]; // tasks of each source in the parallel part of a put
    atomic_bool bad[SEGMENTS_AT_ONCE];
};

// Decodes one frame to out; codes lead with their key, so `key` is that of the group.
static bool unpack_frame(const struct source *source, int64_t index, int64_t key, uint8_t *out) {
    const struct frame_code *code = &source->codes[index];
    size_t frame_bytes = source->header.frame_bytes;
    if (!code->is_key) {
        return frame_codec_decode(code->bytes, code->size, source->codes[key].bytes, frame_bytes,
                                  out);
    }
    memcpy(out, code->bytes, frame_bytes);
    return true;
}

// Entries of one group that the segment holds and the replay keeps.
struct part {
    int64_t begin, end, key; // indices into codes
    bool whole;
};

static struct part part_of(const struct source *source, int64_t keep_from, int task) {
    const struct segment_header *header = &source->header;
    int64_t group = header->first / FRAME_GROUP + task;
    int64_t begin = group * FRAME_GROUP, end = begin + FRAME_GROUP;
    int64_t key = begin > header->first ? begin : header->first;
    int64_t from = key > keep_from ? key : keep_from;
    int64_t last = header->first + header->count;
    return (struct part){.begin = from - header->first,
                         .end = (end < last ? end : last) - header->first,
                         .key = key - header->first,
                         .whole = from == begin && end <= last};
}

static bool unpack_plain(const struct source *source, struct replay *replay, struct part part) {
    for (int64_t i = part.begin; i < part.end; i++) {
        uint8_t *out = frame_store_room(&replay->frames, source->header.first + i);
        if (!unpack_frame(source, i, part.key, out)) return false;
    }
    return true;
}

// Takes over a whole group's codes; each is decoded once to know that it can be.
static bool take_group(const struct source *source, struct replay *replay, struct part part) {
    uint8_t frame[FRAME_COMPRESSED_MAX];
    for (int64_t i = part.begin; i < part.end; i++) {
        const struct frame_code *code = &source->codes[i];
        bool fine = code->is_key ||
                    frame_codec_check(code->bytes, code->size, source->header.frame_bytes, frame);
        if (!fine) return false;
    }
    int64_t group = (source->header.first + part.begin) / FRAME_GROUP;
    frame_store_put_group(&replay->frames, group, source->codes + part.begin);
    return true;
}

static void unpack_task(void *context, int task) {
    struct segment_reader *reader = context;
    int s = 0;
    while (task >= reader->first_group[s + 1]) s++;
    const struct source *source = &reader->sources[s];
    struct part part = part_of(source, reader->keep_from, task - reader->first_group[s]);
    if (part.begin >= part.end) return;
    bool fine = true;
    if (!reader->replay->spec.compress) {
        fine = unpack_plain(source, reader->replay, part);
    } else if (part.whole) {
        fine = take_group(source, reader->replay, part);
    }
    if (!fine) atomic_store(&reader->bad[s], true);
}

// Groups that the segment holds in part join what is already in the replay, in order.
static bool repack(const struct source *source, struct segment_reader *reader, struct part part) {
    uint8_t frame[FRAME_COMPRESSED_MAX];
    struct frame_store *frames = &reader->replay->frames;
    int64_t entry = source->header.first + part.begin;
    frame_store_continue(frames, entry > reader->keep_from ? entry : -1);
    for (int64_t i = part.begin; i < part.end; i++, entry++) {
        if (!unpack_frame(source, i, part.key, frame)) return false;
        frame_store_put(frames, entry, frame);
    }
    return true;
}

static int group_count(const struct segment_header *header) {
    int64_t last = header->first + header->count - 1;
    return (int)(last / FRAME_GROUP - header->first / FRAME_GROUP) + 1;
}

static bool repack_all(struct segment_reader *reader, int s) {
    const struct source *source = &reader->sources[s];
    for (int g = 0; g < group_count(&source->header); g++) {
        struct part part = part_of(source, reader->keep_from, g);
        if (part.begin < part.end && !part.whole && !repack(source, reader, part)) return false;
    }
    frame_store_continue(&reader->replay->frames, source->header.first + source->header.count);
    return true;
}

static void open_task(void *context, int task) {
    struct segment_reader *reader = context;
    struct segment_file *file = &reader->files[task];
    struct source *source = &reader->sources[task];
    source->path = file->path;
    if (!source->codes) source->codes = MEM_ARRAY(struct frame_code, SEGMENT_ENTRIES);
    file->err = (struct rl_error){0};
    file->status = open_source(source, reader->replay, &file->segment, &file->err);
}

void segment_reader_open(struct segment_reader *reader, struct segment_file *files, int count) {
    RL_ASSERT(count >= 0 && count <= SEGMENTS_AT_ONCE);
    reader->files = files;
    reader->n_files = count;
    pool_run(reader->pool, count, open_task, reader);
}

enum rl_status segment_reader_put(struct segment_reader *reader, const bool *wanted,
                                  struct rl_error *err) {
    const struct replay *replay = reader->replay;
    bool uses[SEGMENTS_AT_ONCE];
    for (int s = 0; s < reader->n_files; s++) {
        const struct segment *segment = &reader->files[s].segment;
        uses[s] = wanted[s] && segment->end > reader->keep_from;
        RL_ASSERT(!wanted[s] || reader->files[s].status == RL_OK);
        if (uses[s]) put_columns(&reader->sources[s], reader->replay, reader->keep_from);
        bool frames = uses[s] && replay->frames.frame_bytes;
        reader->first_group[s + 1] =
            reader->first_group[s] + (frames ? group_count(&reader->sources[s].header) : 0);
        atomic_store(&reader->bad[s], false);
    }
    pool_run(reader->pool, reader->first_group[reader->n_files], unpack_task, reader);
    for (int s = 0; s < reader->n_files; s++) {
        bool packed = uses[s] && replay->spec.compress && replay->frames.frame_bytes;
        if (packed && !reader->bad[s] && !repack_all(reader, s)) reader->bad[s] = true;
        if (reader->bad[s]) return torn(&reader->sources[s], "a frame cannot be decoded", err);
    }
    return RL_OK;
}

struct segment_reader *segment_reader_create(struct replay *replay, int64_t keep_from,
                                             struct pool *pool) {
    struct segment_reader *reader = MEM_NEW(struct segment_reader);
    reader->replay = replay;
    reader->keep_from = keep_from;
    reader->pool = pool;
    return reader;
}

void segment_reader_destroy(struct segment_reader *reader) {
    for (int s = 0; s < SEGMENTS_AT_ONCE; s++) {
        mem_free(reader->sources[s].codes);
        mem_free(reader->sources[s].file.data);
    }
    mem_free(reader);
}
