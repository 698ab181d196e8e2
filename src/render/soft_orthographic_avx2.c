#define SOFT_KERNEL       soft_orthographic_avx2
#define SOFT_ORTHOGRAPHIC 1
#include "render/soft_kernel.inc.h"
