#define OPTIM_TABLE optim_table_portable
#include "math/optim_loops.h"
