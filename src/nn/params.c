#include "nn/params.h"

#include <string.h>

#include "base/mem.h"
#include "math/vec.h"
#include "nn/init.h"

#define ALIGN_ELEMENTS ((size_t)64 / sizeof(real))

int params_add(struct params *params, const char *name, int ndim, const int *dim, struct init init,
               int fan_in, int fan_out) {
    RL_ASSERT(!params->value); // the block has its size once it is finished
    RL_ASSERT(ndim >= 1 && ndim <= 4);
    if (strlen(name) >= PARAM_NAME_BYTES || params_find(params, name) >= 0) {
        rl_abort(__FILE__, __LINE__, "parameter name '%s' is used twice or too long", name);
    }
    struct param_item item = {.ndim = ndim,
                              .offset = params->count,
                              .count = 1,
                              .init = init,
                              .fan_in = fan_in,
                              .fan_out = fan_out};
    strcpy(item.name, name);
    for (int i = 0; i < ndim; i++) {
        RL_ASSERT(dim[i] > 0);
        item.dim[i] = dim[i];
        item.count *= (size_t)dim[i];
    }
    size_t old_bytes = (size_t)params->n_items * sizeof item;
    params->items = mem_grow(params->items, old_bytes, old_bytes + sizeof item);
    params->items[params->n_items] = item;
    params->count += (item.count + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
    return params->n_items++;
}

int params_add_buffer(struct params *params, const char *name, int count, double value) {
    int id = params_add(params, name, 1, &count, (struct init){INIT_CONSTANT, value}, 0, 0);
    params->items[id].buffer = true;
    return id;
}

void params_finish(struct params *params, bool with_grad, struct rng *rng) {
    RL_ASSERT(!params->value);
    params->value = MEM_ARRAY(real, params->count);
    if (with_grad) params->grad = MEM_ARRAY(real, params->count);
    for (int i = 0; i < params->n_items; i++) {
        init_fill(&params->items[i], params->value + params->items[i].offset, rng);
    }
}

void params_release(struct params *params) {
    mem_free(params->items);
    mem_free(params->value);
    mem_free(params->grad);
    *params = (struct params){0};
}

void params_clone(struct params *clone, const struct params *source) {
    *clone = (struct params){.n_items = source->n_items, .count = source->count};
    clone->items = MEM_ARRAY(struct param_item, source->n_items);
    memcpy(clone->items, source->items, (size_t)source->n_items * sizeof *source->items);
    clone->value = MEM_ARRAY(real, source->count);
    memcpy(clone->value, source->value, source->count * sizeof(real));
}

void params_copy(struct params *to, const struct params *from) {
    RL_ASSERT(to->count == from->count && to->n_items == from->n_items);
    memcpy(to->value, from->value, from->count * sizeof(real));
}

void params_zero_grad(struct params *params) {
    if (params->grad) memset(params->grad, 0, params->count * sizeof(real));
}

int params_find(const struct params *params, const char *name) {
    for (int i = 0; i < params->n_items; i++) {
        if (!strcmp(params->items[i].name, name)) return i;
    }
    return -1;
}

const char *params_not_finite(const struct params *params, bool in_grad) {
    const real *block = in_grad ? params->grad : params->value;
    RL_ASSERT(block);
    for (int i = 0; i < params->n_items; i++) {
        const struct param_item *item = &params->items[i];
        if (!vec_is_finite(item->count, block + item->offset)) return item->name;
    }
    return NULL;
}
