// The arithmetic peak against which benchmarks stand: independent fused multiply-adds in registers.
#pragma once

#include <stdint.h>

// Keeps this thread's vector units busy for some microseconds at the SIMD level in force; returns
// the number of floating-point operations done (an FMA is two).
int64_t peak_burn(void);

int64_t peak_burn_portable(void);
int64_t peak_burn_avx2(void);
int64_t peak_burn_avx512(void);
