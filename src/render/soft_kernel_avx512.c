#define SOFT_KERNEL soft_kernel_avx512
#include "render/soft_kernel.inc.h"
