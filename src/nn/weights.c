#include "nn/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define NAME_BYTES 192

// Element i of the block's order (k, k, in, out) is this one of the file's (out, in, k, k).
static size_t file_index(const struct param_item *item, size_t i) {
    if (item->ndim != 4) return i;
    size_t out = (size_t)item->dim[3], in = (size_t)item->dim[2];
    size_t spots = (size_t)item->dim[0] * (size_t)item->dim[1];
    size_t spot = i / (in * out);
    return (i % out * in + i / out % in) * spots + spot;
}

static int64_t file_dim(const struct param_item *item, int d) {
    static const int source[4] = {3, 2, 0, 1};
    return item->dim[item->ndim == 4 ? source[d] : d];
}

void weights_to_file_order(const struct param_item *item, const real *value, float *out) {
    for (size_t i = 0; i < item->count; i++) out[file_index(item, i)] = (float)value[i];
}

void weights_from_file_order(const struct param_item *item, const struct st_tensor *tensor,
                             real *value) {
    RL_ASSERT(tensor->count == (int64_t)item->count);
    for (size_t i = 0; i < item->count; i++) {
        value[i] = (real)st_get(tensor, (int64_t)file_index(item, i));
    }
}

static void full_name(const struct weights_block *block, int item, char name[NAME_BYTES]) {
    int length = snprintf(name, NAME_BYTES, "%s%s", block->prefix, block->params->items[item].name);
    RL_ASSERT(length > 0 && length < NAME_BYTES);
}

static struct st_tensor export_item(const struct weights_block *block, int id) {
    const struct param_item *item = &block->params->items[id];
    char name[NAME_BYTES];
    full_name(block, id, name);
    float *data = MEM_ARRAY(float, item->count);
    weights_to_file_order(item, block->params->value + item->offset, data);
    struct st_tensor tensor = {.name = mem_strdup(name),
                               .dtype = ST_F32,
                               .ndim = item->ndim,
                               .count = (int64_t)item->count,
                               .data = data};
    for (int d = 0; d < item->ndim; d++) tensor.dim[d] = file_dim(item, d);
    return tensor;
}

enum rl_status weights_save(const char *path, const struct weights_block *blocks, int n_blocks,
                            const char *const *meta, int n_meta, struct rl_error *err) {
    int count = 0, at = 0;
    for (int b = 0; b < n_blocks; b++) count += blocks[b].params->n_items;
    struct st_tensor *tensors = MEM_ARRAY(struct st_tensor, count);
    for (int b = 0; b < n_blocks; b++) {
        for (int i = 0; i < blocks[b].params->n_items; i++) {
            tensors[at++] = export_item(&blocks[b], i);
        }
    }
    enum rl_status status = st_write(path, tensors, count, meta, n_meta, err);
    for (int i = 0; i < count; i++) {
        mem_free(tensors[i].name);
        mem_free((void *)tensors[i].data);
    }
    mem_free(tensors);
    return status;
}

static void shape_text(int ndim, const int64_t *dim, char text[128]) {
    size_t used = 0;
    text[0] = '\0';
    for (int d = 0; d < ndim && used < 100; d++) {
        used +=
            (size_t)snprintf(text + used, 128 - used, "%s%lld", d ? ", " : "", (long long)dim[d]);
    }
}

static enum rl_status check_item(const struct st_file *file, const char *file_name,
                                 const struct weights_block *block, int id, struct rl_error *err) {
    const struct param_item *item = &block->params->items[id];
    char name[NAME_BYTES], wanted[128], found[128];
    full_name(block, id, name);
    const struct st_tensor *tensor = st_find(file, name);
    if (!tensor) return rl_fail(err, RL_EFORMAT, "%s: no tensor '%s'", file_name, name);
    if (tensor->dtype != ST_F32 && tensor->dtype != ST_F64) {
        return rl_fail(err, RL_EFORMAT, "%s: tensor '%s' is not of floats", file_name, name);
    }
    int64_t dim[4] = {0};
    bool same = tensor->ndim == item->ndim;
    for (int d = 0; d < item->ndim; d++) {
        dim[d] = file_dim(item, d);
        same = same && tensor->dim[d] == dim[d];
    }
    if (!same) {
        shape_text(item->ndim, dim, wanted);
        shape_text(tensor->ndim, tensor->dim, found);
        return rl_fail(err, RL_EFORMAT, "%s: tensor '%s' has shape (%s), the network needs (%s)",
                       file_name, name, found, wanted);
    }
    for (int64_t i = 0; i < tensor->count; i++) {
        if (isfinite((real)st_get(tensor, i))) continue;
        return rl_fail(err, RL_EFORMAT, "%s: tensor '%s' has a number that is not finite",
                       file_name, name);
    }
    return RL_OK;
}

static bool belongs(const char *name, const struct weights_block *blocks, int n_blocks) {
    for (int b = 0; b < n_blocks; b++) {
        size_t length = strlen(blocks[b].prefix);
        if (!strncmp(name, blocks[b].prefix, length) &&
            params_find(blocks[b].params, name + length) >= 0) {
            return true;
        }
    }
    return false;
}

enum rl_status weights_take(const struct st_file *file, const char *name,
                            const struct weights_block *blocks, int n_blocks, bool extra_ok,
                            struct rl_error *err) {
    for (int b = 0; b < n_blocks; b++) {
        for (int i = 0; i < blocks[b].params->n_items; i++) {
            enum rl_status status = check_item(file, name, &blocks[b], i, err);
            if (status != RL_OK) return status;
        }
    }
    for (int i = 0; !extra_ok && i < file->n_tensors; i++) {
        if (belongs(file->tensors[i].name, blocks, n_blocks)) continue;
        return rl_fail(err, RL_EFORMAT, "%s: tensor '%.100s' is not part of the network", name,
                       file->tensors[i].name);
    }
    for (int b = 0; b < n_blocks; b++) {
        struct params *params = blocks[b].params;
        for (int i = 0; i < params->n_items; i++) {
            char key[NAME_BYTES];
            full_name(&blocks[b], i, key);
            weights_from_file_order(&params->items[i], st_find(file, key),
                                    params->value + params->items[i].offset);
        }
    }
    return RL_OK;
}

enum rl_status weights_load(const char *path, const struct weights_block *blocks, int n_blocks,
                            struct rl_error *err) {
    struct st_file file;
    enum rl_status status = st_read(path, &file, err);
    if (status != RL_OK) return status;
    status = weights_take(&file, path, blocks, n_blocks, false, err);
    st_release(&file);
    return status;
}
