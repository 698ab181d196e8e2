#include "replay/dataset.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "replay/dataset_parts.h"

void dataset_free(struct dataset *dataset) {
    mem_free(dataset->images);
    mem_free(dataset->label);
    *dataset = (struct dataset){0};
}

static size_t picture_bytes(const struct dataset *dataset) {
    return (size_t)dataset->h * (size_t)dataset->w * (size_t)dataset->c;
}

enum rl_status dataset_check_dims(const char *name, const int64_t dim[4], struct rl_error *err) {
    bool fine = dim[0] >= 1 && dim[1] >= 1 && dim[1] <= 16384 && dim[2] >= 1 && dim[2] <= 16384 &&
                dim[3] >= 1 && dim[3] <= 64;
    uint64_t bytes = fine ? (uint64_t)(dim[1] * dim[2] * dim[3]) : 0;
    if (!fine || (uint64_t)dim[0] > DATASET_LIMIT_BYTES / bytes) {
        return rl_fail(err, RL_EFORMAT,
                       "%s: %lld pictures of %lldx%lldx%lld; at least 1 picture, 1 to 16384 on a "
                       "side, at most 64 channels and 4 GiB in all are read",
                       name, (long long)dim[0], (long long)dim[1], (long long)dim[2],
                       (long long)dim[3]);
    }
    return RL_OK;
}

enum rl_status dataset_take(struct dataset *out, const char *name, const int64_t dim[4],
                            uint8_t *images, int *label, struct rl_error *err) {
    struct dataset part = {.n = dim[0], .h = (int)dim[1], .w = (int)dim[2], .c = (int)dim[3]};
    enum rl_status status = RL_OK;
    if (out->n && (part.h != out->h || part.w != out->w || part.c != out->c)) {
        status = rl_fail(err, RL_EFORMAT, "%s: pictures of %dx%dx%d beside others of %dx%dx%d",
                         name, part.h, part.w, part.c, out->h, out->w, out->c);
    } else if (out->n && !label != !out->label) {
        status = rl_fail(err, RL_EFORMAT, "%s: one part has labels, another none", name);
    } else {
        int64_t total[4] = {out->n + part.n, part.h, part.w, part.c};
        status = dataset_check_dims(name, total, err);
    }
    if (status == RL_OK && out->n == 0) {
        part.images = images, part.label = label;
        *out = part;
        return RL_OK;
    }
    if (status == RL_OK) {
        size_t each = picture_bytes(out), old = (size_t)out->n, more = (size_t)part.n;
        out->images = mem_grow(out->images, old * each, (old + more) * each);
        memcpy(out->images + old * each, images, more * each);
        if (label) {
            out->label = mem_grow(out->label, old * sizeof(int), (old + more) * sizeof(int));
            memcpy(out->label + old, label, more * sizeof(int));
        }
        out->n += part.n;
    }
    mem_free(images);
    mem_free(label);
    return status;
}

// --- files ---

static enum rl_status load_idx_labels(const char *path, const struct idx *idx, int64_t n, int **out,
                                      struct rl_error *err) {
    if (idx->n_dims != 1 || idx->dim[0] != n)
        return rl_fail(err, RL_EFORMAT, "%s: %lld labels for %lld pictures", path,
                       (long long)idx->dim[0], (long long)n);
    *out = MEM_ARRAY(int, n);
    for (int64_t i = 0; i < n; i++) (*out)[i] = idx->values[i];
    return RL_OK;
}

// The labels' file that belongs to a file of images, .npy or IDX.
static enum rl_status load_labels(const char *images, int64_t n, int **out, struct rl_error *err) {
    char path[4096];
    *out = NULL;
    if (!dataset_labels_path(images, path, sizeof path)) return RL_OK;
    struct bytes bytes;
    enum rl_status status = file_read(path, DATASET_LIMIT_BYTES, &bytes, err);
    if (status != RL_OK) return status;
    if (bytes.size > 5 && !memcmp(bytes.data + 1, "NUMPY", 5)) {
        struct npy array;
        status = npy_parse(path, bytes.data, bytes.size, &array, err);
        if (status == RL_OK) status = dataset_npy_labels(path, &array, n, out, err);
    } else {
        struct idx idx;
        status = idx_parse(path, &bytes, &idx, err);
        if (status == RL_OK) {
            status = load_idx_labels(path, &idx, n, out, err);
            mem_free(idx.values);
        }
    }
    mem_free(bytes.data);
    return status;
}

static enum rl_status load_idx(const char *path, const struct bytes *bytes, struct dataset *out,
                               struct rl_error *err) {
    struct idx idx;
    int *label = NULL;
    enum rl_status status = idx_parse(path, bytes, &idx, err);
    if (status != RL_OK) return status;
    if (idx.n_dims == 1)
        status = rl_fail(err, RL_EFORMAT, "%s: labels; name the file of images", path);
    if (status == RL_OK) status = dataset_check_dims(path, idx.dim, err);
    if (status == RL_OK) status = load_labels(path, idx.dim[0], &label, err);
    if (status == RL_OK) return dataset_take(out, path, idx.dim, idx.values, label, err);
    mem_free(idx.values);
    return status;
}

static enum rl_status load_npy(const char *path, const struct bytes *bytes, struct dataset *out,
                               struct rl_error *err) {
    struct npy array;
    int64_t dim[4];
    uint8_t *images = NULL;
    int *label = NULL;
    enum rl_status status = npy_parse(path, bytes->data, bytes->size, &array, err);
    if (status == RL_OK) status = dataset_npy_images(path, &array, dim, &images, err);
    if (status == RL_OK) status = load_labels(path, dim[0], &label, err);
    if (status == RL_OK) return dataset_take(out, path, dim, images, label, err);
    mem_free(images);
    return status;
}

static enum rl_status load_file(const char *path, struct dataset *out, struct rl_error *err) {
    struct bytes bytes;
    enum rl_status status = file_read(path, DATASET_LIMIT_BYTES, &bytes, err);
    if (status != RL_OK) return status;
    const unsigned char *head = bytes.data;
    if (bytes.size >= 4 && head[0] == 'P' && head[1] == 'K') {
        mem_free(bytes.data);
        return dataset_load_npz(path, out, err);
    }
    if (bytes.size >= 6 && !memcmp(head + 1, "NUMPY", 5)) {
        status = load_npy(path, &bytes, out, err);
    } else if (bytes.size >= 4 &&
               ((head[0] == 0x1f && head[1] == 0x8b) || (!head[0] && !head[1]))) {
        status = load_idx(path, &bytes, out, err);
    } else {
        status =
            rl_fail(err, RL_EFORMAT,
                    "%s: neither .npy, .npz nor IDX (plain or .gz), nor a folder of PNG", path);
    }
    mem_free(bytes.data);
    return status;
}

// --- folders ---

// The first entry of dir that begins with prefix, by name.
static bool find_entry(const char *dir, const char *prefix, char *out, size_t size) {
    struct dirent **names;
    int count = scandir(dir, &names, NULL, alphasort);
    bool found = false;
    for (int i = 0; i < count; i++) {
        if (!found && !strncmp(names[i]->d_name, prefix, strlen(prefix))) {
            file_join(out, size, dir, names[i]->d_name);
            found = true;
        }
        free(names[i]);
    }
    if (count >= 0) free(names);
    return found;
}

static enum rl_status load_folder(const char *path, struct dataset *out, struct rl_error *err) {
    char train[4096], test[4096];
    enum rl_status status;
    if (find_entry(path, "train-images", train, sizeof train)) {
        status = load_file(train, out, err);
        out->n_train = out->n;
        if (status == RL_OK && (find_entry(path, "t10k-images", test, sizeof test) ||
                                find_entry(path, "test-images", test, sizeof test)))
            status = load_file(test, out, err);
        return status;
    }
    file_join(train, sizeof train, path, "train");
    file_join(test, sizeof test, path, "test");
    if (!file_is_dir(train)) return dataset_load_pictures(path, out, err);
    status = dataset_load_pictures(train, out, err);
    out->n_train = out->n;
    if (status == RL_OK && file_is_dir(test)) status = dataset_load_pictures(test, out, err);
    return status;
}

enum rl_status dataset_load(const char *path, struct dataset *out, struct rl_error *err) {
    *out = (struct dataset){0};
    enum rl_status status =
        file_is_dir(path) ? load_folder(path, out, err) : load_file(path, out, err);
    if (status != RL_OK) {
        dataset_free(out);
        return status;
    }
    if (out->n_train == 0) out->n_train = out->n;
    for (int64_t i = 0; out->label && i < out->n; i++)
        if (out->label[i] >= out->n_classes) out->n_classes = out->label[i] + 1;
    return RL_OK;
}

static void swap_bytes(uint8_t *a, uint8_t *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint8_t kept = a[i];
        a[i] = b[i], b[i] = kept;
    }
}

void dataset_split(struct dataset *dataset, double test_share, uint64_t seed) {
    RL_ASSERT(test_share > 0 && test_share < 1);
    if (dataset->n_train != dataset->n || dataset->n < 2) return;
    struct rng rng = rng_fork(seed, "split");
    size_t each = picture_bytes(dataset);
    for (int64_t i = dataset->n - 1; i > 0; i--) {
        int64_t j = (int64_t)(rng_uniform(&rng) * (double)(i + 1));
        if (j == i) continue;
        swap_bytes(dataset->images + (size_t)i * each, dataset->images + (size_t)j * each, each);
        if (!dataset->label) continue;
        int kept = dataset->label[i];
        dataset->label[i] = dataset->label[j], dataset->label[j] = kept;
    }
    int64_t test = llround((double)dataset->n * test_share);
    test = test < 1 ? 1 : test >= dataset->n ? dataset->n - 1 : test;
    dataset->n_train = dataset->n - test;
}
