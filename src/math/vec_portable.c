#define VEC_TABLE vec_table_portable
#include "math/vec_loops.h"
