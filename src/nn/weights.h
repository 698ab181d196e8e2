// Weights in safetensors files, so that Python reads them as a PyTorch state dict: names as in
// params, 32-bit floats, convolutions stored (out, in, k, k), linear layers (out, in).
#pragma once

#include "nn/params.h"
#include "nn/safetensors.h"

// A block's tensors are called prefix + item name ("encoder." + "conv0.weight"); "" for no prefix.
struct weights_block {
    const char *prefix;
    struct params *params;
};

// meta: n_meta pairs key, value for the file's __metadata__. Atomic.
RL_CHECKED enum rl_status weights_save(const char *path, const struct weights_block *blocks,
                                       int n_blocks, const char *const *meta, int n_meta,
                                       struct rl_error *err);

// Fills the blocks from the file. Every item must be there with its shape, of floats that are
// finite, and nothing else may be: RL_EFORMAT names the tensor, and no weight has changed.
RL_CHECKED enum rl_status weights_load(const char *path, const struct weights_block *blocks,
                                       int n_blocks, struct rl_error *err);

// The same from a file already read (name: for the message). Tensors that belong to no block are
// refused unless extra_ok.
RL_CHECKED enum rl_status weights_take(const struct st_file *file, const char *name,
                                       const struct weights_block *blocks, int n_blocks,
                                       bool extra_ok, struct rl_error *err);

// One item between the block's order and the file's; count numbers.
void weights_to_file_order(const struct param_item *item, const real *value, float *out);
void weights_from_file_order(const struct param_item *item, const struct st_tensor *tensor,
                             real *value);
