// How an object shows its state for a checkpoint: one visit function names every field once and
// serves saving, loading and comparing. Each call is visitor->fn(name, data, bytes): a saver reads,
// a loader writes.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "nn/params.h"

struct state_visitor {
    void (*bytes)(struct state_visitor *visitor, const char *name, void *data, size_t size);
    char prefix[128]; // prepended to every name, with a dot
};

void state_bytes(struct state_visitor *visitor, const char *name, void *data, size_t size);
void state_params(struct state_visitor *visitor, const char *name, struct params *params); // values
void state_rng(struct state_visitor *visitor, const char *name, struct rng *rng);
#define state_field(visitor, object, field)                                                        \
    state_bytes(visitor, #field, &(object)->field, sizeof(object)->field)
