#include "support/fd.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define MAX_ELEMENTS 200

static double slope(double (*loss)(void *context, bool gradient), void *context, real *value) {
    real old = *value;
    // Fourth order, so that a step large enough to drown rounding is still accurate.
    double step = 1e-4 * fmax(1, fabs((double)old)), at[4];
    const double offset[4] = {-2, -1, 1, 2};
    for (int i = 0; i < 4; i++) {
        *value = old + (real)(offset[i] * step);
        at[i] = loss(context, false);
    }
    *value = old;
    return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step);
}

double fd_worst(double (*loss)(void *context, bool gradient), void *context,
                const struct fd_input *inputs, int n_inputs, double allowed) {
    loss(context, true);
    double worst = 0;
    real **kept = MEM_ARRAY(real *, n_inputs);
    for (int k = 0; k < n_inputs; k++) { // evaluations may clear them
        kept[k] = MEM_ARRAY(real, inputs[k].count);
        memcpy(kept[k], inputs[k].grad, inputs[k].count * sizeof(real));
    }
    for (int k = 0; k < n_inputs; k++) {
        const struct fd_input *input = &inputs[k];
        double largest = 1e-3;
        for (size_t i = 0; i < input->count; i++) largest = fmax(largest, fabs((double)kept[k][i]));
        size_t stride = input->count / MAX_ELEMENTS + 1;
        for (size_t i = 0; i < input->count; i += stride) {
            double numeric = slope(loss, context, &input->value[i]);
            double off = fabs(numeric - (double)kept[k][i]) / largest;
            if (!(off <= allowed)) {
                printf("%s[%zu]: gradient %.9g, by differences %.9g\n", input->name, i,
                       (double)kept[k][i], numeric);
            }
            if (!(off <= worst)) worst = off;
        }
    }
    for (int k = 0; k < n_inputs; k++) mem_free(kept[k]);
    mem_free(kept);
    return worst;
}
