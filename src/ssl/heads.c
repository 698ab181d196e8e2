#include "ssl/heads.h"

#include <stdio.h>

#define GROUPS 16

const char *const head_norm_names[] = {"none", "batch", "layer", "group", NULL};

static struct norm add_norm(struct params *params, const char *name, enum head_norm kind,
                            int size) {
    switch (kind) {
    case HEAD_NORM_BATCH: return batch_norm_add(params, name, size, true);
    case HEAD_NORM_LAYER: return layer_norm_add(params, name, size);
    case HEAD_NORM_GROUP: return group_norm_add(params, name, size, size % GROUPS ? 1 : GROUPS);
    case HEAD_NORM_NONE: break;
    }
    return (struct norm){0};
}

struct head_spec head_mlp(int n_layers, int in, int hidden, int out, enum head_norm norm) {
    struct head_spec spec = {.n_sizes = n_layers + 1, .norm = norm};
    RL_ASSERT(n_layers >= 1 && n_layers <= HEAD_MAX_LAYERS);
    for (int i = 1; i < n_layers; i++) spec.sizes[i] = hidden;
    spec.sizes[0] = in;
    spec.sizes[n_layers] = out;
    return spec;
}

struct head head_add(struct params *params, const char *prefix, const struct head_spec *spec) {
    RL_ASSERT(spec->n_sizes >= 2 && spec->n_sizes <= HEAD_MAX_LAYERS + 1);
    struct head layers = {.spec = *spec};
    int n_layers = spec->n_sizes - 1;
    for (int i = 0; i < n_layers; i++) {
        char name[PARAM_NAME_BYTES];
        bool last = i == n_layers - 1;
        // A norm that follows takes the bias away again.
        bool bias = last ? spec->last_bias && !spec->norm_last : spec->norm == HEAD_NORM_NONE;
        snprintf(name, sizeof name, "%s.%d", prefix, i);
        layers.linear[i] = linear_add(params, name, spec->sizes[i], spec->sizes[i + 1], bias,
                                      (struct init){INIT_FAN_IN, 0});
        snprintf(name, sizeof name, "%s.%d.norm", prefix, i);
        if (!last) layers.norm[i] = add_norm(params, name, spec->norm, spec->sizes[i + 1]);
        if (last && spec->norm_last)
            layers.norm[i] = batch_norm_add(params, name, spec->sizes[i + 1], false);
    }
    return layers;
}

static struct tensor *standardized(struct tape *tape, const struct params *params,
                                   const struct linear *layer, struct tensor *x) {
    struct tensor *weight = tape_param(tape, params, layer->weight);
    weight = op_layer_norm(tape, weight, NULL, NULL, 1e-5);
    struct tensor *bias = layer->bias >= 0 ? tape_param(tape, params, layer->bias) : NULL;
    return op_linear(tape, x, weight, bias, false);
}

struct tensor *head(struct tape *tape, const struct params *params, const struct head *layers,
                    struct tensor *x) {
    const struct head_spec *spec = &layers->spec;
    int n_layers = spec->n_sizes - 1;
    for (int i = 0; i < n_layers; i++) {
        bool last = i == n_layers - 1;
        x = spec->norm == HEAD_NORM_GROUP && !last
                ? standardized(tape, params, &layers->linear[i], x)
                : linear(tape, params, &layers->linear[i], x, false);
        const struct norm *norm = &layers->norm[i];
        if (last) return spec->norm_last ? batch_norm(tape, params, norm, x, true) : x;
        if (spec->norm == HEAD_NORM_BATCH) x = batch_norm(tape, params, norm, x, true);
        if (spec->norm == HEAD_NORM_LAYER) x = layer_norm(tape, params, norm, x);
        if (spec->norm == HEAD_NORM_GROUP) x = group_norm(tape, params, norm, x);
        x = activate(tape, spec->activation, x);
    }
    return x;
}

struct tensor *head_in_groups(struct tape *tape, const struct params *params,
                              const struct head *layers, struct tensor *x, int groups,
                              const int *order) {
    int n = x->dim[0], each = n / groups;
    RL_ASSERT(groups >= 1 && each * groups == n);
    struct tensor *all = NULL;
    if (order) x = op_gather_rows(tape, x, order, n);
    for (int g = 0; g < groups; g++) {
        struct tensor *part = head(tape, params, layers, op_rows(tape, x, g * each, each));
        all = all ? op_concat_rows(tape, all, part) : part;
    }
    if (!order) return all;
    int *back = ARENA_ARRAY(tape_arena(tape), int, n);
    for (int i = 0; i < n; i++) back[order[i]] = i;
    return op_gather_rows(tape, all, back, n);
}
