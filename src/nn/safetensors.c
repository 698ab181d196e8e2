#include "nn/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define FILE_LIMIT_BYTES   ((size_t)16 << 30)
#define HEADER_LIMIT_BYTES ((size_t)100 << 20) // as the official reader

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {{"F64", 8}, {"F32", 4}, {"I64", 8}, {"I32", 4}, {"U32", 4}, {"U8", 1}, {"BOOL", 1}};
#define N_DTYPES ((int)(sizeof dtypes / sizeof *dtypes))

size_t st_dtype_bytes(enum st_dtype dtype) {
    return dtypes[dtype].bytes;
}

static bool parse_dtype(const char *name, enum st_dtype *out) {
    for (int i = 0; name && i < N_DTYPES; i++) {
        if (strcmp(name, dtypes[i].name)) continue;
        *out = (enum st_dtype)i;
        return true;
    }
    return false;
}

// Fills dim and count; false when it is not an array of sizes whose product fits.
static bool parse_shape(const json_t *shape, struct st_tensor *tensor) {
    if (!json_is_array(shape) || json_array_size(shape) > ST_MAX_DIMS) return false;
    tensor->ndim = (int)json_array_size(shape);
    tensor->count = 1;
    for (int i = 0; i < tensor->ndim; i++) {
        const json_t *size = json_array_get(shape, (size_t)i);
        if (!json_is_integer(size) || json_integer_value(size) < 0) return false;
        tensor->dim[i] = json_integer_value(size);
        if (__builtin_mul_overflow(tensor->count, tensor->dim[i], &tensor->count)) return false;
    }
    return true;
}

static enum rl_status parse_tensor(const char *name, const json_t *entry, const unsigned char *data,
                                   size_t data_size, struct st_tensor *tensor,
                                   const char *file_name, struct rl_error *err) {
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    bool known = parse_dtype(json_string_value(json_object_get(entry, "dtype")), &tensor->dtype) &&
                 parse_shape(json_object_get(entry, "shape"), tensor);
    bool inside = known && json_is_integer(begin) && json_is_integer(end) &&
                  json_integer_value(begin) >= 0 &&
                  json_integer_value(begin) <= json_integer_value(end) &&
                  (uint64_t)json_integer_value(end) <= data_size;
    if (!inside)
        return rl_fail(err, RL_EFORMAT, "%s: tensor '%.100s' has a bad entry", file_name, name);
    size_t size;
    bool fits = mem_size_checked((size_t)tensor->count, st_dtype_bytes(tensor->dtype), &size) &&
                size == (size_t)(json_integer_value(end) - json_integer_value(begin));
    if (!fits)
        return rl_fail(err, RL_EFORMAT, "%s: tensor '%.100s': shape and size differ", file_name,
                       name);
    tensor->name = mem_strdup(name);
    tensor->data = data + json_integer_value(begin);
    return RL_OK;
}

static void parse_meta(const json_t *meta, struct st_file *file) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)meta, key, value) {
        if (!json_is_string(value)) continue;
        file->meta_keys[file->n_meta] = mem_strdup(key);
        file->meta_values[file->n_meta++] = mem_strdup(json_string_value(value));
    }
}

static enum rl_status parse_header(const json_t *header, const unsigned char *data,
                                   size_t data_size, const char *name, struct st_file *file,
                                   struct rl_error *err) {
    file->tensors = MEM_ARRAY(struct st_tensor, json_object_size(header) + 1);
    const char *key;
    json_t *entry;
    json_object_foreach((json_t *)header, key, entry) {
        if (!strcmp(key, "__metadata__")) {
            file->meta_keys = MEM_ARRAY(char *, json_object_size(entry) + 1);
            file->meta_values = MEM_ARRAY(char *, json_object_size(entry) + 1);
            parse_meta(entry, file);
            continue;
        }
        enum rl_status status =
            parse_tensor(key, entry, data, data_size, &file->tensors[file->n_tensors], name, err);
        if (status != RL_OK) return status;
        file->n_tensors++;
    }
    return RL_OK;
}

enum rl_status st_parse(unsigned char *bytes, size_t size, const char *name, struct st_file *file,
                        struct rl_error *err) {
    *file = (struct st_file){.bytes = bytes};
    uint64_t header_size = 0;
    enum rl_status status = RL_OK;
    if (size >= 8) memcpy(&header_size, bytes, 8);
    if (size < 8 || header_size > size - 8 || header_size > HEADER_LIMIT_BYTES) {
        status = rl_fail(err, RL_EFORMAT, "%s: not a safetensors file, or cut short", name);
    } else {
        json_error_t problem;
        json_t *header =
            json_loadb((const char *)bytes + 8, header_size, JSON_REJECT_DUPLICATES, &problem);
        if (!json_is_object(header)) {
            status = rl_fail(err, RL_EFORMAT, "%s: bad safetensors header: %.100s", name,
                             header ? "not an object" : problem.text);
        } else {
            const unsigned char *data = bytes + 8 + header_size;
            status = parse_header(header, data, size - 8 - header_size, name, file, err);
        }
        json_decref(header);
    }
    if (status != RL_OK) st_release(file);
    return status;
}

enum rl_status st_read(const char *path, struct st_file *file, struct rl_error *err) {
    struct bytes bytes;
    *file = (struct st_file){0};
    enum rl_status status = file_read(path, FILE_LIMIT_BYTES, &bytes, err);
    return status == RL_OK ? st_parse(bytes.data, bytes.size, path, file, err) : status;
}

void st_release(struct st_file *file) {
    for (int i = 0; i < file->n_tensors; i++) mem_free(file->tensors[i].name);
    for (int i = 0; i < file->n_meta; i++) {
        mem_free(file->meta_keys[i]);
        mem_free(file->meta_values[i]);
    }
    mem_free(file->meta_keys);
    mem_free(file->meta_values);
    mem_free(file->tensors);
    mem_free(file->bytes);
    *file = (struct st_file){0};
}

const struct st_tensor *st_find(const struct st_file *file, const char *name) {
    for (int i = 0; i < file->n_tensors; i++) {
        if (!strcmp(file->tensors[i].name, name)) return &file->tensors[i];
    }
    return NULL;
}

const char *st_meta(const struct st_file *file, const char *key) {
    for (int i = 0; i < file->n_meta; i++) {
        if (!strcmp(file->meta_keys[i], key)) return file->meta_values[i];
    }
    return NULL;
}

#define ST_READ(type)                                                                              \
    do {                                                                                           \
        type value;                                                                                \
        memcpy(&value, (const char *)tensor->data + (size_t)index * sizeof value, sizeof value);   \
        return (double)value;                                                                      \
    } while (0)

double st_get(const struct st_tensor *tensor, int64_t index) {
    RL_ASSERT(index >= 0 && index < tensor->count);
    switch (tensor->dtype) {
    case ST_F64: ST_READ(double);
    case ST_F32: ST_READ(float);
    case ST_I64: ST_READ(int64_t);
    case ST_I32: ST_READ(int32_t);
    case ST_U32: ST_READ(uint32_t);
    case ST_U8:
    case ST_BOOL: ST_READ(uint8_t);
    }
    return 0;
}

void st_copy_float(const struct st_tensor *tensor, float *out) {
    for (int64_t i = 0; i < tensor->count; i++) out[i] = (float)st_get(tensor, i);
}

void st_copy_double(const struct st_tensor *tensor, double *out) {
    for (int64_t i = 0; i < tensor->count; i++) out[i] = st_get(tensor, i);
}

static json_t *header_json(const struct st_tensor *tensors, int n_tensors, const char *const *meta,
                           int n_meta) {
    json_t *header = json_object();
    if (n_meta) {
        json_t *object = json_object();
        for (int i = 0; i < n_meta; i++) {
            json_object_set_new(object, meta[2 * i], json_string(meta[2 * i + 1]));
        }
        json_object_set_new(header, "__metadata__", object);
    }
    size_t at = 0;
    for (int i = 0; i < n_tensors; i++) {
        size_t size = mem_size((size_t)tensors[i].count, st_dtype_bytes(tensors[i].dtype));
        json_t *shape = json_array();
        for (int d = 0; d < tensors[i].ndim; d++)
            json_array_append_new(shape, json_integer(tensors[i].dim[d]));
        json_object_set_new(header, tensors[i].name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype",
                                      dtypes[tensors[i].dtype].name, "shape", shape, "data_offsets",
                                      (json_int_t)at, (json_int_t)(at + size)));
        at += size;
    }
    return header;
}

enum rl_status st_write(const char *path, const struct st_tensor *tensors, int n_tensors,
                        const char *const *meta, int n_meta, struct rl_error *err) {
    json_t *header = header_json(tensors, n_tensors, meta, n_meta);
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    RL_ASSERT(text);
    // Padded with spaces so that the data starts at a multiple of 64 bytes.
    size_t length = strlen(text);
    uint64_t header_size = (length + 8 + 63) / 64 * 64 - 8;
    char spaces[64];
    memset(spaces, ' ', sizeof spaces);
    struct file_writer writer;
    enum rl_status status = file_writer_open(&writer, path, err);
    if (status == RL_OK) {
        file_writer_add(&writer, &header_size, 8);
        file_writer_add(&writer, text, length);
        file_writer_add(&writer, spaces, header_size - length);
        for (int i = 0; i < n_tensors; i++) {
            file_writer_add(&writer, tensors[i].data,
                            mem_size((size_t)tensors[i].count, st_dtype_bytes(tensors[i].dtype)));
        }
        status = file_writer_commit(&writer, err);
    }
    free(text);
    return status;
}
