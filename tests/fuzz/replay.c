// The driver of a fuzz target without libFuzzer: each file of the corpus folder as it is, cut short
// everywhere, and with a fixed number of small random changes.
#include <dirent.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "fuzz/fuzz.h"

#define LIMIT_BYTES 65536
#define CUTS        256
#define CHANGES     1500

// One of: another byte, a flipped bit, a byte gone, a byte twice, a run of equal bytes.
static size_t change(uint8_t *data, size_t size, struct rng *rng) {
    if (size == 0) return 0;
    size_t at = rng_below(rng, (uint32_t)size), run;
    switch (rng_below(rng, 5)) {
    case 0: data[at] = (uint8_t)rng_next(rng); break;
    case 1: data[at] ^= (uint8_t)(1u << rng_below(rng, 8)); break;
    case 2: memmove(data + at, data + at + 1, --size - at); break;
    case 3: memmove(data + at + 1, data + at, size++ - at); break;
    default:
        run = 1 + rng_below(rng, 8);
        memset(data + at, (int)rng_next(rng) & 255, run < size - at ? run : size - at);
    }
    return size;
}

static void replay(const uint8_t *data, size_t size) {
    LLVMFuzzerTestOneInput(data, size);
    for (size_t i = 0; i < CUTS; i++) LLVMFuzzerTestOneInput(data, i * size / CUTS);
    struct rng rng = rng_seed(size);
    uint8_t *copy = mem_alloc(size + 16);
    for (int i = 0; i < CHANGES; i++) {
        memcpy(copy, data, size);
        size_t length = size;
        for (uint32_t n = 1 + rng_below(&rng, 4); n > 0; n--) length = change(copy, length, &rng);
        LLVMFuzzerTestOneInput(copy, length);
    }
    mem_free(copy);
}

int main(int argc, char **argv) {
    FUZZ_REQUIRE(argc == 2);
    DIR *dir = opendir(argv[1]);
    FUZZ_REQUIRE(dir);
    int files = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        struct bytes bytes;
        struct rl_error err = {0};
        if (entry->d_name[0] == '.') continue;
        file_join(path, sizeof path, argv[1], entry->d_name);
        FUZZ_REQUIRE(file_read(path, LIMIT_BYTES, &bytes, &err) == RL_OK);
        replay(bytes.data, bytes.size);
        mem_free(bytes.data);
        files++;
    }
    closedir(dir);
    FUZZ_REQUIRE(files > 0);
    printf("%d files replayed\n", files);
    return 0;
}
