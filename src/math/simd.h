// Which SIMD variants this process uses: the best that the CPU has, or less when the user or a test
// says so.
#pragma once

#include "base/err.h"

enum simd_level { SIMD_LEVEL_PORTABLE, SIMD_LEVEL_AVX2, SIMD_LEVEL_AVX512 };

enum simd_level simd_level_cpu(void);               // what the CPU (and the system) can do
enum simd_level simd_level(void);                   // in force: min(cpu, $RLRUN_SIMD, simd_limit)
void simd_limit(enum simd_level level);             // for tests; call while no kernel runs
const char *simd_level_name(enum simd_level level); // "portable", "avx2", "avx512"
