#define IMAGE_TABLE image_table_avx2
#include "math/image_loops.h"
