// Event files of a run that is resumed: cutting keeps whole records only, and cutting again changes
// nothing.
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "train/event_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    int fd = fuzz_file(data, size, path);
    struct event_file file;
    struct rl_error err = {0};
    struct stat first, second;
    FUZZ_REQUIRE(event_file_open(&file, path, &err) == RL_OK);
    file.records = 1000;
    FUZZ_REQUIRE(event_file_cut(&file, &err) == RL_OK);
    int64_t records = file.records;
    FUZZ_REQUIRE(records >= 1 && fstat(fd, &first) == 0);
    FUZZ_REQUIRE(event_file_cut(&file, &err) == RL_OK);
    FUZZ_REQUIRE(file.records == records && fstat(fd, &second) == 0);
    FUZZ_REQUIRE(first.st_size == second.st_size);
    event_file_close(&file);
    close(fd);
    return 0;
}
