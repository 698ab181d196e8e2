// One segment file of a replay_store, written and read.
#pragma once

#include "base/pool.h"
#include "replay/replay_parts.h"

enum { SEGMENT_ENTRIES = 8192 }; // at most in one file

struct segment {
    int64_t first, end; // entries
    uint64_t checksum;  // of the file
};

// Writes entries [segment->first, segment->end) to path, atomically; fills the checksum.
RL_CHECKED enum rl_status segment_write(const char *path, const struct replay *replay,
                                        struct segment *segment, struct rl_error *err);

// Reads files in a row into the columns of a replay, whose `end` the caller sets.
struct segment_reader; // opaque
enum { SEGMENTS_AT_ONCE = 8 };

// Entries from keep_from on are put into the replay. All is borrowed.
struct segment_reader *segment_reader_create(struct replay *replay, int64_t keep_from,
                                             struct pool *pool);
void segment_reader_destroy(struct segment_reader *reader);

struct segment_file {
    char path[4096];
    struct segment segment; // first is given; end and checksum are filled
    enum rl_status status;
    struct rl_error err; // the code is RL_EFORMAT for what is torn, missing, of other dimensions
};

// Opens and verifies up to SEGMENTS_AT_ONCE files at the same time; each has its own outcome.
void segment_reader_open(struct segment_reader *reader, struct segment_file *files, int count);
// Puts those of the opened files that `wanted` names, in order, each going on where the one before
// ended.
RL_CHECKED enum rl_status segment_reader_put(struct segment_reader *reader, const bool *wanted,
                                             struct rl_error *err);
