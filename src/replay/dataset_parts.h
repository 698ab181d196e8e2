// Between the files of dataset.c: pieces by kind of source.
#pragma once

#include "base/file.h"
#include "replay/dataset.h"
#include "replay/idx_file.h"
#include "replay/npy.h"

#define DATASET_LIMIT_BYTES ((uint64_t)4 << 30)

// dim: n, h, w, c
RL_CHECKED enum rl_status dataset_check_dims(const char *name, const int64_t dim[4],
                                             struct rl_error *err);
// Appends a part (checked dims); images and label (or NULL) change hands, also on failure.
RL_CHECKED enum rl_status dataset_take(struct dataset *out, const char *name, const int64_t dim[4],
                                       uint8_t *images, int *label, struct rl_error *err);

RL_CHECKED enum rl_status dataset_npy_images(const char *name, const struct npy *array,
                                             int64_t dim[4], uint8_t **images,
                                             struct rl_error *err);
RL_CHECKED enum rl_status dataset_npy_labels(const char *name, const struct npy *array, int64_t n,
                                             int **label, struct rl_error *err);
RL_CHECKED enum rl_status dataset_load_npz(const char *path, struct dataset *out,
                                           struct rl_error *err);
RL_CHECKED enum rl_status dataset_load_pictures(const char *dir, struct dataset *out,
                                                struct rl_error *err);
// The name of the labels that belong to a file of images; false: the name has no "images" in it, or
// there is no such file.
bool dataset_labels_path(const char *images, char *out, size_t size);
