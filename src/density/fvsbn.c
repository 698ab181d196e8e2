// Fully visible sigmoid belief network (Frey 1998): p(x_i = 1 | x_<i) = sigmoid(b_i + sum_{j<i}
// W_ij x_j); a logistic regression of each place on those before it, convex in W and b.
#include "base/mem.h"
#include "density/density.h"
#include "density/likelihood.h"

struct fvsbn {
    int weight, bias;
    real *mask; // (D, D), 1 below the diagonal
};

static enum rl_status create(struct density *density, struct rl_error *err) {
    (void)err;
    struct fvsbn *net = density->state;
    int d = density->size, dim[2] = {d, d};
    struct init zero = {INIT_ZERO, 0};
    net->weight = params_add(&density->params, "weight", 2, dim, zero, d, d);
    net->bias = params_add(&density->params, "bias", 1, dim, zero, 1, 1);
    net->mask = MEM_ARRAY(real, (size_t)d * d);
    density_mask(d, density->orders, d, density->orders, true, net->mask);
    return RL_OK;
}

static void destroy(struct density *density) {
    mem_free(((struct fvsbn *)density->state)->mask);
}

static struct tensor *logits(struct density *density, struct tape *tape, int order,
                             struct tensor *x, struct tensor *y) {
    (void)order, (void)y;
    const struct fvsbn *net = density->state;
    return density_masked_linear(tape, x, tape_param(tape, &density->params, net->weight),
                                 net->mask, tape_param(tape, &density->params, net->bias));
}

static size_t tape_bytes(const struct density *density, int n) {
    size_t d = (size_t)density->size;
    return (2 * d * d + 4 * (size_t)n * d) * sizeof(real);
}

static void chain_logits(struct density *density, struct density_chain *chain, int step,
                         real *out) {
    const struct fvsbn *net = density->state;
    const struct params *params = &density->params;
    int d = density->size;
    const real *w = params->value + params->items[net->weight].offset + (size_t)step * d;
    for (int i = 0; i < chain->n; i++) {
        const real *x = chain->x + (size_t)i * d;
        real sum = params->value[params->items[net->bias].offset + (size_t)step];
        for (int j = 0; j < step; j++) sum += w[j] * x[j];
        out[i] = sum;
    }
}

const struct density_ops density_fvsbn = {
    .name = "fvsbn",
    .summary = "each place a logistic regression on those before it",
    .paper = "Frey 1998",
    .opts = {"fvsbn", NULL},
    .state_bytes = sizeof(struct fvsbn),
    .create = create,
    .logits = logits,
    .tape_bytes = tape_bytes,
    .chain_logits = chain_logits,
    .destroy = destroy,
};
