// Gradients against central differences. Meant for the double build (fd_*.c).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"

struct fd_input {
    const char *name;
    real *value;
    const real *grad; // where loss(context, true) leaves d loss / d value
    size_t count;
};

// loss computes from the current values; with gradient it also fills every grad (from zero).
// Returns the worst |difference| / max(largest gradient of the input, 1e-3) over all elements of
// all inputs (at most 200 of each, evenly spread) and prints it when it is above allowed.
double fd_worst(double (*loss)(void *context, bool gradient), void *context,
                const struct fd_input *inputs, int n_inputs, double allowed);
