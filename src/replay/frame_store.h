// A ring of frames, plain or compressed. Compressed: entries lie in groups of FRAME_GROUP, the
// first of each whole (the key), the others as codes of their difference to it, packed into the
// group's stretch of reserved address space; what the codes do not fill costs no memory. A group is
// overwritten as one, so the ring has two groups more than its slots need. Threads: as replay.h.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { FRAME_GROUP = 32, FRAME_COMPRESSED_MAX = 512 * 1024 }; // entries; bytes of one stack

struct frame_store {
    int64_t slots; // newest frames that are kept
    size_t frame_bytes;
    bool compress;
    uint8_t *memory;     // (slots, frame_bytes), or (n_groups, group_bytes)
    size_t memory_bytes; // of address space
    int64_t n_groups;
    size_t group_bytes;
    uint32_t *ends;     // (n_groups, FRAME_GROUP): where each entry's code ends in its group
    uint8_t *key_index; // (n_groups): which entry of the group is the key
    uint8_t *scratch;   // the writer's
    int64_t next;       // entry that continues the newest group
};

RL_CHECKED enum rl_status frame_store_init(struct frame_store *store, int64_t slots,
                                           size_t frame_bytes, bool compress, struct rl_error *err);
void frame_store_release(struct frame_store *store);

void frame_store_put(struct frame_store *store, int64_t entry, const uint8_t *frame);
void frame_store_get(const struct frame_store *store, int64_t entry, uint8_t *frame);
// The stored frame itself; only of a plain store.
const uint8_t *frame_store_view(const struct frame_store *store, int64_t entry);
// Where a plain store keeps an entry's frame, to write it there.
uint8_t *frame_store_room(struct frame_store *store, int64_t entry);

// The stored bytes of an entry of a compressed store: the frame itself when is_key.
struct frame_code {
    const uint8_t *bytes;
    size_t size;
    bool is_key;
};
struct frame_code frame_store_code(const struct frame_store *store, int64_t entry);
// Stores a whole group (entries group * FRAME_GROUP and on) from its codes, the first the key. The
// codes must have been checked; groups may be put by several threads at once. frame_store_put goes
// on with the entry that frame_store_continue names.
void frame_store_put_group(struct frame_store *store, int64_t group,
                           const struct frame_code codes[FRAME_GROUP]);
void frame_store_continue(struct frame_store *store, int64_t next);
