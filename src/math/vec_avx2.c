#define VEC_TABLE vec_table_avx2
#include "math/vec_loops.h"
