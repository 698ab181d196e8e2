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

// For a part of an object: appends name to the prefix; leave with the mark that enter returned.
size_t state_enter(struct state_visitor *visitor, const char *name);
void state_leave(struct state_visitor *visitor, size_t mark);

void state_bytes(struct state_visitor *visitor, const char *name, void *data, size_t size);
// Values only, one entry for each item: "name.actor.0.weight".
void state_params(struct state_visitor *visitor, const char *name, struct params *params);
void state_rng(struct state_visitor *visitor, const char *name, struct rng *rng);
#define state_field(visitor, object, field)                                                        \
    state_bytes(visitor, #field, &(object)->field, sizeof(object)->field)
