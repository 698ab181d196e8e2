// The folder of a run: runs/<name>/ with config.yaml (resolved), machine.json, metrics.jsonl,
// the event file, checkpoints/ and, when it ended, final.safetensors. One process at a time writes
// a run: a lock on the file .lock is held from create or open to close, and dies with the process.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RUN_DIR_CONFIG      "config.yaml"
#define RUN_DIR_MACHINE     "machine.json"
#define RUN_DIR_CHECKPOINTS "checkpoints"
#define RUN_DIR_FINAL       "final.safetensors"
#define RUN_DIR_PATH_BYTES  2048

struct run_dir {
    char path[RUN_DIR_PATH_BYTES];        // "runs/ddpg_cheetah-run_byol_s1"
    char checkpoints[RUN_DIR_PATH_BYTES]; // path/checkpoints
    int lock_fd;                          // -1: closed
};

// "ddpg_cheetah-run_byol_s1": what run_dir_create names a run by default; characters that a path
// should not have become '-'.
void run_dir_name(char *out, size_t size, const char *agent, const char *env, const char *encoder,
                  int64_t seed);

// A new run. path given ("" = not): that folder, which must not hold a run already (RL_EUSAGE, says
// how to resume it). Otherwise runs/NAME, or NAME-2, NAME-3, ... when that exists. Writes
// config_yaml and the machine's facts.
RL_CHECKED enum rl_status run_dir_create(struct run_dir *run, const char *path, const char *name,
                                         const char *config_yaml, struct rl_error *err);

// A run that is there, to go on with it: word is its folder, or its name under runs/.
RL_CHECKED enum rl_status run_dir_open(struct run_dir *run, const char *word, struct rl_error *err);

// The same only to look at it, while another process may be writing: takes no lock.
RL_CHECKED enum rl_status run_dir_find(struct run_dir *run, const char *word, struct rl_error *err);

// Whether a process holds the run's lock now.
bool run_dir_is_busy(const struct run_dir *run);

void run_dir_close(struct run_dir *run); // lets the lock go

// A path inside: run_dir_file(run, out, RUN_DIR_CONFIG). out has RUN_DIR_PATH_BYTES + 64.
void run_dir_file(const struct run_dir *run, char *out, const char *name);
