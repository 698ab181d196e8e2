#define SOFT_KERNEL       soft_kernel_avx2
#define SOFT_ORTHOGRAPHIC 0
#include "render/soft_kernel.inc.h"
