#define NORM_TABLE norm_table_portable
#include "math/norm_loops.h"
