// A set of pictures in memory, perhaps with labels. Read from
//   F.npy       images (n, h, w), (n, h, w, c) or rows (n, d), which become (n, 1, d, 1)
//   F.npz       the same by member names: "images" (or x, data, train_data, x_train, ...) and
//   "labels"
//               (y, train_labels, y_train, ...); parts with train, valid and test in their names
//               are kept apart
//   IDX         (n, h, w) or (n, h, w, c), plain or .gz
//   a folder    of such IDX files named train-images* and t10k-images* or test-images*, as Debian's
//               dataset-fashion-mnist installs in /usr/share/datasets/fashion-mnist;
//   a folder    of PNG files of one size; sub-folders are classes, by the order of their names;
//               folders train and test, with such folders in them, are kept apart
// Files are told apart by their first bytes. Labels of F.npy and of an IDX file lie beside it under
// the same name with "images" replaced by "labels" (and "idx3" by "idx1"); without such a file
// there are none. Bytes are taken as they are (0..255), booleans and floats must lie in 0..1 and
// become 0..255.
//
// Parts: rows are ordered train, valid, test. A file that has no parts of its own is all train
// until dataset_split takes a share of it for testing.
#pragma once

#include <stdint.h>

#include "base/err.h"

struct dataset {
    int64_t n;                // pictures
    int h, w, c;              // of each; 1 to 16384, c at most 64
    uint8_t *images;          // (n, h, w, c)
    int *label;               // (n) in [0, n_classes); NULL: none
    int n_classes;            // largest label + 1; 0 without labels
    int64_t n_train, n_valid; // the rest is for testing
};

// path's content is held against its headers before allocation; at most 4 GiB.
RL_CHECKED enum rl_status dataset_load(const char *path, struct dataset *out, struct rl_error *err);
void dataset_free(struct dataset *dataset);

// When everything is train: puts the rows in a random order by seed and makes the last test_share
// of them (rounded, at least one) the test part; otherwise does nothing.
void dataset_split(struct dataset *dataset, double test_share, uint64_t seed);
