#define NORM_TABLE norm_table_avx2
#include "math/norm_loops.h"
