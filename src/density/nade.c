// NADE (Larochelle and Murray 2011): hidden units shared by all places, h_i = sigmoid(c + W x_<i),
// p(x_i = 1 | x_<i) = sigmoid(b_i + V_i h_i), in O(D H) a row. A label adds U y to c.
#include <math.h>
#include <string.h>

#include "density/density.h"
#include "density/nade_logits.h"
#include "math/gemm.h"

struct nade_options {
    int64_t hidden;
};
static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct nade_options, hidden, "256", 1, 65536, "hidden units"),
    OPT_END,
};

struct nade {
    int w, c, v, b, u; // (H, D), (H), (D, H), (D), (H, classes)
    int hidden;
};

static enum rl_status create(struct density *density, struct rl_error *err) {
    (void)err;
    struct nade *net = density->state;
    struct params *params = &density->params;
    int d = density->size, classes = density->spec.classes;
    int h = net->hidden = (int)((struct nade_options *)density->options)->hidden;
    struct init zero = {INIT_ZERO, 0}, spread = {INIT_FAN_IN, 0};
    net->w = params_add(params, "w", 2, (int[]){h, d}, spread, d, h);
    net->c = params_add(params, "c", 1, &h, zero, 1, 1);
    net->v = params_add(params, "v", 2, (int[]){d, h}, spread, h, d);
    net->b = params_add(params, "b", 1, &d, zero, 1, 1);
    net->u = classes ? params_add(params, "u", 2, (int[]){h, classes}, zero, classes, h) : -1;
    return RL_OK;
}

static struct tensor *logits(struct density *density, struct tape *tape, int order,
                             struct tensor *x, struct tensor *y) {
    (void)order;
    const struct nade *net = density->state;
    const struct params *params = &density->params;
    struct tensor *c = tape_param(tape, params, net->c);
    if (y) c = op_linear(tape, y, tape_param(tape, params, net->u), c, false);
    return density_nade_logits(tape, x, tape_param(tape, params, net->w), c,
                               tape_param(tape, params, net->v), tape_param(tape, params, net->b));
}

static size_t tape_bytes(const struct density *density, int n) {
    const struct nade *net = density->state;
    size_t rows = (size_t)n * (size_t)(density->size + 2 * net->hidden);
    return density_nade_logits_bytes(n, density->size, net->hidden) + 4 * rows * sizeof(real);
}

static size_t chain_bytes(const struct density *density, int n) {
    return (size_t)n * (size_t)((const struct nade *)density->state)->hidden * sizeof(real);
}

static const real *value_of(const struct density *density, int id) {
    return density->params.value + density->params.items[id].offset;
}

// The chain's state: c + U y + W x_<i for each row.
static void chain_logits(struct density *density, struct density_chain *chain, int step,
                         real *out) {
    const struct nade *net = density->state;
    int d = density->size, units = net->hidden, classes = density->spec.classes;
    const real *w = value_of(density, net->w), *own = value_of(density, net->v);
    own += (size_t)step * units;
    for (int i = 0; i < chain->n; i++) {
        real *sum = (real *)chain->state + (size_t)i * units;
        bool set = step > 0 && chain->x[(size_t)i * d + step - 1] != 0;
        if (step == 0) {
            memcpy(sum, value_of(density, net->c), (size_t)units * sizeof *sum);
            if (chain->y)
                gemm(NULL, false, false, units, 1, classes, 1, value_of(density, net->u), classes,
                     chain->y + (size_t)i * classes, 1, 1, sum, 1);
        }
        real logit = value_of(density, net->b)[step];
        for (int k = 0; k < units; k++) {
            if (set) sum[k] += w[(size_t)k * d + step - 1];
            logit += own[k] / (1 + (real)exp(-(double)sum[k]));
        }
        out[i] = logit;
    }
}

const struct density_ops density_nade = {
    .name = "nade",
    .summary = "hidden units shared by all places",
    .paper = "Larochelle and Murray 2011",
    .opts = {"nade", specs},
    .options_bytes = sizeof(struct nade_options),
    .state_bytes = sizeof(struct nade),
    .create = create,
    .logits = logits,
    .tape_bytes = tape_bytes,
    .chain_logits = chain_logits,
    .chain_bytes = chain_bytes,
};
