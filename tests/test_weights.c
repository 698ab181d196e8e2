// Weights files: round trips (with Python's safetensors package where there is one) and refusals.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "nn/layers.h"
#include "nn/weights.h"

static char path[64], other_path[64];

static int make_paths(void **state) {
    (void)state;
    snprintf(path, sizeof path, "weights_%d.safetensors", (int)getpid());
    snprintf(other_path, sizeof other_path, "weights_%d_b.safetensors", (int)getpid());
    return 0;
}

static int remove_files(void **state) {
    (void)state;
    unlink(path);
    unlink(other_path);
    return 0;
}

static struct params network(uint64_t seed) {
    struct params params = {0};
    struct rng rng = rng_seed(seed);
    conv_add(&params, "conv0", 3, 5, 2, 1, 0, (struct init){INIT_FAN_IN, 0});
    linear_add(&params, "head", 7, 4, true, (struct init){INIT_FAN_IN, 0});
    batch_norm_add(&params, "norm", 4, true);
    params_finish(&params, false, &rng);
    return params;
}

static enum rl_status save(struct params *params, const char *file) {
    struct rl_error err = {0};
    struct weights_block block = {"net.", params};
    return weights_save(file, &block, 1, (const char *const[]){"format", "pt"}, 1, &err);
}

static enum rl_status load(struct params *params, const char *file, struct rl_error *err) {
    struct weights_block block = {"net.", params};
    return weights_load(file, &block, 1, err);
}

static void same(const struct params *a, const struct params *b) {
    assert_true(a->count == b->count);
    assert_memory_equal(a->value, b->value, a->count * sizeof(real));
}

static void comes_back(void **state) {
    (void)state;
    struct params a = network(1), b = network(2);
    struct rl_error err = {0};
    assert_int_equal(save(&a, path), RL_OK);
    assert_int_equal(load(&b, path, &err), RL_OK);
    same(&a, &b);
    struct st_file file;
    assert_int_equal(st_read(path, &file, &err), RL_OK);
    assert_string_equal(st_meta(&file, "format"), "pt");
    // Ours (k, k, in, out), the file's (out, in, k, k).
    const struct st_tensor *conv = st_find(&file, "net.conv0.weight");
    const int64_t dim[4] = {5, 3, 2, 2};
    assert_memory_equal(conv->dim, dim, sizeof dim);
    real ours = a.value[a.items[0].offset + ((1 * 2 + 0) * 3 + 2) * 5 + 4];
    assert_true((real)st_get(conv, ((4 * 3 + 2) * 2 + 1) * 2 + 0) == ours);
    st_release(&file);
    params_release(&a);
    params_release(&b);
}

// Saves a changed copy of good's tensors and expects a refusal that says word; nothing may change.
static void refuses(struct st_tensor *tensors, int count, const char *word) {
    struct params params = network(3), before = network(3);
    struct rl_error err = {0};
    assert_int_equal(st_write(path, tensors, count, NULL, 0, &err), RL_OK);
    assert_int_equal(load(&params, path, &err), RL_EFORMAT);
    if (!strstr(err.message, word)) fail_msg("no '%s' in: %s", word, err.message);
    same(&params, &before);
    params_release(&params);
    params_release(&before);
}

static void hostile_files_are_refused(void **state) {
    (void)state;
    struct params params = network(1);
    struct rl_error err = {0};
    assert_int_equal(save(&params, path), RL_OK);
    struct st_file file;
    assert_int_equal(st_read(path, &file, &err), RL_OK);
    int count = file.n_tensors;
    struct st_tensor tensors[16];
    assert_true(count == 8);
    memcpy(tensors, file.tensors, (size_t)count * sizeof *tensors);

    refuses(tensors, count - 1, "no tensor 'net."); // missing
    tensors[count] = tensors[0];
    tensors[count].name = "net.surprise";
    refuses(tensors, count + 1, "net.surprise"); // extra
    for (int i = 0; i < count; i++) {
        struct st_tensor kept = tensors[i];
        tensors[i].ndim = 1;
        tensors[i].dim[0] = kept.count - 1;
        tensors[i].count = kept.count - 1;
        refuses(tensors, count, kept.name); // shape
        tensors[i] = kept;
    }
    int32_t numbers[512] = {0};
    int at = 0;
    while (strcmp(tensors[at].name, "net.head.bias")) at++;
    struct st_tensor kept = tensors[at];
    tensors[at].dtype = ST_I32;
    tensors[at].data = numbers;
    refuses(tensors, count, "not of floats");
    float bad[4] = {1, 2, (float)NAN, 4};
    tensors[at].dtype = ST_F32;
    tensors[at].data = bad;
    refuses(tensors, count, "not finite");
    double large[4] = {1, 2, 1e300, 4}; // finite in the file only
    tensors[at].dtype = ST_F64;
    tensors[at].data = large;
    refuses(tensors, count, "not finite");
    tensors[at] = kept;
    st_release(&file);

    // Extra tensors can be allowed, for a part of a larger file.
    assert_int_equal(save(&params, path), RL_OK);
    assert_int_equal(st_read(path, &file, &err), RL_OK);
    struct params head = {0};
    struct rng rng = rng_seed(9);
    linear_add(&head, "head", 7, 4, true, (struct init){INIT_ZERO, 0});
    params_finish(&head, false, &rng);
    struct weights_block block = {"net.", &head};
    assert_int_equal(weights_take(&file, path, &block, 1, false, &err), RL_EFORMAT);
    assert_int_equal(weights_take(&file, path, &block, 1, true, &err), RL_OK);
    int id = params_find(&params, "head.weight");
    assert_memory_equal(head.value, params.value + params.items[id].offset, 28 * sizeof(real));
    st_release(&file);
    params_release(&head);
    params_release(&params);
}

static void python_reads_and_writes(void **state) {
    (void)state;
    if (system("python3 -c 'import numpy, safetensors.numpy' 2>/dev/null")) skip();
    struct params a = network(1), b = network(2);
    assert_int_equal(save(&a, path), RL_OK);
    char command[1024];
    snprintf(command, sizeof command,
             "python3 -c 'import sys; from safetensors.numpy import load_file, save_file\n"
             "t = load_file(\"%s\")\n"
             "assert t[\"net.conv0.weight\"].shape == (5, 3, 2, 2), t\n"
             "assert t[\"net.head.weight\"].shape == (4, 7)\n"
             "save_file({k: 2 * v for k, v in t.items()}, \"%s\")'",
             path, other_path);
    assert_int_equal(system(command), 0);
    struct rl_error err = {0};
    assert_int_equal(load(&b, other_path, &err), RL_OK);
    for (size_t i = 0; i < a.count; i++) assert_true(b.value[i] == 2 * a.value[i]);
    params_release(&a);
    params_release(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(hostile_files_are_refused),
        cmocka_unit_test(python_reads_and_writes),
    };
    return cmocka_run_group_tests(tests, make_paths, remove_files);
}
