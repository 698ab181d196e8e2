#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"
#include "replay/frame_codec.h"
#include "replay/segment.h"
#include "replay/segment_format.h"

struct sink {
    struct file_writer file;
    XXH3_state_t *hash;
};

static void put(struct sink *sink, const void *data, size_t size) {
    XXH3_64bits_update(sink->hash, data, size);
    file_writer_add(&sink->file, data, size);
}

// What the entry before keeps in a column (the step that led here), or zero when it is gone.
static const void *led_here(const struct replay *replay, int64_t entry, const void *column,
                            size_t each_bytes, const void *zero) {
    if (entry <= replay_oldest_stored(replay)) return zero;
    return (const char *)column + replay_slot(replay, entry - 1) * each_bytes;
}

static void put_columns(struct sink *sink, const struct replay *replay,
                        const struct segment *segment, bool has_action) {
    size_t action_bytes = (size_t)replay->spec.action_dim * sizeof(float);
    size_t obs_bytes = (size_t)replay->spec.obs_dim * sizeof(float);
    size_t zero_bytes = action_bytes > sizeof(double) ? action_bytes : sizeof(double);
    void *zero = mem_alloc(zero_bytes);
    for (int64_t e = segment->first; e < segment->end; e++) {
        put(sink, &replay->flags[replay_slot(replay, e)], 1);
    }
    const struct {
        const void *data;
        size_t each_bytes;
    } columns[] = {{replay->rewards, sizeof(double)},
                   {replay->discounts, sizeof(double)},
                   {replay->actions, action_bytes}};
    for (int c = 0; c < 3; c++) {
        for (int64_t e = segment->first; e < segment->end; e++) {
            put(sink, led_here(replay, e, columns[c].data, columns[c].each_bytes, zero),
                columns[c].each_bytes);
        }
    }
    for (int64_t e = segment->first; e < segment->end; e++) {
        put(sink, replay->obs + replay_slot(replay, e) * (size_t)replay->spec.obs_dim, obs_bytes);
    }
    const float *newest = replay_action(replay, segment->end - 1);
    put(sink, has_action ? (const void *)newest : zero, action_bytes);
    mem_free(zero);
}

static void put_frame(struct sink *sink, const void *bytes, size_t size, bool is_key) {
    uint32_t word = (uint32_t)size | (is_key ? SEGMENT_KEY : 0);
    put(sink, &word, sizeof(word));
    put(sink, bytes, size);
}

// A compressed replay's codes go out as they are, where their key frame lies in the segment too.
static void put_frames(struct sink *sink, const struct replay *replay,
                       const struct segment *segment) {
    const struct frame_store *frames = &replay->frames;
    size_t bytes = frames->frame_bytes;
    uint8_t *key = mem_alloc(bytes), *frame = mem_alloc(bytes), *scratch = mem_alloc(bytes);
    uint8_t *out = mem_alloc(frame_codec_bound(bytes));
    for (int64_t e = segment->first; e < segment->end; e++) {
        bool starts = e == segment->first || e % FRAME_GROUP == 0;
        if (frames->compress && e - e % FRAME_GROUP >= segment->first) {
            struct frame_code code = frame_store_code(frames, e);
            put_frame(sink, code.bytes, code.size, code.is_key);
            continue;
        }
        frame_store_get(frames, e, starts ? key : frame);
        if (starts) {
            put_frame(sink, key, bytes, true);
        } else {
            put_frame(sink, out, frame_codec_encode(frame, key, bytes, scratch, out), false);
        }
    }
    mem_free(key);
    mem_free(frame);
    mem_free(scratch);
    mem_free(out);
}

enum rl_status segment_write(const char *path, const struct replay *replay, struct segment *segment,
                             struct rl_error *err) {
    const struct replay_spec *spec = &replay->spec;
    RL_ASSERT(segment->end - segment->first <= SEGMENT_ENTRIES);
    bool has_action = segment->end == replay_end(replay) && replay->has_action;
    struct segment_header header = {.magic = SEGMENT_MAGIC,
                                    .first = segment->first,
                                    .count = (uint32_t)(segment->end - segment->first),
                                    .frame_bytes = (uint32_t)replay->frames.frame_bytes,
                                    .obs_dim = (uint32_t)spec->obs_dim,
                                    .action_dim = (uint32_t)spec->action_dim,
                                    .has_action = has_action};
    struct sink sink;
    enum rl_status status = file_writer_open(&sink.file, path, err);
    if (status != RL_OK) return status;
    sink.hash = XXH3_createState();
    if (!sink.hash) rl_abort(__FILE__, __LINE__, "out of memory");
    XXH3_64bits_reset(sink.hash);
    put(&sink, &header, sizeof(header));
    put_columns(&sink, replay, segment, has_action);
    if (replay->frames.frame_bytes) put_frames(&sink, replay, segment);
    segment->checksum = XXH3_64bits_digest(sink.hash);
    file_writer_add(&sink.file, &segment->checksum, sizeof(segment->checksum));
    XXH3_freeState(sink.hash);
    return file_writer_commit(&sink.file, err);
}
