// One row of NADE for one block of hidden units; nade_loops.h is compiled for every instruction set
// and chosen at run time, with the same bits in all.
#pragma once

#include "base/real.h"

#define NADE_UNITS 64

// The hidden sums change only after a place that is not 0, so that hidden holds one row (units) for
// each such place, one for the start: at most (d + 1, NADE_UNITS).
struct nade_row {
    int d;
    const real *x; // (d)
    const real *w; // (d, units), the block's columns of W transposed
    const real *v; // (d, units)
    const real *c; // (units)
    real *hidden;  // scratch
    real *logit;   // (d), written: V h without b
    const real *g; // backward: (d), gradient of the logits
    real *gw, *gv; // (d, units), added to
    real *gc;      // (units), added to
};

struct nade_kernel {
    void (*forward)(const struct nade_row *row);
    void (*backward)(const struct nade_row *row); // computes hidden again
};

const struct nade_kernel *nade_kernel(void);
extern const struct nade_kernel nade_kernel_portable, nade_kernel_avx2, nade_kernel_avx512;
