// NumPy's files. .npy: a magic, a header (a Python dictionary: descr, fortran_order, shape) and the
// values. .npz: a zip archive of .npy members, stored or deflated (zlib). Readers are strict: what
// a header claims is held against the bytes that are there before anything is allocated, and
// nothing is ever unpacked to the disk.
#pragma once

#include <stdint.h>

#include "base/file.h"

#define NPY_MAX_DIMS 4

enum npy_type { NPY_BOOL, NPY_INT, NPY_UINT, NPY_FLOAT };

// Values in C order, little endian; a view of the bytes that were parsed.
struct npy {
    enum npy_type type;
    int item_bytes, n_dims;
    int64_t dim[NPY_MAX_DIMS]; // 1 beyond n_dims
    int64_t count;             // product of dim
    const unsigned char *data;
};

// name is for messages.
RL_CHECKED enum rl_status npy_parse(const char *name, const unsigned char *data, size_t size,
                                    struct npy *out, struct rl_error *err);
double npy_value(const struct npy *array, int64_t at);

struct npz_member {
    char name[128]; // without ".npy"
    uint64_t offset, packed_bytes, bytes;
    uint32_t crc;
    bool deflated;
};
struct npz {
    const char *path; // borrowed
    struct bytes file;
    struct npz_member *members;
    int count;
};

// Refused: encrypted, split, zip64 and other packing; names that are absolute, have ".." or "\".
RL_CHECKED enum rl_status npz_open(struct npz *npz, const char *path, struct rl_error *err);
void npz_close(struct npz *npz);
const struct npz_member *npz_find(const struct npz *npz, const char *name); // or NULL
// Unpacks and checks; array points into bytes, which the caller frees (mem_free).
RL_CHECKED enum rl_status npz_read(const struct npz *npz, const struct npz_member *member,
                                   struct bytes *bytes, struct npy *array, struct rl_error *err);

// Writes an archive, members stored, by the order of calls; atomically. At most 4 GiB in all.
struct npz_writer {
    struct file_writer file;
    struct npz_member members[32];
    int count;
    struct rl_error error;
    enum rl_status status; // first failure sticks
};
void npz_writer_open(struct npz_writer *writer, const char *path);
// item_bytes: 1 unsigned, 4 or 8 float, by type; row-major.
void npz_writer_add(struct npz_writer *writer, const char *name, enum npy_type type, int item_bytes,
                    int n_dims, const int64_t *dim, const void *data);
RL_CHECKED enum rl_status npz_writer_commit(struct npz_writer *writer, struct rl_error *err);
