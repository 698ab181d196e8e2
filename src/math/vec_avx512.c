#define VEC_TABLE vec_table_avx512
#include "math/vec_loops.h"
