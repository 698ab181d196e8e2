#include "ssl/gru.h"

#include <math.h>
#include <stdio.h>

struct gru gru_add(struct params *params, const char *prefix, int in, int hidden) {
    struct gru layer = {.in = in, .hidden = hidden};
    struct init init = {INIT_UNIFORM, 1 / sqrt(hidden)};
    char name[PARAM_NAME_BYTES];
    const int size = 3 * hidden;
    snprintf(name, sizeof name, "%s.weight_ih", prefix);
    layer.weight_ih = params_add(params, name, 2, (int[]){size, in}, init, in, size);
    snprintf(name, sizeof name, "%s.weight_hh", prefix);
    layer.weight_hh = params_add(params, name, 2, (int[]){size, hidden}, init, hidden, size);
    snprintf(name, sizeof name, "%s.bias_ih", prefix);
    layer.bias_ih = params_add(params, name, 1, &size, init, in, size);
    snprintf(name, sizeof name, "%s.bias_hh", prefix);
    layer.bias_hh = params_add(params, name, 1, &size, init, hidden, size);
    params->items[layer.bias_ih].no_decay = params->items[layer.bias_hh].no_decay = true;
    return layer;
}

struct tensor *gru(struct tape *tape, const struct params *params, const struct gru *layer,
                   struct tensor *x, struct tensor *h) {
    int hidden = layer->hidden;
    struct tensor *a = op_linear(tape, x, tape_param(tape, params, layer->weight_ih),
                                 tape_param(tape, params, layer->bias_ih), false);
    struct tensor *b = op_linear(tape, h, tape_param(tape, params, layer->weight_hh),
                                 tape_param(tape, params, layer->bias_hh), false);
    struct tensor *gates = op_sigmoid(
        tape, op_add(tape, op_columns(tape, a, 0, 2 * hidden), op_columns(tape, b, 0, 2 * hidden)));
    struct tensor *r = op_columns(tape, gates, 0, hidden);
    struct tensor *z = op_columns(tape, gates, hidden, hidden);
    struct tensor *inner = op_mul(tape, r, op_columns(tape, b, 2 * hidden, hidden));
    struct tensor *n = op_tanh(tape, op_add(tape, op_columns(tape, a, 2 * hidden, hidden), inner));
    return op_add(tape, n, op_mul(tape, z, op_sub(tape, h, n)));
}
