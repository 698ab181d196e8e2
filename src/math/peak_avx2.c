#include "math/peak_body.h"
