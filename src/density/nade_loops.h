// The loops of nade_kernel.h, included once for every instruction set with NADE_KERNEL, the name of
// the table that results.
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <tgmath.h>

#include "density/nade_kernel.h"
#include "math/vec_exp.h"

#define LANES 16 // parts of a sum, in every variant

// Fills hidden; returns how many rows follow the first.
static int hidden_rows(const struct nade_row *row) {
    real *h = row->hidden;
    int n = 0;
    memcpy(h, row->c, NADE_UNITS * sizeof(real));
    for (int i = 0; i < row->d; i++) {
        real x = row->x[i];
        if (x == 0) continue;
        const real *w = row->w + (size_t)i * NADE_UNITS;
        for (int k = 0; k < NADE_UNITS; k++) h[NADE_UNITS + k] = h[k] + x * w[k];
        h += NADE_UNITS;
        n++;
    }
    h = row->hidden;
    for (size_t k = 0; k < (size_t)(n + 1) * NADE_UNITS; k++) h[k] = loop_sigmoid(h[k]);
    return n;
}

static real dot(const real *a, const real *b) {
    real lane[LANES] = {0}, sum = 0;
    for (int k = 0; k < NADE_UNITS; k += LANES) {
        for (int j = 0; j < LANES; j++) lane[j] += a[k + j] * b[k + j];
    }
    for (int j = 0; j < LANES; j++) sum += lane[j];
    return sum;
}

static void forward(const struct nade_row *row) {
    hidden_rows(row);
    const real *h = row->hidden;
    for (int i = 0; i < row->d; i++) {
        row->logit[i] = dot(h, row->v + (size_t)i * NADE_UNITS);
        if (row->x[i] != 0) h += NADE_UNITS;
    }
}

static void backward(const struct nade_row *row) {
    const real *h = row->hidden + (size_t)hidden_rows(row) * NADE_UNITS;
    real sum[NADE_UNITS] = {0}; // gradient of the sums, from the end
    real own[NADE_UNITS] = {0}; // of the hidden row at hand
    for (int i = row->d; i-- > 0;) {
        size_t at = (size_t)i * NADE_UNITS;
        real x = row->x[i], g = row->g[i];
        const real *v = row->v + at;
        real *gv = row->gv + at, *gw = row->gw + at;
        if (x != 0) {
            for (int k = 0; k < NADE_UNITS; k++) {
                sum[k] += own[k] * (h[k] * (1 - h[k]));
                gw[k] += x * sum[k];
                own[k] = 0;
            }
            h -= NADE_UNITS;
        }
        for (int k = 0; k < NADE_UNITS; k++) gv[k] += g * h[k];
        for (int k = 0; k < NADE_UNITS; k++) own[k] += g * v[k];
    }
    for (int k = 0; k < NADE_UNITS; k++) row->gc[k] += sum[k] + own[k] * (h[k] * (1 - h[k]));
}

const struct nade_kernel NADE_KERNEL = {forward, backward};
