#define IMAGE_TABLE image_table_portable
#include "math/image_loops.h"
