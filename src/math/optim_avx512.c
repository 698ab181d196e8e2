#define OPTIM_TABLE optim_table_avx512
#include "math/optim_loops.h"
