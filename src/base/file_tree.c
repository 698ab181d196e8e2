#include "base/file_tree.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

#define OPEN_FOLDERS 16

static _Thread_local int64_t total_bytes; // nftw has no context

static int add_size(const char *path, const struct stat *info, int type, struct FTW *at) {
    (void)path, (void)at;
    if (type == FTW_F) total_bytes += info->st_blocks * 512; // sparse files count as they lie
    return 0;
}

int64_t file_tree_bytes(const char *path) {
    total_bytes = 0;
    nftw(path, add_size, OPEN_FOLDERS, FTW_PHYS);
    return total_bytes;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at) {
    (void)info, (void)type, (void)at;
    return remove(path);
}

enum rl_status file_tree_remove(const char *path, struct rl_error *err) {
    if (nftw(path, remove_one, OPEN_FOLDERS, FTW_PHYS | FTW_DEPTH) == 0 || errno == ENOENT)
        return RL_OK;
    return rl_fail(err, RL_EIO, "cannot remove %s: %s", path, strerror(errno));
}
