// Layout of a segment file, little-endian without padding: header; flags u8 (count); then of the
// step that led to each entry reward f64 (count), discount f64 (count), action f32 (count,
// action_dim); observation f32 (count, obs_dim); the newest entry's own action f32 (action_dim),
// zero unless has_action; each frame as u32 size and its bytes: a key frame whole (its size has
// SEGMENT_KEY set), else its code against the last key frame; XXH3 of all before, u64.
#pragma once

#include <stdint.h>

#define SEGMENT_MAGIC "RLSEG01"
#define SEGMENT_KEY   UINT32_C(0x80000000)

struct segment_header {
    char magic[8];
    int64_t first;
    uint32_t count, frame_bytes, obs_dim, action_dim, has_action, zero;
};

_Static_assert(sizeof(struct segment_header) == 40, "written as it lies in memory");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "segment files are little-endian");
