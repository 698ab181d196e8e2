#include "nn/init.h"

#include <math.h>

#include "base/mem.h"
#include "math/ortho.h"

// Orthonormal rows for each output (or columns, when there are more outputs than inputs), times
// gain: Saxe 2014, torch.nn.init.orthogonal_.
static void fill_orthogonal(const struct param_item *item, real *value, struct rng *rng) {
    RL_ASSERT(item->ndim == 2 || item->ndim == 4);
    bool conv = item->ndim == 4;
    int out = conv ? item->dim[3] : item->dim[0], in = (int)(item->count / (size_t)out);
    int n = out < in ? out : in, m = out < in ? in : out;
    double *a = MEM_ARRAY(double, item->count);
    for (size_t i = 0; i < item->count; i++) a[i] = rng_normal(rng);
    ortho_rows(n, m, a);
    for (int o = 0; o < out; o++) {
        for (int i = 0; i < in; i++) {
            size_t from =
                out < in ? (size_t)o * (size_t)in + (size_t)i : (size_t)i * (size_t)out + (size_t)o;
            size_t to =
                conv ? (size_t)i * (size_t)out + (size_t)o : (size_t)o * (size_t)in + (size_t)i;
            value[to] = (real)(item->init.arg * a[from]);
        }
    }
    mem_free(a);
}

static double trunc_normal(struct rng *rng) {
    double draw;
    do draw = rng_normal(rng);
    while (fabs(draw) > 2);
    return draw;
}

void init_fill(const struct param_item *item, real *value, struct rng *rng) {
    double arg = item->init.arg, fan_in = item->fan_in > 0 ? item->fan_in : 1;
    double fans = item->fan_in + item->fan_out > 0 ? item->fan_in + item->fan_out : 1;
    if (item->init.kind == INIT_ORTHOGONAL) {
        fill_orthogonal(item, value, rng);
        return;
    }
    for (size_t i = 0; i < item->count; i++) {
        double draw = 0;
        switch (item->init.kind) {
        case INIT_ZERO: break;
        case INIT_ONE: draw = 1; break;
        case INIT_CONSTANT: draw = arg; break;
        case INIT_UNIFORM: draw = rng_range(rng, -arg, arg); break;
        case INIT_NORMAL: draw = arg * rng_normal(rng); break;
        case INIT_TRUNC_NORMAL: draw = arg * trunc_normal(rng); break;
        case INIT_FAN_IN: draw = rng_range(rng, -1, 1) / sqrt(fan_in); break;
        case INIT_HE_NORMAL: draw = sqrt(2 / fan_in) * rng_normal(rng); break;
        case INIT_XAVIER: draw = rng_range(rng, -1, 1) * sqrt(6 / fans); break;
        case INIT_ORTHOGONAL: RL_ASSERT(false);
        }
        value[i] = (real)draw;
    }
}
