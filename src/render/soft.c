#include "render/soft.h"

#include "math/simd.h"

enum rl_status soft_draw(struct soft *soft, const mjvScene *scene,
                         const struct render_target *target, struct rl_error *err) {
    struct rl_error ignored;
    if (!err) err = &ignored;
    if (soft_scene_setup(soft, scene, err) != RL_OK) return err->code;
    switch (simd_level()) {
    case SIMD_LEVEL_AVX512: soft_kernel_avx512(soft, target); break;
    case SIMD_LEVEL_AVX2: soft_kernel_avx2(soft, target); break;
    default: soft_kernel_portable(soft, target); break;
    }
    return RL_OK;
}
