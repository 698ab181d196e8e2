#ifndef RL_DOUBLE // the tiles are float only

#include "math/tile.h"

const struct tile_kernels *tile_kernels(void) {
#if defined(__x86_64__)
    switch (simd_level()) {
    case SIMD_LEVEL_AVX512: return &tile_kernels_avx512;
    case SIMD_LEVEL_AVX2: return &tile_kernels_avx2;
    case SIMD_LEVEL_PORTABLE: break;
    }
#endif
    return &tile_kernels_portable;
}

#endif
