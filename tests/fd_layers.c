// Layers and blocks against finite differences in double precision, with respect to their input and
// to every weight, in networks that use a layer twice.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "nn/blocks.h"
#include "support/fd.h"

#define BATCH     2
#define MAX_INPUT 512

struct net {
    struct params params;
    struct tape *tape;
    real x[MAX_INPUT], grad[MAX_INPUT];
    int ndim, dim[4];
    size_t count;
    struct tensor *(*build)(struct net *net, struct tensor *x);
    struct impala_stage stage;
    struct mlp mlp;
    struct linear patches;
    struct transformer blocks[2];
    struct norm norms[3];
    struct conv conv;
    int cls, pos;
};

static double loss(void *context, bool gradient) {
    struct net *net = context;
    tape_reset(net->tape);
    struct tensor *x = tape_variable(net->tape, net->x, net->ndim, net->dim);
    struct tensor *y = net->build(net, x);
    struct tensor *total =
        op_sum(net->tape, op_square(net->tape, op_affine(net->tape, y, 1, -0.3)));
    double value = (double)total->data[0];
    if (!gradient) return value;
    params_zero_grad(&net->params);
    tape_backward(net->tape, total);
    memcpy(net->grad, x->grad, net->count * sizeof(real));
    return value;
}

// The layers have been added to net->params.
static void check(struct net *net) {
    struct rl_error err = {0};
    struct rng rng = rng_seed(4);
    net->tape = tape_create((size_t)8 << 20, NULL, &err);
    net->count = 1;
    for (int d = 0; d < net->ndim; d++) net->count *= (size_t)net->dim[d];
    assert_true(net->count <= MAX_INPUT);
    for (size_t i = 0; i < net->count; i++) net->x[i] = (real)rng_normal(&rng);
    params_finish(&net->params, true, &rng);
    struct fd_input inputs[64] = {{"input", net->x, net->grad, net->count}};
    int n = 1;
    for (int i = 0; i < net->params.n_items; i++) {
        const struct param_item *item = &net->params.items[i];
        if (item->buffer) continue;
        // Biases that start at zero sit on relu's edge.
        for (size_t k = 0; k < item->count; k++) {
            net->params.value[item->offset + k] += (real)(0.05 * rng_normal(&rng));
        }
        inputs[n++] = (struct fd_input){item->name, net->params.value + item->offset,
                                        net->params.grad + item->offset, item->count};
        assert_true(n < 64);
    }
    double worst = fd_worst(loss, net, inputs, n, 1e-6);
    assert_true(worst <= 1e-6);
    tape_destroy(net->tape);
    params_release(&net->params);
}

static struct tensor *build_impala(struct net *net, struct tensor *x) {
    struct tape *tape = net->tape;
    x = impala_stage(tape, &net->params, &net->stage, x);
    x = mlp(tape, &net->params, &net->mlp, op_flatten(tape, x));
    return mlp(tape, &net->params, &net->mlp, op_concat(tape, op_concat(tape, x, x), x));
}

static void impala_and_mlp(void **state) {
    (void)state;
    const enum activation activations[] = {ACTIVATION_RELU, ACTIVATION_ELU, ACTIVATION_SILU,
                                           ACTIVATION_GELU, ACTIVATION_TANH};
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
        struct net *net = MEM_NEW(struct net);
        net->build = build_impala;
        net->ndim = 4;
        memcpy(net->dim, (int[]){BATCH, 5, 6, 2}, sizeof net->dim);
        struct init init = {INIT_ORTHOGONAL, 1.4};
        net->stage = impala_stage_add(&net->params, "stage", 2, 3, init); // -> 3 x 3 x 3
        net->mlp = mlp_add(&net->params, "head", 4, (int[]){27, 8, 7, 9}, activations[i], init);
        check(net);
        mem_free(net);
    }
}

static struct tensor *build_vit(struct net *net, struct tensor *x) {
    struct tape *tape = net->tape;
    const struct params *params = &net->params;
    x = linear(tape, params, &net->patches, x, false);
    x = tokens_embed(tape, x, tape_param(tape, params, net->cls),
                     tape_param(tape, params, net->pos));
    for (int i = 0; i < 2; i++) x = transformer(tape, params, &net->blocks[i], x, NULL);
    return tokens_pick(tape, layer_norm(tape, params, &net->norms[0], x), 0);
}

static void transformers(void **state) {
    (void)state;
    struct net *net = MEM_NEW(struct net);
    struct init init = {INIT_XAVIER, 0};
    net->build = build_vit;
    net->ndim = 3;
    memcpy(net->dim, (int[]){BATCH, 4, 6}, 3 * sizeof(int));
    net->patches = linear_add(&net->params, "patches", 6, 8, true, init);
    net->cls = params_add(&net->params, "cls", 1, (int[]){8}, (struct init){INIT_NORMAL, 1}, 0, 0);
    net->pos =
        params_add(&net->params, "pos", 2, (int[]){5, 8}, (struct init){INIT_NORMAL, 1}, 0, 0);
    net->blocks[0] = transformer_add(&net->params, "b0", 8, 2, 16, init);
    net->blocks[1] = transformer_add(&net->params, "b1", 8, 4, 16, init);
    net->norms[0] = layer_norm_add(&net->params, "norm", 8);
    check(net);
    mem_free(net);
}

static struct tensor *build_norms(struct net *net, struct tensor *x) {
    struct tape *tape = net->tape;
    const struct params *params = &net->params;
    x = op_tanh(tape, batch_norm(tape, params, &net->norms[0], x, true));
    x = op_silu(tape, group_norm(tape, params, &net->norms[1], x));
    x = conv(tape, params, &net->conv, x, true);
    x = batch_norm(tape, params, &net->norms[2], x, true);
    // The same layer again: the gradients of its weights add up.
    return op_mean_pool(tape, conv(tape, params, &net->conv, x, false));
}

static void norms(void **state) {
    (void)state;
    struct net *net = MEM_NEW(struct net);
    net->build = build_norms;
    net->ndim = 4;
    memcpy(net->dim, (int[]){BATCH, 5, 5, 4}, sizeof net->dim);
    net->norms[0] = batch_norm_add(&net->params, "batch", 4, true);
    net->norms[1] = group_norm_add(&net->params, "group", 4, 2);
    net->conv = conv_add(&net->params, "conv", 4, 4, 3, 1, 1, (struct init){INIT_HE_NORMAL, 0});
    net->norms[2] = batch_norm_add(&net->params, "bare", 4, false);
    check(net);
    mem_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(impala_and_mlp),
        cmocka_unit_test(transformers),
        cmocka_unit_test(norms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
