#include "replay/frame_store.h"

#include <string.h>

#include "base/mem.h"
#include "replay/frame_codec.h"

static const char advice[] = "lower --replay.capacity";

static size_t round_to_page(size_t bytes) {
    return (bytes + 4095) / 4096 * 4096;
}

enum rl_status frame_store_init(struct frame_store *store, int64_t slots, size_t frame_bytes,
                                bool compress, struct rl_error *err) {
    *store = (struct frame_store){.slots = slots, .frame_bytes = frame_bytes, .compress = compress};
    size_t units = (size_t)slots, unit_bytes = frame_bytes;
    if (compress) {
        RL_ASSERT(frame_bytes > 0 && frame_bytes <= FRAME_COMPRESSED_MAX);
        store->n_groups = slots / FRAME_GROUP + 2;
        store->group_bytes =
            round_to_page(frame_bytes + (FRAME_GROUP - 1) * frame_codec_bound(frame_bytes));
        units = (size_t)store->n_groups;
        unit_bytes = store->group_bytes;
        store->ends =
            mem_try_reserve(mem_size(units, FRAME_GROUP * sizeof(uint32_t)), "replay", advice, err);
        store->key_index = mem_try_alloc(units, "replay", err);
        store->scratch = mem_try_alloc(frame_bytes, "replay", err);
        if (!store->ends || !store->key_index || !store->scratch) return RL_ENOMEM;
    }
    store->memory_bytes = mem_size(units, unit_bytes);
    store->memory = mem_try_reserve(store->memory_bytes, "replay", advice, err);
    if (!store->memory) return RL_ENOMEM;
    if (!compress) mem_prefer_huge_pages(store->memory, store->memory_bytes);
    return RL_OK;
}

void frame_store_release(struct frame_store *store) {
    mem_unreserve(store->memory, store->memory_bytes);
    mem_unreserve(store->ends, (size_t)store->n_groups * FRAME_GROUP * sizeof(uint32_t));
    mem_free(store->key_index);
    mem_free(store->scratch);
    *store = (struct frame_store){0};
}

static size_t group_of(const struct frame_store *store, int64_t entry) {
    return (size_t)(entry / FRAME_GROUP % store->n_groups);
}

static uint8_t *plain_slot(const struct frame_store *store, int64_t entry) {
    return store->memory + (size_t)(entry % store->slots) * store->frame_bytes;
}

void frame_store_put(struct frame_store *store, int64_t entry, const uint8_t *frame) {
    if (!store->compress) {
        if (store->frame_bytes) memcpy(plain_slot(store, entry), frame, store->frame_bytes);
        return;
    }
    size_t group = group_of(store, entry), index = (size_t)(entry % FRAME_GROUP);
    uint32_t *ends = store->ends + group * FRAME_GROUP;
    uint8_t *key = store->memory + group * store->group_bytes;
    if (index == 0 || entry != store->next) { // a new group, or the first frame ever put
        memcpy(key, frame, store->frame_bytes);
        store->key_index[group] = (uint8_t)index;
        ends[index] = (uint32_t)store->frame_bytes;
    } else {
        size_t size = frame_codec_encode(frame, key, store->frame_bytes, store->scratch,
                                         key + ends[index - 1]);
        ends[index] = ends[index - 1] + (uint32_t)size;
    }
    store->next = entry + 1;
}

uint8_t *frame_store_room(struct frame_store *store, int64_t entry) {
    RL_ASSERT(!store->compress);
    return plain_slot(store, entry);
}

struct frame_code frame_store_code(const struct frame_store *store, int64_t entry) {
    RL_ASSERT(store->compress);
    size_t group = group_of(store, entry), index = (size_t)(entry % FRAME_GROUP);
    const uint32_t *ends = store->ends + group * FRAME_GROUP;
    bool is_key = store->key_index[group] == index;
    size_t begin = is_key ? 0 : ends[index - 1];
    return (struct frame_code){store->memory + group * store->group_bytes + begin,
                               ends[index] - begin, is_key};
}

void frame_store_get(const struct frame_store *store, int64_t entry, uint8_t *frame) {
    if (!store->compress) {
        memcpy(frame, plain_slot(store, entry), store->frame_bytes);
        return;
    }
    struct frame_code code = frame_store_code(store, entry);
    if (code.is_key) {
        memcpy(frame, code.bytes, store->frame_bytes);
        return;
    }
    const uint8_t *key = store->memory + group_of(store, entry) * store->group_bytes;
    RL_ASSERT(frame_codec_decode(code.bytes, code.size, key, store->frame_bytes, frame));
}

const uint8_t *frame_store_view(const struct frame_store *store, int64_t entry) {
    RL_ASSERT(!store->compress);
    return plain_slot(store, entry);
}

void frame_store_put_group(struct frame_store *store, int64_t group,
                           const struct frame_code codes[FRAME_GROUP]) {
    size_t at = group_of(store, group * FRAME_GROUP), end = 0;
    uint8_t *out = store->memory + at * store->group_bytes;
    RL_ASSERT(store->compress && codes[0].is_key && codes[0].size == store->frame_bytes);
    store->key_index[at] = 0;
    for (int i = 0; i < FRAME_GROUP; i++) {
        RL_ASSERT(codes[i].size <= frame_codec_bound(store->frame_bytes));
        memcpy(out + end, codes[i].bytes, codes[i].size);
        end += codes[i].size;
        store->ends[at * FRAME_GROUP + (size_t)i] = (uint32_t)end;
    }
}

void frame_store_continue(struct frame_store *store, int64_t next) {
    store->next = next;
}
