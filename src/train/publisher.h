// Publishing an encoder while the run goes on: freeze a copy of the weights (publisher_begin),
// re-encode the replay with it bit by bit in the encoder thread (publisher_advance), then, with all
// threads joined, fit the standardisation and the alignment and change latents and snapshot
// together (publisher_commit).
#pragma once

#include "replay/replay.h"
#include "train/snapshot.h"

struct publisher {
    struct snapshot candidate;
    size_t latents_bytes, stack_bytes;
    real *latents;       // (capacity, dim) by entry % capacity; raw until the commit
    int64_t begin, next; // entries encoded so far
    bool active;
    uint8_t *pixels; // (SNAPSHOT_BATCH, stack)
};

RL_CHECKED enum rl_status publisher_init(struct publisher *publisher, struct encoder *encoder,
                                         const struct replay *replay, double clip,
                                         struct rl_error *err);
void publisher_release(struct publisher *publisher);

// Weights are copied from params; entries from the window's begin on will be encoded.
void publisher_begin(struct publisher *publisher, const struct params *params,
                     struct replay_window window);

// Encodes up to max_entries more (a batch at least), none beyond the window. Returns how many are
// left in it.
int64_t publisher_advance(struct publisher *publisher, struct tape *tape,
                          const struct replay *replay, struct replay_window window,
                          int64_t max_entries);

// Encodes what is left, fits, writes every latent of the replay, and makes it the snapshot. Returns
// the correlation of the aligned new latents with the old ones.
double publisher_commit(struct publisher *publisher, struct tape *tape, struct replay *replay,
                        struct snapshot *snapshot, bool align);

// Row of an entry that is encoded: raw while a publish is under way.
real *publisher_row(const struct publisher *publisher, const struct replay *replay, int64_t entry);

// A publish under way is saved as its weights and position; its rows are in files of their own
// (latent_store.h).
void publisher_visit(struct publisher *publisher, const char *prefix,
                     struct state_visitor *visitor);
