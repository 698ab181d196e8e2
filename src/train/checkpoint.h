// Checkpoints: the whole state of a run at a tick boundary in one file,
// DIR/step-000000123.ckpt, written to a temporary name, synced and renamed, so that a name that
// ends in .ckpt is complete or damaged later, never half written. An object takes part by its visit
// function (nn/state.h), which names every field once, whatever the direction. Names are unique;
// names and sizes must follow from the configuration alone, not from values read in the same visit.
//
// Layout, little-endian: header (magic, version, step), the records' bytes one after another, the
// directory (size, XXH3 and name of each record), a trailer (place, size and count of the
// directory, XXH3 of header and directory, magic). Every byte is under a checksum. Nothing in the
// file is executed or names another file.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "nn/state.h"

#define CHECKPOINT_PATH_BYTES 4096

typedef void (*checkpoint_visit_fn)(void *object, struct state_visitor *visitor);

// Writes DIR/step-N.ckpt (DIR is made when missing), then drops what is not among the newest `keep`
// (0: keeps all) and whatever claims a later step: the leftovers of a future that was abandoned by
// resuming from an earlier one. On failure the older files are untouched.
RL_CHECKED enum rl_status checkpoint_save(const char *dir, int64_t step, checkpoint_visit_fn visit,
                                          void *object, int keep, struct rl_error *err);

// Verifies all checksums, then that records and visit agree in names and sizes, and only then
// writes into the object. A disagreement is RL_EFORMAT naming the record; the object is then
// unchanged.
RL_CHECKED enum rl_status checkpoint_load(const char *path, checkpoint_visit_fn visit, void *object,
                                          struct rl_error *err);

// The same for an object that needs only a part (to act, not to train): further records are fine.
RL_CHECKED enum rl_status checkpoint_load_part(const char *path, checkpoint_visit_fn visit,
                                               void *object, struct rl_error *err);

// Checksums only; step may be NULL.
RL_CHECKED enum rl_status checkpoint_verify(const char *path, int64_t *step, struct rl_error *err);

// The newest file in DIR of a step before `before` that verifies, and its step; torn or corrupt
// ones are skipped with a warning. None: RL_ENOTFOUND.
RL_CHECKED enum rl_status checkpoint_find_before(const char *dir, int64_t before,
                                                 char path[CHECKPOINT_PATH_BYTES], int64_t *step,
                                                 struct rl_error *err);
// The newest of all.
RL_CHECKED enum rl_status checkpoint_find_latest(const char *dir, char path[CHECKPOINT_PATH_BYTES],
                                                 struct rl_error *err);
