#include "train/shards.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

static enum rl_status shard_path(const char *run, int rank, char path[RUN_DIR_PATH_BYTES],
                                 struct rl_error *err) {
    int length = rank ? snprintf(path, RUN_DIR_PATH_BYTES, "%s/ranks/%d", run, rank)
                      : snprintf(path, RUN_DIR_PATH_BYTES, "%s", run);
    if (length >= 0 && length < RUN_DIR_PATH_BYTES) return RL_OK;
    return rl_fail(err, RL_EUSAGE, "the path of the run folder is too long: %.100s...", run);
}

// What rank 0 made of it, told to all: its folder, or "" after a failure there.
static enum rl_status learn_path(struct comm *comm, enum rl_status status,
                                 const struct run_dir *run, char path[RUN_DIR_PATH_BYTES],
                                 struct rl_error *err) {
    memset(path, 0, RUN_DIR_PATH_BYTES);
    if (comm_rank(comm) == 0 && status == RL_OK)
        snprintf(path, RUN_DIR_PATH_BYTES, "%s", run->path);
    comm_broadcast(comm, COMM_POLICY, path, RUN_DIR_PATH_BYTES);
    if (status != RL_OK || path[0]) return status;
    return rl_fail(err, RL_EIO, "rank 0 has no run folder");
}

enum rl_status shards_create(struct comm *comm, struct run_dir *run, const char *path,
                             const char *name, const char *config_yaml, struct rl_error *err) {
    int rank = comm_rank(comm);
    char first[RUN_DIR_PATH_BYTES], own[RUN_DIR_PATH_BYTES];
    *run = (struct run_dir){.lock_fd = -1};
    enum rl_status status = rank == 0 ? run_dir_create(run, path, name, config_yaml, err) : RL_OK;
    status = learn_path(comm, status, run, first, err);
    if (status != RL_OK || rank == 0) return status;
    status = shard_path(first, rank, own, err);
    return status == RL_OK ? run_dir_create(run, own, name, config_yaml, err) : status;
}

static int count_shards(const char *run) {
    char path[RUN_DIR_PATH_BYTES];
    int count = 1;
    struct rl_error err = {0};
    while (shard_path(run, count, path, &err) == RL_OK && file_is_dir(path)) count++;
    return count;
}

static enum rl_status refuse_ranks(const char *run, int saved, int size, struct rl_error *err) {
    char fewer[64] = "";
    if (size < saved)
        snprintf(fewer, sizeof fewer, ", or with %d by --fewer_ranks, without the rest", size);
    return rl_fail(err, RL_EUSAGE,
                   "%s was trained by %d rank%s and has a replay for each; it cannot go on with "
                   "%d: mpirun -n %d rlrun resume %s%s",
                   run, saved, saved == 1 ? "" : "s", size, saved, run, fewer);
}

// From the last down, so that those that are left always count from 1 without a gap.
static enum rl_status put_aside(const char *run, int from, int to, struct rl_error *err) {
    char path[RUN_DIR_PATH_BYTES], aside[RUN_DIR_PATH_BYTES + 8];
    for (int rank = to; rank >= from; rank--) {
        enum rl_status status = shard_path(run, rank, path, err);
        if (status != RL_OK) return status;
        snprintf(aside, sizeof aside, "%s.aside", path);
        if (rename(path, aside) != 0)
            return rl_fail(err, RL_EIO, "cannot put %s aside: %s", path, strerror(errno));
    }
    return RL_OK;
}

enum rl_status shards_open(struct comm *comm, struct run_dir *run, const char *word, bool fewer,
                           struct rl_error *err) {
    int rank = comm_rank(comm), size = comm_size(comm);
    char own[RUN_DIR_PATH_BYTES];
    struct run_dir first;
    *run = (struct run_dir){.lock_fd = -1};
    enum rl_status status = run_dir_find(&first, word, err);
    if (status != RL_OK) return status;
    int saved = count_shards(first.path);
    comm_least(comm, COMM_POLICY, saved); // all have counted before any folder is moved
    if (saved < size || (saved > size && !fewer)) return refuse_ranks(first.path, saved, size, err);
    status = shard_path(first.path, rank, own, err);
    if (status == RL_OK) status = run_dir_open(run, own, err);
    if (status == RL_OK && rank == 0) status = put_aside(first.path, size, saved - 1, err);
    return status;
}
