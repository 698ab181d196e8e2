// What a run writes down as it goes: rows of metrics.jsonl, and the same figures as a TensorBoard
// event file, both in the run folder. A row is
//     {"kind": "train", "frames": .., "steps": .., "updates": .., "wall_s": .., then the metrics}
// with keys in the order given and 9 significant digits. Figures of wall time have names that end
// in _s (wall_s, frames_per_s); everything else is the same in two runs of one configuration and
// seed. TensorBoard's step is frames; tags are kind/name, or the name alone when it has a '/' of
// its own.
//
// Resuming: logger_visit puts the position (in rows and records, not bytes, so that wall times do
// not reach a checkpoint) into the checkpoint; logger_begin cuts both files back to it. The rows
// have a checksum in metrics.sum, written with each checkpoint, with the step it is of:
//     {"steps": .., "rows": .., "xxh3": "16 hexadecimal digits"}
// xxh3 is XXH3 (64 bits) of each row with its line end, seeded by that of the rows before, first 0.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/metrics.h"
#include "nn/state.h"

#define LOGGER_METRICS_FILE "metrics.jsonl"
#define LOGGER_SUM_FILE     "metrics.sum"
#define LOGGER_EVENTS_FILE  "events.out.tfevents.0000000000.rlrun"

struct logger; // opaque

// Opens the files, changing nothing yet. NULL + err.
struct logger *logger_create(const char *run_dir, struct rl_error *err);
void logger_destroy(struct logger *logger); // NULL is fine

void logger_visit(struct logger *logger, const char *prefix, struct state_visitor *visitor);

// Cuts the files to the position: the beginning, or what logger_visit loaded of the checkpoint of
// step `steps`. Warns where rows are not those that were written, and where metrics.sum knows of a
// later step than this one (a checkpoint was removed). Call once before the first write.
RL_CHECKED enum rl_status logger_begin(struct logger *logger, int64_t steps, struct rl_error *err);

struct log_position {
    int64_t frames, steps, updates;
    double wall_s; // of training, over all its sessions
};

// A write that fails (disk full) is an error of the run; a torn row is cut by the next resume.
RL_CHECKED enum rl_status logger_write(struct logger *logger, const char *kind,
                                       const struct log_position *position,
                                       const struct metrics *metrics, struct rl_error *err);

// A text page in TensorBoard (Markdown): the configuration.
RL_CHECKED enum rl_status logger_text(struct logger *logger, const char *tag, const char *text,
                                      struct rl_error *err);
// Hyperparameters in TensorBoard: each "key: value" of a configuration in YAML (config.h), named
// section.key.
RL_CHECKED enum rl_status logger_hparams(struct logger *logger, const char *run_name,
                                         const char *yaml, struct rl_error *err);
// A picture in TensorBoard; file is a whole PNG or GIF file in memory.
RL_CHECKED enum rl_status logger_image(struct logger *logger, const char *tag, int64_t frames,
                                       const uint8_t *file, size_t size, struct rl_error *err);

// On disk when it returns, metrics.sum too: call before the checkpoint of step `steps`, which
// counts on the rows.
RL_CHECKED enum rl_status logger_sync(struct logger *logger, int64_t steps, struct rl_error *err);
