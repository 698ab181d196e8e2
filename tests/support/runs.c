#include "support/runs.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nn/safetensors.h"
#include "support/program.h"

void runs_clean(const char *dir) {
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s' && mkdir -p '%s'", dir, dir);
    assert_int_equal(system(command), 0);
}

static void read_final(const char *dir, struct st_file *file) {
    char path[512];
    struct rl_error err = {0};
    snprintf(path, sizeof path, "%s/final.safetensors", dir);
    if (st_read(path, file, &err) != RL_OK) fail_msg("%s", err.message);
}

void runs_assert_same(const char *a, const char *b) {
    struct text rows_a = program_metrics(a), rows_b = program_metrics(b);
    assert_true(rows_a.length > 500);
    assert_string_equal(rows_a.data, rows_b.data);
    text_release(&rows_a);
    text_release(&rows_b);
    struct st_file file_a, file_b;
    read_final(a, &file_a);
    read_final(b, &file_b);
    assert_int_equal(file_a.n_tensors, file_b.n_tensors);
    assert_true(file_a.n_tensors > 4);
    for (int i = 0; i < file_a.n_tensors; i++) {
        const struct st_tensor *x = &file_a.tensors[i], *y = st_find(&file_b, x->name);
        if (!y || x->count != y->count) fail_msg("%s differs", x->name);
        assert_memory_equal(x->data, y->data, (size_t)x->count * st_dtype_bytes(x->dtype));
    }
    st_release(&file_a);
    st_release(&file_b);
}

int64_t runs_newest_checkpoint(const char *dir) {
    char path[512];
    snprintf(path, sizeof path, "%s/checkpoints", dir);
    DIR *folder = opendir(path);
    long long newest = -1, step;
    for (struct dirent *item; folder && (item = readdir(folder));) {
        size_t length = strlen(item->d_name);
        bool whole = length > 5 && !strcmp(item->d_name + length - 5, ".ckpt");
        if (whole && sscanf(item->d_name, "step-%lld", &step) == 1 && step > newest) newest = step;
    }
    if (folder) closedir(folder);
    return newest;
}
