#include "replay/frame_codec.h"

#include <limits.h>
#include <lz4.h>

#include "base/err.h"

size_t frame_codec_bound(size_t frame_bytes) {
    RL_ASSERT(frame_bytes <= LZ4_MAX_INPUT_SIZE);
    return (size_t)LZ4_compressBound((int)frame_bytes);
}

size_t frame_codec_encode(const uint8_t *frame, const uint8_t *key, size_t frame_bytes,
                          uint8_t *scratch, uint8_t *out) {
    for (size_t i = 0; i < frame_bytes; i++) scratch[i] = (uint8_t)(frame[i] - key[i]);
    int size = LZ4_compress_default((const char *)scratch, (char *)out, (int)frame_bytes,
                                    (int)frame_codec_bound(frame_bytes));
    RL_ASSERT(size > 0);
    return (size_t)size;
}

bool frame_codec_check(const uint8_t *code, size_t code_bytes, size_t frame_bytes,
                       uint8_t *scratch) {
    if (code_bytes > INT_MAX) return false;
    int size =
        LZ4_decompress_safe((const char *)code, (char *)scratch, (int)code_bytes, (int)frame_bytes);
    return size >= 0 && (size_t)size == frame_bytes;
}

bool frame_codec_decode(const uint8_t *code, size_t code_bytes, const uint8_t *key,
                        size_t frame_bytes, uint8_t *frame) {
    if (!frame_codec_check(code, code_bytes, frame_bytes, frame)) return false;
    for (size_t i = 0; i < frame_bytes; i++) frame[i] = (uint8_t)(frame[i] + key[i]);
    return true;
}
