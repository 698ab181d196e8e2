// Pictures: an accepted one has all its pixels.
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/png_file.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    int fd = fuzz_file(data, size, path);
    struct png_image image = {0};
    struct rl_error err = {0};
    if (png_read(path, &image, &err) == RL_OK) {
        FUZZ_REQUIRE(image.width > 0 && image.height > 0);
        FUZZ_REQUIRE(image.channels == 1 || image.channels == 3);
        size_t bytes = (size_t)image.width * (size_t)image.height * (size_t)image.channels;
        volatile uint8_t last = image.pixels[bytes - 1];
        (void)last;
        mem_free(image.pixels);
    } else {
        FUZZ_REQUIRE(err.message[0]);
    }
    close(fd);
    return 0;
}
