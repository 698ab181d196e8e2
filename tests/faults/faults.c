// Loaded before the C library (LD_PRELOAD) into a run of the program: makes the system fail in the
// way that RLRUN_FAULT says, "KIND N" or "KIND N ERRNO". Calls that count are those that change
// files: open for writing, write, fsync, ftruncate, rename, mkdir; standard streams do not.
//   once N E   the N-th call fails with errno E
//   full N     from the N-th on, whatever needs room fails with ENOSPC
//   short N    from the N-th on, each write takes only a part
//   kill N     the process dies before the N-th call
//   memory N   the N-th large allocation fails
//   clock 0    the time of day jumps with each look at it; the monotonic clock does not
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LARGE_BYTES (1u << 20)

static char kind[16];
static unsigned long at, code;
static atomic_ulong calls, allocations;

__attribute__((constructor)) static void read_plan(void) {
    const char *plan = getenv("RLRUN_FAULT");
    if (plan && sscanf(plan, "%15s %lu %lu", kind, &at, &code) < 2) abort();
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// Counts a call; true when it is to fail, with errno set.
static bool fails(bool needs_room) {
    unsigned long n = atomic_fetch_add(&calls, 1) + 1;
    if (!strcmp(kind, "kill") && n == at) kill(getpid(), SIGKILL);
    if (!strcmp(kind, "once") && n == at) {
        errno = (int)code;
        return true;
    }
    if (!strcmp(kind, "full") && n >= at && needs_room) {
        errno = ENOSPC;
        return true;
    }
    return false;
}

ssize_t write(int fd, const void *data, size_t size) {
    if (fd > STDERR_FILENO) {
        if (fails(true)) return -1;
        if (!strcmp(kind, "short") && atomic_load(&calls) >= at && size > 1) size = (size + 2) / 3;
    }
    return NEXT(write)(fd, data, size);
}

int fsync(int fd) {
    return fails(false) ? -1 : NEXT(fsync)(fd);
}

int ftruncate(int fd, off_t size) {
    return fails(false) ? -1 : NEXT(ftruncate)(fd, size);
}

int rename(const char *from, const char *to) {
    return fails(false) ? -1 : NEXT(rename)(from, to);
}

int mkdir(const char *path, mode_t mode) {
    return fails(true) ? -1 : NEXT(mkdir)(path, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if ((flags & O_ACCMODE) != O_RDONLY && strncmp(path, "/dev/", 5) && fails(flags & O_CREAT))
        return -1;
    return NEXT(open)(path, flags, mode);
}

// OpenBLAS asks for its buffers in another way when it is refused; its calls do not count.
static bool is_openblas(const void *caller) {
    Dl_info from;
    return dladdr(caller, &from) && from.dli_fname && strstr(from.dli_fname, "blas");
}

static bool no_memory(size_t size, const void *caller) {
    if (size < LARGE_BYTES || strcmp(kind, "memory") || is_openblas(caller)) return false;
    unsigned long n = atomic_fetch_add(&allocations, 1) + 1;
    if (n != at) return false;
    errno = ENOMEM;
    return true;
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    return no_memory(size, __builtin_return_address(0))
               ? ENOMEM
               : NEXT(posix_memalign)(out, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return no_memory(size, __builtin_return_address(0)) ? NULL
                                                        : NEXT(aligned_alloc)(alignment, size);
}

void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset) {
    if ((flags & MAP_ANONYMOUS) && no_memory(size, __builtin_return_address(0))) return MAP_FAILED;
    return NEXT(mmap)(where, size, protection, flags, fd, offset);
}

static long jump_s(void) {
    static atomic_ulong looks;
    unsigned long n = atomic_fetch_add(&looks, 1);
    return (n % 2 ? -1 : 1) * (long)(n * 7919 % 5000000);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = NEXT(clock_gettime)(clock, now);
    if (!strcmp(kind, "clock") && clock == CLOCK_REALTIME) now->tv_sec += jump_s();
    return result;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
