// Checkpoints: as they are, and, when the first byte is odd, with the checksums put right, so that
// the parser behind them is reached too. A refusal leaves the object as it was.
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "fuzz/fuzz.h"
#include "train/checkpoint.h"

// The layout of checkpoint.c.
#define HEADER_BYTES  24
#define TRAILER_BYTES 40
#define HEAD_BYTES    24 // of a record in the directory: size, hash, name bytes, 0

struct sample {
    int64_t step;
    float weights[4];
};

static void visit(void *object, struct state_visitor *visitor) {
    struct sample *sample = object;
    visitor->bytes(visitor, "step", &sample->step, sizeof sample->step);
    visitor->bytes(visitor, "weights", sample->weights, sizeof sample->weights);
}

static uint64_t get64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static void put64(uint8_t *bytes, uint64_t value) {
    memcpy(bytes, &value, sizeof value);
}

static void repair_records(uint8_t *file, uint64_t directory, uint64_t bytes) {
    uint64_t at = 0, offset = HEADER_BYTES;
    while (bytes - at >= HEAD_BYTES) {
        uint8_t *head = file + directory + at;
        uint64_t size = get64(head), name_bytes = get64(head + 16) & 0xffffffff;
        if (size > directory - offset) return;
        put64(head + 8, XXH3_64bits(file + offset, size));
        offset += size;
        at += HEAD_BYTES;
        if (name_bytes > bytes - at) return;
        at += name_bytes;
    }
}

static void repair(uint8_t *file, size_t size) {
    if (size < HEADER_BYTES + TRAILER_BYTES) return;
    uint8_t *trailer = file + size - TRAILER_BYTES;
    memcpy(file, "RLRUNCKP\1\0\0\0", 12);
    memcpy(trailer + 32, "RLRUNEND", 8);
    uint64_t bytes = get64(trailer + 8), middle = size - HEADER_BYTES - TRAILER_BYTES;
    if (bytes > middle) put64(trailer + 8, bytes %= middle + 1);
    uint64_t directory = size - TRAILER_BYTES - bytes;
    put64(trailer, directory);
    repair_records(file, directory, bytes);
    XXH3_state_t *state = XXH3_createState();
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, file, HEADER_BYTES);
    XXH3_64bits_update(state, file + directory, bytes);
    XXH3_64bits_update(state, trailer, 24);
    put64(trailer + 24, XXH3_64bits_digest(state));
    XXH3_freeState(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    uint8_t *copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    if (data[0] & 1) repair(copy, size - 1);
    char path[64];
    int fd = fuzz_file(copy, size - 1, path);
    struct sample before = {42, {1, 2, 3, 4}}, sample = before;
    struct rl_error err = {0};
    if (checkpoint_load(path, visit, &sample, &err) != RL_OK) {
        FUZZ_REQUIRE(err.message[0]);
        FUZZ_REQUIRE(!memcmp(&sample, &before, sizeof sample));
    }
    close(fd);
    free(copy);
    return 0;
}
