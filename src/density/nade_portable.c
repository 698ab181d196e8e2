#define NADE_KERNEL nade_kernel_portable
#include "density/nade_loops.h"
