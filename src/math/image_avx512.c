#define IMAGE_TABLE image_table_avx512
#include "math/image_loops.h"
