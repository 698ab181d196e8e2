// One frame as the LZ4 block of its difference (mod 256) to a key frame: a camera that follows the
// body leaves most pixels of neighbouring frames equal, so a frame of 84x84 takes 4 KB, not 21 KB.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes that a code of a frame may take at most.
size_t frame_codec_bound(size_t frame_bytes);

// Writes the code to out (frame_codec_bound bytes) and returns its size; scratch: frame_bytes.
size_t frame_codec_encode(const uint8_t *frame, const uint8_t *key, size_t frame_bytes,
                          uint8_t *scratch, uint8_t *out);

// False when code is not that of a frame of frame_bytes; safe on hostile bytes.
bool frame_codec_decode(const uint8_t *code, size_t code_bytes, const uint8_t *key,
                        size_t frame_bytes, uint8_t *frame);

// Whether it can be decoded, for any key; scratch: frame_bytes.
bool frame_codec_check(const uint8_t *code, size_t code_bytes, size_t frame_bytes,
                       uint8_t *scratch);
