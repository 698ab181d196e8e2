#define NADE_KERNEL nade_kernel_avx2
#include "density/nade_loops.h"
