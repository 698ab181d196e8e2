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

// Reads the segment that begins at segment->first and puts its entries from keep_from on into the
// replay's columns, whose `end` the caller sets; fills end and checksum.
RL_CHECKED enum rl_status segment_read(const char *path, struct replay *replay, int64_t keep_from,
                                       struct segment *segment, struct pool *pool,
                                       struct rl_error *err);
