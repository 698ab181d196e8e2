#define NORM_TABLE norm_table_avx512
#include "math/norm_loops.h"
