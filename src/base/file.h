// Files: whole reads with a limit, atomic writes (temporary name, fsync, rename, fsync of the
// folder), folders. Every failure names the path and what the system said.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct bytes {
    unsigned char *data; // owned by the holder, mem_free; followed by a terminating 0
    size_t size;
};

// Reads a regular file of at most limit_bytes.
RL_CHECKED enum rl_status file_read(const char *path, size_t limit_bytes, struct bytes *out,
                                    struct rl_error *err);

// The same into memory that is kept from one read to the next: *room is the size of data's, at
// first 0 with data NULL. After a failure size is 0.
RL_CHECKED enum rl_status file_read_again(const char *path, size_t limit_bytes, struct bytes *out,
                                          size_t *room, struct rl_error *err);

// An atomic write in parts: at any moment the path names the whole old file or the whole new one.
// After a failed commit it may be either.
struct file_writer {
    char path[4096], temporary[4112];
    int fd;
    unsigned char *buffer; // 64 KiB
    size_t buffered;
    uint64_t written_bytes;
    enum rl_status status; // first failure sticks; later calls do nothing
    struct rl_error error;
};

RL_CHECKED enum rl_status file_writer_open(struct file_writer *writer, const char *path,
                                           struct rl_error *err);
void file_writer_add(struct file_writer *writer, const void *data, size_t size); // failure sticks
RL_CHECKED enum rl_status file_writer_commit(struct file_writer *writer, struct rl_error *err);
void file_writer_abort(struct file_writer *writer); // drops the temporary file

RL_CHECKED enum rl_status file_write_atomic(const char *path, const void *data, size_t size,
                                            struct rl_error *err);

// All of data to an open file at its position (appending logs); path is for the message. A failure
// may leave a part of it written.
RL_CHECKED enum rl_status file_write_fd(int fd, const char *path, const void *data, size_t size,
                                        struct rl_error *err);

RL_CHECKED enum rl_status file_make_dirs(const char *path, struct rl_error *err); // mkdir -p
bool file_exists(const char *path);
bool file_is_dir(const char *path);

// Joins into out; aborts when it does not fit in size.
void file_join(char *out, size_t size, const char *dir, const char *name);

// The installed data folder that holds assets/ and configs/: $RLRUN_DATA, beside the program
// (../share/rlrun), or the source tree that the program was built in.
const char *file_data_dir(void);

// Test hook for fault injection: the n-th write, fsync or rename from now fails with errno (0 =
// never).
void file_fail_at(uint64_t n, int error_number);
