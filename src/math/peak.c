#include "math/peak.h"

#include "math/simd.h"

int64_t peak_burn(void) {
#if defined(__x86_64__) && !defined(RL_DOUBLE)
    switch (simd_level()) {
    case SIMD_LEVEL_AVX512: return peak_burn_avx512();
    case SIMD_LEVEL_AVX2: return peak_burn_avx2();
    case SIMD_LEVEL_PORTABLE: break;
    }
#endif
    return peak_burn_portable();
}
