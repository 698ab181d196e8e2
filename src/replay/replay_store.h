// A replay on disk, grown by what is new. Each save writes the entries since the one before as
// segment files DIR/seg-<first entry>.bin: flags, rewards, discounts, actions and observations as
// columns, frames as in a compressed replay, a checksum (XXH3) at the end; little-endian. Latents
// are not kept: whoever encodes does so again. Which segments make up a replay is a small state
// that the checkpoint keeps; the checkpoint must be written after the save returned, and older
// segments go (replay_store_prune) after it is durable. So whenever the process dies, the state in
// the newest whole checkpoint finds its segments.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "replay/replay.h"

struct replay_store_state { // all zero: an empty replay
    int64_t begin, end;     // entries
    int64_t first_segment;  // first entry of the oldest segment that is needed
    uint64_t checksum;      // over the needed segments' checksums
};

struct replay_store; // opaque

// The folder is made when the first segment is written.
struct replay_store *replay_store_create(const char *dir);
void replay_store_destroy(struct replay_store *store);

// Writes what is new, durably, and fills *state. Segments of an abandoned future (a run resumed
// from before them) are removed. After a failure the replay is whole and a later save tries again.
RL_CHECKED enum rl_status replay_store_save(struct replay_store *store, const struct replay *replay,
                                            struct replay_store_state *state, struct rl_error *err);

// Fills a replay of the same dimensions, in place of what it held; its capacity and compression may
// differ. Afterwards
// saves go on from there. RL_EFORMAT names the file that is torn, missing, foreign or of other
// dimensions; the replay is then empty.
RL_CHECKED enum rl_status replay_store_load(struct replay_store *store,
                                            const struct replay_store_state *state,
                                            struct replay *replay, struct pool *pool,
                                            struct rl_error *err);

// Removes segments that hold only entries before oldest_needed: the smallest `begin` of the states
// in the checkpoints that are kept. Best effort; a file that will not go is left.
void replay_store_prune(struct replay_store *store, int64_t oldest_needed);
