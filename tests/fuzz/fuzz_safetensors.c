// Weights files: every element of every tensor of an accepted file can be read.
#include <string.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "nn/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned char *bytes = mem_alloc(size + 1);
    if (size) memcpy(bytes, data, size);
    struct st_file file;
    struct rl_error err = {0};
    if (st_parse(bytes, size, "fuzz", &file, &err) != RL_OK) {
        FUZZ_REQUIRE(err.message[0]);
        return 0;
    }
    double sum = 0;
    for (int i = 0; i < file.n_tensors; i++) {
        FUZZ_REQUIRE(st_find(&file, file.tensors[i].name));
        for (int64_t k = 0; k < file.tensors[i].count; k++) sum += st_get(&file.tensors[i], k);
    }
    volatile double kept = sum; // the reads must happen
    (void)kept;
    st_release(&file);
    return 0;
}
