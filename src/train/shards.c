#include "train/shards.h"

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

enum rl_status shards_open(struct comm *comm, struct run_dir *run, const char *word,
                           struct rl_error *err) {
    int rank = comm_rank(comm), size = comm_size(comm);
    char own[RUN_DIR_PATH_BYTES];
    struct run_dir first;
    *run = (struct run_dir){.lock_fd = -1};
    enum rl_status status = run_dir_find(&first, word, err);
    if (status != RL_OK) return status;
    int saved = count_shards(first.path);
    if (saved != size) {
        return rl_fail(
            err, RL_EUSAGE,
            "%s was trained by %d rank%s and has a replay for each; it cannot go on with "
            "%d: mpirun -n %d rlrun resume %s",
            first.path, saved, saved == 1 ? "" : "s", size, saved, first.path);
    }
    status = shard_path(first.path, rank, own, err);
    return status == RL_OK ? run_dir_open(run, own, err) : status;
}
