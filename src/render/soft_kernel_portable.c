#define SOFT_KERNEL soft_kernel_portable
#include "render/soft_kernel.inc.h"
