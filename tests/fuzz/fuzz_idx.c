// IDX files, plain and gzipped: an accepted one has all the values that it names.
#include <string.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "replay/idx_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes bytes = {malloc(size + 1), size}; // no slack: a read beyond it is seen
    memcpy(bytes.data, data, size);
    struct idx idx;
    struct rl_error err = {0};
    if (idx_parse("input", &bytes, &idx, &err) == RL_OK) {
        int64_t count = idx.dim[0] * idx.dim[1] * idx.dim[2] * idx.dim[3], sum = 0;
        for (int64_t i = 0; i < count; i++) sum += idx.values[i];
        FUZZ_REQUIRE(sum <= 255 * count);
        mem_free(idx.values);
    } else {
        FUZZ_REQUIRE(err.message[0] && !idx.values);
    }
    free(bytes.data);
    return 0;
}
