#include "math/tile_body.h"
