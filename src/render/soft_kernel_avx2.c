#define SOFT_KERNEL soft_kernel_avx2
#include "render/soft_kernel.inc.h"
