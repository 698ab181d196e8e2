// MADE (Germain et al. 2015): an autoencoder whose masked weights leave each output only the inputs
// before it. Hidden units draw their degrees at random (a degree m sees the first m places);
// several orders of the places, each with masks of its own, share the weights, and p(x) is their
// mixture.
#include <string.h>

#include "base/mem.h"
#include "density/density.h"
#include "density/likelihood.h"

#define MAX_LAYERS 4

struct made_options {
    int64_t hidden, layers, orders;
    bool direct;
};
static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct made_options, hidden, "800", 1, 65536, "hidden units a layer"),
    OPT_ROW_INT(struct made_options, layers, "1", 1, MAX_LAYERS, "hidden layers"),
    OPT_ROW_INT(struct made_options, orders, "1", 1, 64,
                "orders of the places, the first row by row, the others drawn"),
    OPT_ROW_BOOL(struct made_options, direct, "true", "weights from inputs straight to outputs"),
    OPT_END,
};

struct made {
    int weight[MAX_LAYERS + 1], bias[MAX_LAYERS + 1];
    int direct, label; // ids or -1
    int layers, size[MAX_LAYERS + 2];
    real **mask;        // (orders, layers + 1)
    real **direct_mask; // (orders)
};

// Degrees of one order: a place's is its rank counted from 1, a hidden unit's is drawn. With labels
// units of degree 0 see the label alone.
static void draw_masks(struct density *density, int order, struct rng *rng) {
    struct made *net = density->state;
    int d = density->size, layers = net->layers, *degree[MAX_LAYERS + 2];
    for (int l = 0; l <= layers + 1; l++) degree[l] = MEM_ARRAY(int, net->size[l]);
    for (int i = 0; i < d; i++) degree[0][density->orders[(size_t)order * d + i]] = i + 1;
    memcpy(degree[layers + 1], degree[0], (size_t)d * sizeof(int));
    int least = density->spec.classes || d == 1 ? 0 : 1;
    for (int l = 1; l <= layers; l++) {
        int next = d;
        for (int i = 0; i < net->size[l]; i++) {
            degree[l][i] = least + (int)rng_below(rng, (uint32_t)(d > least ? d - least : 1));
            if (degree[l][i] < next) next = degree[l][i];
        }
        least = next;
    }
    for (int l = 0; l <= layers; l++) {
        real *mask = MEM_ARRAY(real, (size_t)net->size[l + 1] * net->size[l]);
        density_mask(net->size[l + 1], degree[l + 1], net->size[l], degree[l], l == layers, mask);
        net->mask[order * (layers + 1) + l] = mask;
    }
    net->direct_mask[order] = MEM_ARRAY(real, (size_t)d * d);
    density_mask(d, degree[0], d, degree[0], true, net->direct_mask[order]);
    for (int l = 0; l <= layers + 1; l++) mem_free(degree[l]);
}

static enum rl_status create(struct density *density, struct rl_error *err) {
    (void)err;
    struct made *net = density->state;
    const struct made_options *options = density->options;
    struct params *params = &density->params;
    int d = density->size, classes = density->spec.classes, h = (int)options->hidden;
    struct init zero = {INIT_ZERO, 0}, spread = {INIT_FAN_IN, 0};
    net->layers = (int)options->layers;
    for (int l = 0; l <= net->layers + 1; l++)
        net->size[l] = l == 0 || l == net->layers + 1 ? d : h;
    for (int l = 0; l <= net->layers; l++) {
        static const char *const weights[] = {"0.weight", "1.weight", "2.weight", "3.weight",
                                              "4.weight"};
        static const char *const biases[] = {"0.bias", "1.bias", "2.bias", "3.bias", "4.bias"};
        int dim[2] = {net->size[l + 1], net->size[l]};
        net->weight[l] = params_add(params, weights[l], 2, dim, spread, dim[1], dim[0]);
        net->bias[l] = params_add(params, biases[l], 1, dim, zero, 1, 1);
    }
    net->direct = options->direct ? params_add(params, "direct", 2, (int[]){d, d}, zero, d, d) : -1;
    net->label =
        classes ? params_add(params, "hidden_label", 2, (int[]){h, classes}, zero, classes, h) : -1;
    density_set_orders(density, (int)options->orders);
    net->mask = MEM_ARRAY(real *, density->n_orders * (net->layers + 1));
    net->direct_mask = MEM_ARRAY(real *, density->n_orders);
    struct rng rng = rng_fork(density->spec.seed, "masks");
    for (int k = 0; k < density->n_orders; k++) draw_masks(density, k, &rng);
    return RL_OK;
}

static void destroy(struct density *density) {
    struct made *net = density->state;
    for (int i = 0; net->mask && i < density->n_orders * (net->layers + 1); i++)
        mem_free(net->mask[i]);
    for (int k = 0; net->direct_mask && k < density->n_orders; k++) mem_free(net->direct_mask[k]);
    mem_free(net->mask);
    mem_free(net->direct_mask);
}

static struct tensor *logits(struct density *density, struct tape *tape, int order,
                             struct tensor *x, struct tensor *y) {
    const struct made *net = density->state;
    const struct params *params = &density->params;
    struct tensor *h = x;
    for (int l = 0; l <= net->layers; l++) {
        const real *mask = net->mask[order * (net->layers + 1) + l];
        h = density_masked_linear(tape, h, tape_param(tape, params, net->weight[l]), mask,
                                  tape_param(tape, params, net->bias[l]));
        if (l == 0 && y)
            h = op_add(tape, h,
                       op_linear(tape, y, tape_param(tape, params, net->label), NULL, false));
        if (l < net->layers) h = op_relu(tape, h);
    }
    if (net->direct < 0) return h;
    struct tensor *direct = tape_param(tape, params, net->direct);
    return op_add(tape, h, density_masked_linear(tape, x, direct, net->direct_mask[order], NULL));
}

static size_t tape_bytes(const struct density *density, int n) {
    const struct made *net = density->state;
    size_t numbers = 4096, d = (size_t)density->size;
    for (int l = 0; l <= net->layers; l++) {
        size_t in = (size_t)net->size[l], out = (size_t)net->size[l + 1];
        numbers += 2 * in * out + 8 * (size_t)n * out;
    }
    return (numbers + 2 * d * d + 8 * (size_t)n * d) * sizeof(real);
}

const struct density_ops density_made = {
    .name = "made",
    .summary = "a masked autoencoder, several layers and orders",
    .paper = "Germain et al. 2015",
    .opts = {"made", specs},
    .options_bytes = sizeof(struct made_options),
    .state_bytes = sizeof(struct made),
    .create = create,
    .logits = logits,
    .tape_bytes = tape_bytes,
    .destroy = destroy,
};
