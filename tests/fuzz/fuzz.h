// What the fuzz targets share. A target defines LLVMFuzzerTestOneInput; with libFuzzer (make fuzz)
// it is driven by coverage, in the normal build by replay.c over its corpus and simple mutations of
// it. A target fails by crashing, by a sanitizer's finding, or by FUZZ_REQUIRE.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_REQUIRE(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: fuzz: not so: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

// The bytes as a file without a place on the disk: writes its path under /proc into path; returns
// the descriptor to close.
int fuzz_file(const uint8_t *data, size_t size, char path[64]);
