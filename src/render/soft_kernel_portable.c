#define SOFT_KERNEL       soft_kernel_portable
#define SOFT_ORTHOGRAPHIC 0
#include "render/soft_kernel.inc.h"
