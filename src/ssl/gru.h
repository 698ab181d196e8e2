// A gated recurrent unit (Cho et al. 2014) in torch's form: gates r, z, n stacked in the weights.
#pragma once

#include "nn/layers.h"

struct gru {
    int weight_ih, weight_hh, bias_ih, bias_hh; // (3 H, in), (3 H, H), (3 H), (3 H)
    int in, hidden;
};

struct gru gru_add(struct params *params, const char *prefix, int in, int hidden);
// x (B, in), h (B, hidden) -> next h: n = tanh(Wx + b + r (Uh + c)), h' = (1 - z) n + z h.
struct tensor *gru(struct tape *tape, const struct params *params, const struct gru *layer,
                   struct tensor *x, struct tensor *h);
