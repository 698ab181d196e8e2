// Pictures and labels from NumPy's arrays.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "replay/dataset_parts.h"

static enum rl_status to_byte(const char *name, const struct npy *array, uint8_t *out,
                              struct rl_error *err) {
    bool unit = array->type == NPY_BOOL || array->type == NPY_FLOAT;
    double most = unit ? 1 : 255;
    if (array->type == NPY_UINT && array->item_bytes == 1) {
        memcpy(out, array->data, (size_t)array->count);
        return RL_OK;
    }
    for (int64_t i = 0; i < array->count; i++) {
        double value = npy_value(array, i);
        if (!(value >= 0 && value <= most)) { // a NaN fails as well
            return rl_fail(err, RL_EFORMAT, "%s: value %g; %s must lie in 0..%g", name, value,
                           unit ? "floats" : "integers", most);
        }
        out[i] = (uint8_t)(value * (255 / most) + 0.5);
    }
    return RL_OK;
}

enum rl_status dataset_npy_images(const char *name, const struct npy *array, int64_t dim[4],
                                  uint8_t **images, struct rl_error *err) {
    const int64_t *from = array->dim;
    if (array->n_dims < 2 || array->n_dims > 4) {
        return rl_fail(err, RL_EFORMAT,
                       "%s: %d dimensions; images are (n, h, w), (n, h, w, c) or (n, d)", name,
                       array->n_dims);
    }
    bool rows = array->n_dims == 2;
    dim[0] = from[0];
    dim[1] = rows ? 1 : from[1];
    dim[2] = rows ? from[1] : from[2];
    dim[3] = array->n_dims == 4 ? from[3] : 1;
    enum rl_status status = dataset_check_dims(name, dim, err);
    if (status != RL_OK) return status;
    *images = mem_try_alloc((size_t)array->count, name, err);
    if (!*images) return RL_ENOMEM;
    status = to_byte(name, array, *images, err);
    if (status == RL_OK) return RL_OK;
    mem_free(*images);
    *images = NULL;
    return status;
}

enum rl_status dataset_npy_labels(const char *name, const struct npy *array, int64_t n, int **label,
                                  struct rl_error *err) {
    bool column = array->n_dims == 2 && array->dim[1] == 1;
    if ((array->n_dims != 1 && !column) || array->dim[0] != n)
        return rl_fail(err, RL_EFORMAT, "%s: %lld labels for %lld pictures", name,
                       (long long)array->count, (long long)n);
    *label = MEM_ARRAY(int, n);
    for (int64_t i = 0; i < n; i++) {
        double value = npy_value(array, i);
        (*label)[i] = value >= 0 && value <= 65535 ? (int)value : -1;
        if ((*label)[i] != value) {
            mem_free(*label);
            *label = NULL;
            return rl_fail(err, RL_EFORMAT, "%s: label %g; whole numbers in 0..65535 are read",
                           name, value);
        }
    }
    return RL_OK;
}

// Names of the members of each part, images then labels; the first that exists counts.
#define NAMES 6
static const char *const image_names[3][NAMES] = {
    {"images", "x", "data", "train_images", "train_data", "x_train"},
    {"valid_images", "valid_data", "x_valid", "images_valid", "val_images", "x_val"},
    {"test_images", "test_data", "x_test", "images_test"}};
static const char *const label_names[3][NAMES] = {
    {"labels", "y", "label", "train_labels", "train_label", "y_train"},
    {"valid_labels", "valid_label", "y_valid", "labels_valid", "val_labels", "y_val"},
    {"test_labels", "test_label", "y_test", "labels_test"}};

static const struct npz_member *find_first(const struct npz *npz, const char *const names[NAMES]) {
    const struct npz_member *found = NULL;
    for (int i = 0; i < NAMES && names[i] && !found; i++) found = npz_find(npz, names[i]);
    return found;
}

static enum rl_status load_part(const struct npz *npz, int part, struct dataset *out,
                                struct rl_error *err) {
    const struct npz_member *member = find_first(npz, image_names[part]);
    const struct npz_member *named = find_first(npz, label_names[part]);
    if (!member) return RL_OK;
    struct bytes bytes = {0}, label_bytes = {0};
    struct npy array;
    int64_t dim[4];
    uint8_t *images = NULL;
    int *label = NULL;
    char name[512];
    snprintf(name, sizeof name, "%.300s: member '%s'", npz->path, member->name);
    enum rl_status status = npz_read(npz, member, &bytes, &array, err);
    if (status == RL_OK) status = dataset_npy_images(name, &array, dim, &images, err);
    if (status == RL_OK && named) {
        snprintf(name, sizeof name, "%.300s: member '%s'", npz->path, named->name);
        status = npz_read(npz, named, &label_bytes, &array, err);
        if (status == RL_OK) status = dataset_npy_labels(name, &array, dim[0], &label, err);
    }
    mem_free(bytes.data);
    mem_free(label_bytes.data);
    if (status == RL_OK) return dataset_take(out, npz->path, dim, images, label, err);
    mem_free(images);
    return status;
}

enum rl_status dataset_load_npz(const char *path, struct dataset *out, struct rl_error *err) {
    struct npz npz;
    enum rl_status status = npz_open(&npz, path, err);
    if (status != RL_OK) return status;
    if (!find_first(&npz, image_names[0]))
        status =
            rl_fail(err, RL_EFORMAT,
                    "%s: no member 'images' (or x, data, train_images, train_data, x_train)", path);
    if (status == RL_OK) status = load_part(&npz, 0, out, err);
    out->n_train = out->n;
    if (status == RL_OK) status = load_part(&npz, 1, out, err);
    out->n_valid = out->n - out->n_train;
    if (status == RL_OK) status = load_part(&npz, 2, out, err);
    npz_close(&npz);
    return status;
}
