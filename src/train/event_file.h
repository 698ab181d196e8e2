// TensorBoard event files: records of protocol buffers (tensorboard.proto) in TFRecord framing
// (length, masked CRC-32C of the length, data, masked CRC-32C of the data). Positions are counted
// in records, which do not depend on the wall times inside.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/metrics.h"

struct event_file {
    char path[4096];
    int fd;                // -1: closed
    int64_t records;       // position: written, or wanted by the next event_file_cut
    unsigned char *buffer; // of one record, grown as needed
    size_t buffer_bytes;
};

// Opens or makes the file without changing what it holds.
RL_CHECKED enum rl_status event_file_open(struct event_file *file, const char *path,
                                          struct rl_error *err);
void event_file_close(struct event_file *file);

// Keeps the first file->records records (fewer when there are not so many), drops the rest, and,
// when that leaves none, writes the version record that must come first.
RL_CHECKED enum rl_status event_file_cut(struct event_file *file, struct rl_error *err);

// One record with a scalar for each metric, tagged kind/name, or by a name with a '/' of its own.
RL_CHECKED enum rl_status event_file_scalars(struct event_file *file, double wall_time_s,
                                             int64_t step, const char *kind,
                                             const struct metrics *metrics, struct rl_error *err);
RL_CHECKED enum rl_status event_file_text(struct event_file *file, double wall_time_s, int64_t step,
                                          const char *tag, const char *text, struct rl_error *err);
// file: a whole PNG or GIF file in memory; TensorBoard plays an animated one.
RL_CHECKED enum rl_status event_file_image(struct event_file *file, double wall_time_s,
                                           int64_t step, const char *tag, const uint8_t *file_bytes,
                                           size_t size, struct rl_error *err);

// What TensorBoard's HParams page shows of a run: values by name, numbers as numbers.
struct event_hparam {
    const char *name;
    const char *text; // NULL: number
    double number;
};
RL_CHECKED enum rl_status event_file_hparams(struct event_file *file, double wall_time_s,
                                             const char *run_name,
                                             const struct event_hparam *values, size_t count,
                                             struct rl_error *err);

uint32_t event_file_crc32c(const void *data, size_t size); // Castagnoli, unmasked
