// Sets of pictures from every kind of file, and what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/png_file.h"
#include "replay/dataset.h"
#include "replay/npy.h"

static char dir[64];

static int setup(void **state) {
    (void)state;
    strcpy(dir, "/tmp/dataset_XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static const char *in_dir(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const void *data, size_t size) {
    struct rl_error err = {0};
    assert_int_equal(file_write_atomic(in_dir(name), data, size, &err), RL_OK);
}

static struct dataset load(const char *path) {
    struct dataset set;
    struct rl_error err = {0};
    if (dataset_load(path, &set, &err) != RL_OK) fail_msg("%s", err.message);
    return set;
}

static void assert_refused(const char *path, const char *part) {
    struct dataset set;
    struct rl_error err = {0};
    assert_int_not_equal(dataset_load(path, &set, &err), RL_OK);
    if (!strstr(err.message, part)) fail_msg("'%s' lacks '%s'", err.message, part);
    assert_null(set.images);
    assert_null(strchr(err.message, '\n'));
}

static const char *fixture(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/tests/data/dataset/%s", RLRUN_SOURCE_DIR, name);
    return path;
}

static void archives_of_numpy_are_read(void **state) {
    (void)state;
    struct dataset set = load(fixture("deflated.npz"));
    const int labels[] = {2, 0, 1, 1, 1};
    assert_int_equal(set.n, 5);
    assert_int_equal(set.n_train, 3);
    assert_int_equal(set.n_valid, 0);
    assert_int_equal(set.n_classes, 3);
    assert_true(set.h == 4 && set.w == 3 && set.c == 1);
    for (int i = 0; i < 60; i++) assert_int_equal(set.images[i], i);
    assert_memory_equal(set.label, labels, sizeof labels);
    dataset_free(&set);
    set = load(fixture("stored.npz")); // floats in 0..1
    assert_int_equal(set.n_train, 5);
    for (int i = 0; i < 60; i++) assert_int_equal(set.images[i], i);
    dataset_free(&set);
    assert_refused(fixture("fortran.npy"), "Fortran");
}

static void what_is_written_is_read(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct npz_writer writer;
    uint8_t images[24];
    double values[2] = {0.5, -3};
    for (int i = 0; i < 24; i++) images[i] = (uint8_t)(7 * i);
    npz_writer_open(&writer, in_dir("a.npz"));
    npz_writer_add(&writer, "values", NPY_FLOAT, 8, 1, (int64_t[]){2}, values);
    npz_writer_add(&writer, "images", NPY_UINT, 1, 4, (int64_t[]){2, 2, 2, 3}, images);
    assert_int_equal(npz_writer_commit(&writer, &err), RL_OK);
    struct dataset set = load(in_dir("a.npz"));
    assert_true(set.n == 2 && set.h == 2 && set.w == 2 && set.c == 3 && !set.label);
    assert_memory_equal(set.images, images, 24);
    dataset_free(&set);
    struct npz npz;
    struct npy array;
    struct bytes bytes;
    assert_int_equal(npz_open(&npz, in_dir("a.npz"), &err), RL_OK);
    assert_int_equal(npz_read(&npz, npz_find(&npz, "values"), &bytes, &array, &err), RL_OK);
    assert_true(npy_value(&array, 0) == 0.5 && npy_value(&array, 1) == -3);
    assert_true((uintptr_t)(array.data - bytes.data) % 64 == 0);
    assert_null(npz_find(&npz, "other"));
    mem_free(bytes.data);
    npz_close(&npz);
}

// An IDX file of count pictures of 2x2 whose values are from, from + 1, ...
static size_t make_idx(uint8_t *out, uint8_t count, uint8_t from) {
    const uint8_t head[16] = {0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2};
    memcpy(out, head, 16);
    for (int i = 0; i < 4 * count; i++) out[16 + i] = (uint8_t)(from + i);
    return 16 + 4 * (size_t)count;
}

static void idx_pairs_are_found_by_name(void **state) {
    (void)state;
    uint8_t file[64];
    const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 4, 0}, one[] = {0, 0, 8, 1, 0, 0, 0, 1, 3};
    write_file("train-images-idx3-ubyte", file, make_idx(file, 2, 0));
    write_file("train-labels-idx1-ubyte", labels, sizeof labels);
    struct dataset set = load(in_dir("train-images-idx3-ubyte"));
    assert_true(set.n == 2 && set.n_train == 2 && set.label[0] == 4 && set.n_classes == 5);
    dataset_free(&set);
    write_file("t10k-images-idx3-ubyte", file, make_idx(file, 1, 8));
    assert_refused(dir, "labels, another none");
    write_file("t10k-labels-idx1-ubyte", one, sizeof one);
    set = load(dir);
    assert_true(set.n == 3 && set.n_train == 2 && set.label[2] == 3);
    for (int i = 0; i < 12; i++) assert_int_equal(set.images[i], i);
    dataset_free(&set);
    assert_refused(in_dir("t10k-labels-idx1-ubyte"), "name the file of images");
    write_file("train-labels-idx1-ubyte", one, sizeof one);
    assert_refused(in_dir("train-images-idx3-ubyte"), "1 labels for 2 pictures");
    write_file("longer", file, make_idx(file, 2, 0) + 1);
    assert_refused(in_dir("longer"), "torn, damaged, or more");
    file[4] = 0x7f; // two thousand million pictures
    write_file("bomb", file, 24);
    assert_refused(in_dir("bomb"), "more values than the file can hold");
}

static void write_png(const char *name, int side, uint8_t value) {
    uint8_t pixels[48];
    struct rl_error err = {0};
    memset(pixels, value, sizeof pixels);
    assert_int_equal(png_write(in_dir(name), pixels, side, side, 3, &err), RL_OK);
}

static void folders_of_pictures_are_read(void **state) {
    (void)state;
    assert_refused(dir, "no PNG");
    write_png("b.png", 3, 20);
    write_png("a.png", 3, 10);
    struct dataset set = load(dir);
    assert_true(set.n == 2 && set.h == 3 && set.c == 3 && !set.label && set.images[0] == 10);
    dataset_free(&set);
    const char *folders[] = {"train", "train/cat", "train/dog", "test", "test/cat", "test/dog"};
    for (int i = 0; i < 6; i++) assert_int_equal(mkdir(in_dir(folders[i]), 0700), 0);
    write_png("train/dog/1.png", 3, 30);
    write_png("train/cat/1.png", 3, 40);
    write_png("test/dog/1.png", 3, 50);
    set = load(dir);
    assert_true(set.n == 3 && set.n_train == 2 && set.n_classes == 2);
    assert_true(set.label[0] == 0 && set.label[1] == 1 && set.label[2] == 1);
    assert_int_equal(set.images[27], 30);
    dataset_free(&set);
    write_png("test/dog/2.png", 4, 0);
    assert_refused(dir, "4x4 with 3 channels, the first picture has 3x3");
}

static void a_split_is_a_permutation(void **state) {
    (void)state;
    uint8_t file[256];
    write_file("x", file, make_idx(file, 50, 0));
    struct dataset set = load(in_dir("x")), again = load(in_dir("x"));
    dataset_split(&set, 0.2, 3);
    dataset_split(&again, 0.2, 3);
    assert_int_equal(set.n_train, 40);
    assert_memory_equal(set.images, again.images, 200);
    int seen[200] = {0}, moved = 0;
    for (int i = 0; i < 200; i++) seen[set.images[i]]++;
    for (int i = 0; i < 200; i++) assert_int_equal(seen[i], 1);
    for (int i = 0; i < 50; i++) moved += set.images[4 * i] != 4 * i;
    assert_true(moved > 30);
    dataset_split(&set, 0.5, 9); // has parts now
    assert_int_equal(set.n_train, 40);
    dataset_free(&set);
    dataset_free(&again);
}

// Archives with one thing wrong in the directory or the bytes.
static void hostile_archives_are_refused(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct npz_writer writer;
    uint8_t images[4] = {1, 2, 3, 4};
    npz_writer_open(&writer, in_dir("a.npz"));
    npz_writer_add(&writer, "images", NPY_UINT, 1, 3, (int64_t[]){1, 2, 2}, images);
    assert_int_equal(npz_writer_commit(&writer, &err), RL_OK);
    struct bytes good;
    assert_int_equal(file_read(in_dir("a.npz"), 1 << 20, &good, &err), RL_OK);
    size_t central = good.size - 22 - 46 - strlen("images.npy");
    const struct {
        size_t at;
        const char *bytes, *says;
    } cases[] = {
        {central + 46, "../abc.npy", "leaves the archive"},
        {central + 46, "/ab/cd.npy", "leaves the archive"},
        {central + 46, "a\\bcd1.npy", "leaves the archive"},
        {central + 8, "\1", "encrypted"},
        {central + 10, "\14", "method 12"},
        {central + 20, "\377\377\377\7", "more bytes than there are"},
        {central + 42, "\5", "not where the directory says"},
        {central, "X", "torn directory"},
        {good.size - 22, "X", "not a whole .npz"},
        {central - 1, "\11", "checksum"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bad[1024];
        assert_true(good.size <= sizeof bad);
        memcpy(bad, good.data, good.size);
        memcpy(bad + cases[i].at, cases[i].bytes, strlen(cases[i].bytes));
        write_file("bad.npz", bad, good.size);
        assert_refused(in_dir("bad.npz"), cases[i].says);
    }
    // A deflated member that claims 1 GiB from a few bytes.
    good.data[central + 10] = 8;
    memcpy(good.data + central + 24, "\0\0\0\100", 4);
    write_file("bad.npz", good.data, good.size);
    assert_refused(in_dir("bad.npz"), "more bytes than there are");
    mem_free(good.data);
    assert_refused(in_dir("nothing"), "cannot open");
    write_file("text", "just text", 9);
    assert_refused(in_dir("text"), "neither .npy, .npz nor IDX");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(archives_of_numpy_are_read),  CASE(what_is_written_is_read),
        CASE(idx_pairs_are_found_by_name), CASE(folders_of_pictures_are_read),
        CASE(a_split_is_a_permutation),    CASE(hostile_archives_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
