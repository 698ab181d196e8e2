#define OPTIM_TABLE optim_table_avx2
#include "math/optim_loops.h"
