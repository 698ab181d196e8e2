// The latents of a replay on disk, grown by what is new. A publish writes the encoder's raw rows
// while it goes on (latent_store_spill), off the policy's path, so that a checkpoint after it has
// only the rows of the entries since to write. Raw rows become the policy's latents again on load,
// by the same products on each row and so to the same bits.
//
// Files DIR/latents-<version>-<first entry>.bin, little-endian: header (latent_store.c), rows, XXH3
// of all before. Which of them make up the latents is a small state that the checkpoint keeps; it
// must be written after latent_store_save returned, and files go (latent_store_prune) after it is
// durable.
#pragma once

#include "base/pool.h"
#include "train/publisher.h"

struct latent_chain { // files that follow one another; all zero: none
    int64_t version, first, end;
    uint64_t checksum; // over the files' checksums
};

struct latent_store_state {
    struct latent_chain latents; // what the policy sees
    struct latent_chain next;    // raw rows of the publish under way
};

struct latent_store; // opaque

// All is borrowed; dir exists or is made by the first write.
struct latent_store *latent_store_create(const char *dir, struct replay *replay,
                                         struct snapshot *snapshot, struct publisher *publisher);
void latent_store_destroy(struct latent_store *store);

// Writes the rows that the publish under way has encoded since the last call, in large parts. Call
// it after publisher_advance, in the same thread.
RL_CHECKED enum rl_status latent_store_spill(struct latent_store *store, struct rl_error *err);

// Writes what is new, durably, and fills *state.
RL_CHECKED enum rl_status latent_store_save(struct latent_store *store,
                                            struct latent_store_state *state, struct rl_error *err);

// Fills the latents of the replay's entries, and the raw rows of the publish under way; snapshot,
// publisher and replay have been loaded before. RL_EFORMAT names the file that is missing, torn or
// another checkpoint's.
RL_CHECKED enum rl_status latent_store_load(struct latent_store *store,
                                            const struct latent_store_state *state,
                                            struct pool *pool, struct rl_error *err);

// Removes what no checkpoint needs whose latents are of `version` or later and whose replay begins
// at `begin` or later.
void latent_store_prune(struct latent_store *store, int64_t version, int64_t begin);
