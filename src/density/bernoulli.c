// Independent places: p(x_i = 1) = sigmoid(b_i), with labels naive Bayes. The floor of every table.
#include "density/density.h"

struct bernoulli {
    int bias;
};

static enum rl_status create(struct density *density, struct rl_error *err) {
    (void)err;
    struct bernoulli *net = density->state;
    net->bias =
        params_add(&density->params, "bias", 1, &density->size, (struct init){INIT_ZERO, 0}, 1, 1);
    return RL_OK;
}

static struct tensor *logits(struct density *density, struct tape *tape, int order,
                             struct tensor *x, struct tensor *y) {
    (void)order, (void)y;
    const struct bernoulli *net = density->state;
    return op_repeat_row(tape, tape_param(tape, &density->params, net->bias), x->dim[0]);
}

static size_t tape_bytes(const struct density *density, int n) {
    return 4 * (size_t)n * (size_t)density->size * sizeof(real);
}

static void chain_logits(struct density *density, struct density_chain *chain, int step,
                         real *out) {
    const struct bernoulli *net = density->state;
    real bias = density->params.value[density->params.items[net->bias].offset + (size_t)step];
    for (int i = 0; i < chain->n; i++) out[i] = bias;
}

const struct density_ops density_bernoulli = {
    .name = "bernoulli",
    .summary = "independent places (naive Bayes with labels)",
    .paper = "-",
    .opts = {"bernoulli", NULL},
    .state_bytes = sizeof(struct bernoulli),
    .create = create,
    .logits = logits,
    .tape_bytes = tape_bytes,
    .chain_logits = chain_logits,
};
