// The safetensors file layout (8 bytes header size, JSON header, raw data), in and out. Files may
// be hostile: sizes, offsets and shapes are checked before anything is taken from them.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum st_dtype { ST_F64, ST_F32, ST_I64, ST_I32, ST_U32, ST_U8, ST_BOOL };
#define ST_MAX_DIMS 8

struct st_tensor {
    char *name;
    enum st_dtype dtype;
    int ndim;
    int64_t dim[ST_MAX_DIMS];
    int64_t count;    // elements
    const void *data; // into the file's bytes; maybe unaligned: read with st_get or memcpy
};

struct st_file {
    struct st_tensor *tensors;
    int n_tensors;
    char **meta_keys, **meta_values; // __metadata__
    int n_meta;
    unsigned char *bytes; // owned
};

RL_CHECKED enum rl_status st_read(const char *path, struct st_file *file, struct rl_error *err);
// Parses bytes (mem_alloc'ed; taken over, freed on failure too).
RL_CHECKED enum rl_status st_parse(unsigned char *bytes, size_t size, const char *name,
                                   struct st_file *file, struct rl_error *err);
void st_release(struct st_file *file);
const struct st_tensor *st_find(const struct st_file *file, const char *name); // NULL when absent
const char *st_meta(const struct st_file *file, const char *key);              // NULL when absent
double st_get(const struct st_tensor *tensor, int64_t index); // element as a number
void st_copy_float(const struct st_tensor *tensor, float *out);
void st_copy_double(const struct st_tensor *tensor, double *out);
size_t st_dtype_bytes(enum st_dtype dtype);

// Writing: tensors' data is borrowed; meta is n_meta pairs key, value. Atomic.
RL_CHECKED enum rl_status st_write(const char *path, const struct st_tensor *tensors, int n_tensors,
                                   const char *const *meta, int n_meta, struct rl_error *err);
