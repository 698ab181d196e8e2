#include "math/winograd_body.h"
