// The inside of a replay, for replay.c and replay_store.c only.
#pragma once

#include <stdatomic.h>

#include "replay/frame_store.h"
#include "replay/interleave.h"
#include "replay/replay.h"

enum { REPLAY_FIRST = 1, REPLAY_LAST = 2 }; // flags of an entry

// Columns of one ring; entry e lies in slot e % slots of each. The ring has `reserve` slots more
// than the capacity, so that the writer's next entries fall outside every window, and the frames of
// the oldest entry's stack.
struct replay {
    struct replay_spec spec;
    int64_t slots;
    struct frame_store frames;
    struct interleave interleave; // of a stack
    float *obs;                   // (slots, obs_dim)
    float *actions;               // (slots, action_dim)
    float *latents;               // (slots, latent_dim)
    double *rewards;              // (slots) of the step taken at the entry
    double *discounts;            // (slots) likewise
    uint8_t *flags;               // (slots)
    bool has_action;              // of the newest entry; the writer's own
    int64_t first_stored;         // entry that a restored replay begins with; 0 otherwise
    _Atomic int64_t end;          // one past the newest
};

size_t replay_slot(const struct replay *replay, int64_t entry); // asserts that it is stored
int64_t replay_oldest_stored(const struct replay *replay);      // for the stack of replay_begin
