// Layers and blocks against the golden data of group nets/layers: outputs and the gradients of
// sum(out.y * in.gy). Images in the files are (B, C, H, W), convolutions (out, in, k, k).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "nn/blocks.h"
#include "nn/weights.h"
#include "support/golden.h"

#define MAX_INPUTS 8

struct lab {
    const struct golden_case *golden;
    struct tape *tape;
    double grad_tolerance; // 1e-4 through several layers
    struct params params;  // of the blocks
    struct {
        const char *key;
        struct tensor *tensor;
    } inputs[MAX_INPUTS];
    int n_inputs;
};

static double hyper(const struct lab *lab, const char *key) {
    const json_t *value = json_object_get(json_object_get(lab->golden->entry, "hyper"), key);
    if (json_is_boolean(value)) return json_is_true(value);
    if (!json_is_number(value)) fail_msg("%s: no hyper.%s", lab->golden->path, key);
    return json_number_value(value);
}

// Element (b, h, w, c) of ours, or (k, k, in, out), is which of the file's?
static size_t file_index(bool weight, const int *dim, size_t i) {
    size_t d3 = (size_t)dim[3], d2 = (size_t)dim[2], d1 = (size_t)dim[1], d0 = (size_t)dim[0];
    size_t p3 = i % d3, p2 = i / d3 % d2, p1 = i / d3 / d2 % d1, p0 = i / d3 / d2 / d1;
    if (weight) return ((p3 * d2 + p2) * d0 + p0) * d1 + p1;
    return ((p0 * d3 + p3) * d1 + p1) * d2 + p2;
}

static bool is_weight(const char *key) {
    return key[strlen(key) - 1] == 'w';
}

static struct tensor *load(struct lab *lab, const char *key) {
    char full[64];
    snprintf(full, sizeof full, "in.%s", key);
    const struct st_tensor *file = golden_tensor(lab->golden, full);
    int dim[4] = {0}, ndim = file->ndim;
    for (int d = 0; d < ndim; d++) dim[d] = (int)file->dim[d];
    if (ndim == 4) {
        static const int image[4] = {0, 2, 3, 1}, weight[4] = {2, 3, 1, 0};
        for (int d = 0; d < 4; d++) dim[d] = (int)file->dim[(is_weight(key) ? weight : image)[d]];
    }
    real *data = ARENA_ARRAY(tape_arena(lab->tape), real, file->count);
    for (int64_t i = 0; i < file->count; i++) {
        size_t from = ndim == 4 ? file_index(is_weight(key), dim, (size_t)i) : (size_t)i;
        data[i] = (real)st_get(file, (int64_t)from);
    }
    return tape_variable(lab->tape, data, ndim, dim);
}

static bool has(const struct lab *lab, const char *key) {
    return st_find(&lab->golden->data, key) != NULL;
}

// An input whose gradient is compared in finish; NULL when the case has none of this name.
static struct tensor *input(struct lab *lab, const char *key) {
    char full[64];
    snprintf(full, sizeof full, "in.%s", key);
    if (!has(lab, full)) return NULL;
    assert_true(lab->n_inputs < MAX_INPUTS);
    struct tensor *tensor = load(lab, key);
    lab->inputs[lab->n_inputs].key = key;
    lab->inputs[lab->n_inputs++].tensor = tensor;
    return tensor;
}

static void near(const struct lab *lab, const char *full, bool weight, const struct tensor *shape,
                 const real *value, double tolerance) {
    double *wide = MEM_ARRAY(double, shape->count);
    for (size_t i = 0; i < shape->count; i++) {
        wide[shape->ndim == 4 ? file_index(weight, shape->dim, i) : i] = (double)value[i];
    }
    golden_near(lab->golden, full, wide, (int64_t)shape->count, tolerance, 0);
    mem_free(wide);
}

static void finish(struct lab *lab, struct tensor *y) {
    near(lab, "out.y", false, y, y->data, 1e-5);
    tape_seed_values(y, load(lab, "gy")->data);
    tape_run_backward(lab->tape);
    for (int i = 0; i < lab->n_inputs; i++) {
        char full[64];
        snprintf(full, sizeof full, "grad.%s", lab->inputs[i].key);
        const struct tensor *tensor = lab->inputs[i].tensor;
        near(lab, full, is_weight(lab->inputs[i].key), tensor, tensor->grad, lab->grad_tolerance);
    }
}

// --- single operations
// ---------------------------------------------------------------------------------

static void check_unary(struct lab *lab, const char *name) {
    static const struct {
        const char *name;
        struct tensor *(*op)(struct tape *tape, struct tensor *x);
    } ops[] = {{"relu", op_relu},
               {"elu", op_elu},
               {"silu", op_silu},
               {"gelu", op_gelu},
               {"tanh", op_tanh},
               {"sigmoid", op_sigmoid},
               {"softplus", op_softplus},
               {"softmax", op_softmax},
               {"log_softmax", op_log_softmax},
               {"global_avg_pool", op_mean_pool}};
    struct tensor *x = input(lab, "x");
    int kernel, stride, pad;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(name, ops[i].name)) continue;
        finish(lab, ops[i].op(lab->tape, x));
        return;
    }
    if (!strcmp(name, "l2_normalize")) {
        finish(lab, op_l2_normalize(lab->tape, x, 1e-12));
    } else if (sscanf(name, "max_pool_%dx%*d_s%d_p%d", &kernel, &stride, &pad) == 3) {
        finish(lab, op_max_pool(lab->tape, x, kernel, stride, pad));
    } else {
        fail_msg("%s: no layer '%s' here", lab->golden->path, name);
    }
}

static void check_linear(struct lab *lab) {
    struct tensor *x = input(lab, "x"), *w = input(lab, "w"), *b = input(lab, "b");
    finish(lab, op_linear(lab->tape, x, w, b, false));
}

static void check_conv(struct lab *lab) {
    struct tensor *x = input(lab, "x"), *w = input(lab, "w"), *b = input(lab, "b");
    finish(lab, op_conv(lab->tape, x, w, b, (int)hyper(lab, "stride"), (int)hyper(lab, "padding"),
                        false));
}

static void check_batch_norm(struct lab *lab) {
    struct tensor *x = input(lab, "x"), *w = input(lab, "w"), *b = input(lab, "b");
    struct tensor *mean = load(lab, "running_mean"), *var = load(lab, "running_var");
    struct tensor *y =
        op_batch_norm(lab->tape, x, w, b, mean->data, var->data, hyper(lab, "training") != 0,
                      hyper(lab, "momentum"), hyper(lab, "eps"));
    near(lab, "out.running_mean_after", false, mean, mean->data, 1e-5);
    near(lab, "out.running_var_after", false, var, var->data, 1e-5);
    finish(lab, y);
}

static void check_layer_norm(struct lab *lab) {
    struct tensor *x = input(lab, "x"), *w = input(lab, "w"), *b = input(lab, "b");
    finish(lab, op_layer_norm(lab->tape, x, w, b, hyper(lab, "eps")));
}

static void check_loss(struct lab *lab, const char *name) {
    struct tensor *x = input(lab, "x"), *y;
    if (!strcmp(name, "cross_entropy")) {
        const struct st_tensor *file = golden_tensor(lab->golden, "in.label");
        int *label = ARENA_ARRAY(tape_arena(lab->tape), int, file->count);
        for (int64_t i = 0; i < file->count; i++) label[i] = (int)st_get(file, i);
        finish(lab, op_cross_entropy(lab->tape, x, label));
        return;
    }
    struct tensor *target = load(lab, "target");
    if (!strcmp(name, "mse")) {
        y = op_mse(lab->tape, x, target);
    } else if (!strcmp(name, "huber")) {
        y = op_huber(lab->tape, x, target,
                     hyper(lab, "beta")); // smooth_l1's beta 1 is huber's delta 1
    } else if (!strcmp(name, "bce_with_logits")) {
        y = op_bce_logits(lab->tape, x, target);
    } else {
        fail_msg("%s: no loss '%s' here", lab->golden->path, name);
        return;
    }
    finish(lab, y);
}

// --- blocks
// ------------------------------------------------------------------------------------------------

// Where the file has an item: "res0.conv0.weight" is "res0.conv0_w",
// "block0.attn.qkv.bias" is "block0.qkv_b".
static void item_key(const char *stage, const char *name, char key[96]) {
    char text[PARAM_NAME_BYTES];
    snprintf(text, sizeof text, "%s", name);
    const char *drop[] = {"attn.", "mlp."};
    for (int i = 0; i < 2; i++) {
        char *at = strstr(text, drop[i]);
        size_t length = strlen(drop[i]);
        if (at) memmove(at, at + length, strlen(at + length) + 1);
    }
    char *end = strrchr(text, '.');
    if (end && !strcmp(end, ".weight")) strcpy(end, "_w");
    if (end && !strcmp(end, ".bias")) strcpy(end, "_b");
    snprintf(key, 96, "%s.%s", stage, !strncmp(text, "top.", 4) ? text + 4 : text);
}

static void fill_params(struct lab *lab) {
    struct rng rng = rng_seed(1);
    params_finish(&lab->params, true, &rng);
    for (int i = 0; i < lab->params.n_items; i++) {
        char key[96];
        item_key("in", lab->params.items[i].name, key);
        weights_from_file_order(&lab->params.items[i], golden_tensor(lab->golden, key),
                                lab->params.value + lab->params.items[i].offset);
    }
}

static void compare_params(struct lab *lab) {
    for (int i = 0; i < lab->params.n_items; i++) {
        const struct param_item *item = &lab->params.items[i];
        char key[96];
        item_key("grad", item->name, key);
        float *grad = MEM_ARRAY(float, item->count);
        weights_to_file_order(item, lab->params.grad + item->offset, grad);
        golden_near_float(lab->golden, key, grad, (int64_t)item->count, lab->grad_tolerance, 0);
        mem_free(grad);
    }
}

static const struct init zero = {INIT_ZERO, 0};

static void check_impala(struct lab *lab, const char *name) {
    struct tensor *x = input(lab, "x");
    int channels = (int)golden_tensor(lab->golden, "in.gy")->dim[1];
    if (!strcmp(name, "impala_res_block")) {
        struct residual block = residual_add(&lab->params, "top", channels, zero);
        fill_params(lab);
        finish(lab, residual(lab->tape, &lab->params, &block, x));
    } else {
        struct impala_stage stage =
            impala_stage_add(&lab->params, "top", x->dim[3], channels, zero);
        fill_params(lab);
        struct tensor *pooled = op_max_pool(
            lab->tape, conv(lab->tape, &lab->params, &stage.conv, op_detach(lab->tape, x), false),
            3, 2, 1);
        near(lab, "out.pooled", false, pooled, pooled->data, 1e-5);
        finish(lab, impala_stage(lab->tape, &lab->params, &stage, x));
    }
    compare_params(lab);
}

static void check_mha(struct lab *lab) {
    struct tensor *x = input(lab, "x");
    int heads = (int)hyper(lab, "heads");
    struct attention layer = attention_add(&lab->params, "top", x->dim[2], heads, zero);
    fill_params(lab);
    struct tensor *weights =
        tape_new(lab->tape, 4, (int[]){x->dim[0], heads, x->dim[1], x->dim[1]}, false);
    struct tensor *y = attention(lab->tape, &lab->params, &layer, x, weights->data);
    golden_near_float(lab->golden, "out.attention", weights->data, (int64_t)weights->count, 1e-5,
                      0);
    finish(lab, y);
    compare_params(lab);
}

static void check_vit(struct lab *lab) {
    struct tensor *x = input(lab, "x");
    struct params *params = &lab->params;
    int width = (int)golden_tensor(lab->golden, "in.cls")->dim[2], heads = (int)hyper(lab, "heads");
    int depth = (int)hyper(lab, "depth"), patch = (int)hyper(lab, "patch");
    int tokens = (int)golden_tensor(lab->golden, "in.pos")->dim[1];
    struct conv patches = conv_add(params, "patch", x->dim[3], width, patch, patch, 0, zero);
    int cls = params_add(params, "cls", 1, &width, zero, 0, 0);
    int pos = params_add(params, "pos", 2, (int[]){tokens, width}, zero, 0, 0);
    struct transformer blocks[4];
    assert_true(depth <= 4);
    for (int i = 0; i < depth; i++) {
        char name[16];
        snprintf(name, sizeof name, "block%d", i);
        blocks[i] = transformer_add(params, name, width, heads, 4 * width, zero);
    }
    struct norm norm = layer_norm_add(params, "norm", width);
    norm.eps = hyper(lab, "eps");
    fill_params(lab);

    struct tensor *h = conv(lab->tape, params, &patches, x, false);
    h = op_reshape(lab->tape, h, 3, (int[]){h->dim[0], tokens - 1, width});
    h = tokens_embed(lab->tape, h, tape_param(lab->tape, params, cls),
                     tape_param(lab->tape, params, pos));
    near(lab, "out.tokens_in", false, h, h->data, 1e-5);
    for (int i = 0; i < depth; i++) {
        struct tensor *weights =
            tape_new(lab->tape, 4, (int[]){x->dim[0], heads, tokens, tokens}, false);
        h = transformer(lab->tape, params, &blocks[i], h, weights->data);
        char key[32];
        snprintf(key, sizeof key, "out.attention_%d", i);
        golden_near_float(lab->golden, key, weights->data, (int64_t)weights->count, 1e-5, 0);
    }
    near(lab, "out.tokens_out", false, h, h->data, 1e-5);
    h = layer_norm(lab->tape, params, &norm, h);
    finish(lab, tokens_pick(lab->tape, h, 0));
    compare_params(lab);
}

static void check(const struct golden_case *golden, void *context) {
    struct lab lab = {.golden = golden, .grad_tolerance = 1e-5, .tape = context};
    tape_reset(lab.tape);
    const char *name = json_string_value(json_object_get(golden->entry, "layer"));
    assert_non_null(name);
    bool block = !strncmp(name, "impala", 6) || !strcmp(name, "mha") || !strcmp(name, "vit_cls");
    if (block) lab.grad_tolerance = 1e-4;
    if (!strncmp(name, "impala", 6)) {
        check_impala(&lab, name);
    } else if (!strcmp(name, "mha")) {
        check_mha(&lab);
    } else if (!strcmp(name, "vit_cls")) {
        check_vit(&lab);
    } else if (!strncmp(name, "linear", 6)) {
        check_linear(&lab);
    } else if (!strncmp(name, "conv_", 5)) {
        check_conv(&lab);
    } else if (!strncmp(name, "batch_norm", 10)) {
        check_batch_norm(&lab);
    } else if (!strcmp(name, "layer_norm")) {
        check_layer_norm(&lab);
    } else if (has(&lab, "in.target") || has(&lab, "in.label")) {
        check_loss(&lab, name);
    } else {
        check_unary(&lab, name);
    }
    params_release(&lab.params);
}

static void every_case(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct tape *tape = tape_create((size_t)64 << 20, NULL, &err);
    assert_non_null(tape);
    golden_each("nets/layers", check, tape);
    tape_destroy(tape);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
