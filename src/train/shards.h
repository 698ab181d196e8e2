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
// As run_dir_open. A run of more ranks than there are now goes on only when `fewer` allows it: the
// first ranks go on with their shards, and those of the others are put aside as they are, in
// RUN/ranks/R.aside. Otherwise another number of ranks is RL_EUSAGE: a new rank would have no
// replay to draw its part of a batch from.
RL_CHECKED enum rl_status shards_open(struct comm *comm, struct run_dir *run, const char *word,
                                      bool fewer, struct rl_error *err);
