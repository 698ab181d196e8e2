#include "nn/state.h"

#include <stdio.h>
#include <string.h>

size_t state_enter(struct state_visitor *visitor, const char *name) {
    size_t mark = strlen(visitor->prefix);
    int length = snprintf(visitor->prefix + mark, sizeof visitor->prefix - mark, "%s%s",
                          mark ? "." : "", name);
    RL_ASSERT(length >= 0 && mark + (size_t)length < sizeof visitor->prefix);
    return mark;
}

void state_leave(struct state_visitor *visitor, size_t mark) {
    visitor->prefix[mark] = '\0';
}

void state_bytes(struct state_visitor *visitor, const char *name, void *data, size_t size) {
    char full[sizeof visitor->prefix + PARAM_NAME_BYTES];
    int length =
        snprintf(full, sizeof full, "%s%s%s", visitor->prefix, *visitor->prefix ? "." : "", name);
    RL_ASSERT(length >= 0 && (size_t)length < sizeof full);
    visitor->bytes(visitor, full, data, size);
}

void state_params(struct state_visitor *visitor, const char *name, struct params *params) {
    size_t mark = state_enter(visitor, name);
    for (int i = 0; i < params->n_items; i++) {
        struct param_item *item = &params->items[i];
        state_bytes(visitor, item->name, params->value + item->offset, item->count * sizeof(real));
    }
    state_leave(visitor, mark);
}

void state_rng(struct state_visitor *visitor, const char *name, struct rng *rng) {
    state_bytes(visitor, name, rng->state, sizeof rng->state);
}
