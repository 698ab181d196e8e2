#include "base/file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define BUFFER_BYTES (64 * 1024)

static _Atomic uint64_t fail_countdown;
static _Atomic int fail_errno;

void file_fail_at(uint64_t n, int error_number) {
    atomic_store(&fail_errno, error_number);
    atomic_store(&fail_countdown, n);
}

static bool fault(void) {
    if (atomic_load(&fail_countdown) == 0 || atomic_fetch_sub(&fail_countdown, 1) != 1)
        return false;
    errno = atomic_load(&fail_errno);
    return true;
}

static enum rl_status fail_errno_path(struct rl_error *err, const char *verb, const char *path) {
    const char *advice = errno == ENOSPC ? "; free some space and try again" : "";
    return rl_fail(err, RL_EIO, "cannot %s %s: %s%s", verb, path, strerror(errno), advice);
}

// Room for size + 1 bytes; what was there may go.
static bool make_room(struct bytes *out, size_t *room, size_t size, const char *path,
                      struct rl_error *err) {
    if (*room > size) return true;
    mem_free(out->data);
    out->data = mem_try_alloc(size + 1, path, err);
    *room = out->data ? size + 1 : 0;
    return out->data != NULL;
}

static enum rl_status read_open_file(int fd, const char *path, size_t limit_bytes,
                                     struct bytes *out, size_t *room, struct rl_error *err) {
    struct stat info;
    if (fstat(fd, &info) != 0) return fail_errno_path(err, "read", path);
    if (!S_ISREG(info.st_mode))
        return rl_fail(err, RL_EIO, "cannot read %s: not a regular file", path);
    if ((uint64_t)info.st_size > limit_bytes) {
        return rl_fail(err, RL_EFORMAT, "%s has %lld bytes, at most %zu are allowed here", path,
                       (long long)info.st_size, limit_bytes);
    }
    size_t size = (size_t)info.st_size, done = 0;
    if (!make_room(out, room, size, path, err)) return RL_ENOMEM;
    while (done < size) {
        ssize_t n = read(fd, out->data + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno_path(err, "read", path);
        if (n == 0) break; // shrank meanwhile
        done += (size_t)n;
    }
    out->data[done] = '\0';
    out->size = done;
    return RL_OK;
}

enum rl_status file_read_again(const char *path, size_t limit_bytes, struct bytes *out,
                               size_t *room, struct rl_error *err) {
    out->size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe must not hang us
    if (fd < 0) {
        enum rl_status code = errno == ENOENT ? RL_ENOTFOUND : RL_EIO;
        return rl_fail(err, code, "cannot open %s: %s", path, strerror(errno));
    }
    enum rl_status status = read_open_file(fd, path, limit_bytes, out, room, err);
    close(fd);
    return status;
}

enum rl_status file_read(const char *path, size_t limit_bytes, struct bytes *out,
                         struct rl_error *err) {
    size_t room = 0;
    *out = (struct bytes){0};
    enum rl_status status = file_read_again(path, limit_bytes, out, &room, err);
    if (status == RL_OK) return RL_OK;
    mem_free(out->data);
    *out = (struct bytes){0};
    return status;
}

enum rl_status file_writer_open(struct file_writer *writer, const char *path,
                                struct rl_error *err) {
    *writer = (struct file_writer){.fd = -1};
    if (strlen(path) >= sizeof writer->path) {
        return writer->status = rl_fail(err, RL_EIO, "path too long: %.60s...", path);
    }
    strcpy(writer->path, path);
    snprintf(writer->temporary, sizeof writer->temporary, "%s.tmp", path);
    writer->fd = open(writer->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (writer->fd < 0) return writer->status = fail_errno_path(err, "write", path);
    writer->buffer = mem_alloc(BUFFER_BYTES);
    return RL_OK;
}

enum rl_status file_write_fd(int fd, const char *path, const void *data, size_t size,
                             struct rl_error *err) {
    const unsigned char *next = data;
    while (size > 0) {
        ssize_t n = fault() ? -1 : write(fd, next, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno_path(err, "write", path);
        next += n;
        size -= (size_t)n;
    }
    return RL_OK;
}

static void write_through(struct file_writer *writer, const unsigned char *data, size_t size) {
    if (writer->status != RL_OK) return;
    writer->status = file_write_fd(writer->fd, writer->path, data, size, &writer->error);
    if (writer->status == RL_OK) writer->written_bytes += size;
}

static void flush_buffer(struct file_writer *writer) {
    write_through(writer, writer->buffer, writer->buffered);
    writer->buffered = 0;
}

void file_writer_add(struct file_writer *writer, const void *data, size_t size) {
    if (writer->status != RL_OK) return;
    if (size > BUFFER_BYTES - writer->buffered) flush_buffer(writer);
    if (size > BUFFER_BYTES) {
        write_through(writer, data, size);
    } else if (size) {
        memcpy(writer->buffer + writer->buffered, data, size);
        writer->buffered += size;
    }
}

// The rename is durable only once the folder is synced too. Not every file system syncs folders.
static bool sync_folder(const char *path) {
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool fine = !fault() && (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP);
    int error = errno;
    close(fd);
    errno = error;
    return fine;
}

enum rl_status file_writer_commit(struct file_writer *writer, struct rl_error *err) {
    if (writer->status == RL_OK) flush_buffer(writer);
    if (writer->status == RL_OK && (fault() || fsync(writer->fd) != 0)) {
        writer->status = fail_errno_path(&writer->error, "sync", writer->path);
    }
    if (writer->status == RL_OK && (fault() || rename(writer->temporary, writer->path) != 0)) {
        writer->status = fail_errno_path(&writer->error, "rename to", writer->path);
    }
    if (writer->status == RL_OK) {
        writer->temporary[0] = '\0'; // has become the file
        if (!sync_folder(writer->path))
            writer->status = fail_errno_path(&writer->error, "sync the folder of", writer->path);
    }
    enum rl_status status = writer->status;
    if (status != RL_OK && err && writer->error.code != RL_OK) *err = writer->error;
    file_writer_abort(writer);
    return status;
}

void file_writer_abort(struct file_writer *writer) {
    if (writer->fd >= 0) {
        close(writer->fd);
        if (writer->temporary[0]) unlink(writer->temporary);
    }
    mem_free(writer->buffer);
    writer->buffer = NULL;
    writer->fd = -1;
}

enum rl_status file_write_atomic(const char *path, const void *data, size_t size,
                                 struct rl_error *err) {
    struct file_writer writer;
    enum rl_status status = file_writer_open(&writer, path, err);
    if (status != RL_OK) return status;
    file_writer_add(&writer, data, size);
    return file_writer_commit(&writer, err);
}

enum rl_status file_make_dirs(const char *path, struct rl_error *err) {
    char part[4096];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof part) return rl_fail(err, RL_EIO, "bad path '%.60s'", path);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return fail_errno_path(err, "make folder", part);
    }
    if (!file_is_dir(path)) return rl_fail(err, RL_EIO, "%s is not a folder", path);
    return RL_OK;
}

bool file_exists(const char *path) {
    return access(path, F_OK) == 0;
}

bool file_is_dir(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

void file_join(char *out, size_t size, const char *dir, const char *name) {
    int length = snprintf(out, size, "%s/%s", dir, name);
    RL_ASSERT(length >= 0 && (size_t)length < size);
}

static bool has_assets(const char *dir) {
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/assets", dir);
    return length > 0 && (size_t)length < sizeof path && file_is_dir(path);
}

// share/rlrun above the folder of a program or library; cuts the name off `binary`. The library's
// folder may lie deeper (lib/x86_64-linux-gnu).
static bool has_installed(char *binary, char found[4096]) {
    const char *folder = dirname(binary);
    for (int up = 0; *binary && up < 2; up++) {
        snprintf(found, 4096, "%s/../%sshare/rlrun", folder, up ? "../" : "");
        if (has_assets(found)) return true;
    }
    return false;
}

static const char here; // an address of the object that this code is in
static char data_dir[4096];

static void find_data_dir(void) {
    const char *forced = getenv("RLRUN_DATA");
    if (forced && *forced) {
        snprintf(data_dir, sizeof data_dir, "%s", forced);
        return;
    }
    char path[2048];
    Dl_info binary; // of this code: librlrun.so in another program, or the program itself
    if (dladdr(&here, &binary) && binary.dli_fname && strstr(binary.dli_fname, ".so")) {
        snprintf(path, sizeof path, "%s", binary.dli_fname);
    } else {
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
        path[length > 0 ? length : 0] = '\0';
    }
    if (!has_installed(path, data_dir)) snprintf(data_dir, sizeof data_dir, "%s", RLRUN_SOURCE_DIR);
}

const char *file_data_dir(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_data_dir);
    return data_dir;
}
