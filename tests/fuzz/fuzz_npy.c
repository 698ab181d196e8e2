// Data sets from .npy and .npz: an accepted one has all its pictures and labels in range.
#include <string.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "replay/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    int fd = fuzz_file(data, size, path);
    struct dataset set;
    struct rl_error err = {0};
    if (dataset_load(path, &set, &err) == RL_OK) {
        FUZZ_REQUIRE(set.n >= 1 && set.h >= 1 && set.w >= 1 && set.c >= 1);
        FUZZ_REQUIRE(set.n_train + set.n_valid <= set.n);
        volatile uint8_t last = set.images[set.n * set.h * set.w * set.c - 1];
        (void)last;
        for (int64_t i = 0; set.label && i < set.n; i++)
            FUZZ_REQUIRE(set.label[i] >= 0 && set.label[i] < set.n_classes);
        dataset_free(&set);
    } else {
        FUZZ_REQUIRE(err.message[0] && !set.images && !set.label);
    }
    close(fd);
    return 0;
}
