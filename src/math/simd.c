#include "math/simd.h"

#include <stdlib.h>
#include <string.h>

static enum simd_level limit = SIMD_LEVEL_AVX512;

enum simd_level simd_level_cpu(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512) return SIMD_LEVEL_AVX512;
    if (avx2) return SIMD_LEVEL_AVX2;
#endif
    return SIMD_LEVEL_PORTABLE;
}

static enum simd_level environment_limit(void) {
    const char *name = getenv("RLRUN_SIMD");
    if (name && !strcmp(name, "portable")) return SIMD_LEVEL_PORTABLE;
    if (name && !strcmp(name, "avx2")) return SIMD_LEVEL_AVX2;
    return SIMD_LEVEL_AVX512;
}

// Asked once: kernels call this for every few hundred elements.
static enum simd_level available(void) {
    static _Atomic int known = -1;
    if (known < 0) {
        enum simd_level cpu = simd_level_cpu(), environment = environment_limit();
        known = environment < cpu ? environment : cpu;
    }
    return (enum simd_level)known;
}

enum simd_level simd_level(void) {
    enum simd_level level = available();
    return limit < level ? limit : level;
}

void simd_limit(enum simd_level level) {
    limit = level;
}

const char *simd_level_name(enum simd_level level) {
    static const char *const names[] = {"portable", "avx2", "avx512"};
    return names[level];
}
