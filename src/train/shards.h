// The run folders of a job of K ranks: rank 0 has RUN, as a run of one rank; rank r has
// RUN/ranks/r, a folder of the same form with its own replay and checkpoints. A checkpoint of the
// job is the files of one step in all of them; rank 0's is written last (trainer_store.c).
#pragma once

#include "train/comm.h"
#include "train/run_dir.h"

// As run_dir_create, on every rank: *run is the rank's own folder.
RL_CHECKED enum rl_status shards_create(struct comm *comm, struct run_dir *run, const char *path,
                                        const char *name, const char *config_yaml,
                                        struct rl_error *err);
// As run_dir_open. A run of another number of ranks is RL_EUSAGE: replay and random streams belong
// to ranks.
RL_CHECKED enum rl_status shards_open(struct comm *comm, struct run_dir *run, const char *word,
                                      struct rl_error *err);
