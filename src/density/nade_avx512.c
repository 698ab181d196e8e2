#define NADE_KERNEL nade_kernel_avx512
#include "density/nade_loops.h"
