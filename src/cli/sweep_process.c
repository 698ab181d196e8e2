#include "cli/sweep_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define TAIL_BYTES 16384

void sweep_words_split(struct sweep_words *words, const char *line) {
    *words = (struct sweep_words){.copy = mem_strdup(line)};
    char *rest = words->copy;
    for (char *word; words->count < SWEEP_WORDS_MAX && (word = strsep(&rest, " \t\n"));) {
        if (*word) words->word[words->count++] = word;
    }
    words->word[words->count] = NULL;
}

// Under mpirun a trial would take itself for a rank of the sweep's job: what the launcher told this
// process (Open MPI, PMIx, MPICH and Slurm) is not for its trials.
static void leave_job(void) {
    static const char *const prefixes[] = {"OMPI_", "PMIX_", "PMI_"};
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++) {
        for (char **entry = environ; *entry;) {
            char name[128];
            size_t length = strcspn(*entry, "=");
            bool drop = !strncmp(*entry, prefixes[p], strlen(prefixes[p])) && length < sizeof name;
            if (!drop) {
                entry++;
                continue;
            }
            snprintf(name, sizeof name, "%.*s", (int)length, *entry);
            unsetenv(name); // moves the ones behind it here
        }
    }
}

static _Noreturn void become_program(const struct sweep_words *words, int log, const int keep[2],
                                     pid_t parent) {
    setpgid(0, 0); // Ctrl-C is the sweep's, which passes it on once
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(130);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0) dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    for (int i = 0; i < 2; i++) {
        if (keep[i] >= 0) fcntl(keep[i], F_SETFD, 0);
    }
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], SIG_DFL);
    leave_job();
    char *argv[SWEEP_WORDS_MAX + 2] = {"rlrun"};
    memcpy(argv + 1, words->word, ((size_t)words->count + 1) * sizeof *argv);
    execv("/proc/self/exe", argv); // this very program, also after its file was replaced
    dprintf(STDERR_FILENO, "rlrun: cannot start the program: %s\n", strerror(errno));
    _exit(127);
}

pid_t sweep_process_start(const struct sweep_words *words, const char *log, const int keep[2]) {
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) fd = open("/dev/null", O_WRONLY | O_CLOEXEC); // a full disk: the trial will say so
    if (fd < 0) return -1;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) become_program(words, fd, keep, parent);
    close(fd);
    return pid;
}

// The last line that starts with "rlrun: " and is no warning; NULL when there is none.
static char *last_error_line(char *text) {
    char *found = NULL, *rest = text;
    for (char *line; (line = strsep(&rest, "\r\n"));) {
        if (!strncmp(line, "rlrun: ", 7) && strncmp(line, "rlrun: warning: ", 16)) found = line + 7;
    }
    return found;
}

void sweep_process_error(const char *log, int wait_status, char *out, size_t size) {
    if (WIFSIGNALED(wait_status)) {
        snprintf(out, size, "killed by signal %d (%s)", WTERMSIG(wait_status),
                 strsignal(WTERMSIG(wait_status)));
        if (WTERMSIG(wait_status) != SIGABRT) return;
    } else {
        snprintf(out, size, "exit status %d without a message", WEXITSTATUS(wait_status));
    }
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    static char tail[TAIL_BYTES + 1];
    off_t end = lseek(fd, 0, SEEK_END);
    lseek(fd, end > TAIL_BYTES ? end - TAIL_BYTES : 0, SEEK_SET);
    ssize_t length = read(fd, tail, TAIL_BYTES);
    close(fd);
    tail[length > 0 ? length : 0] = '\0';
    const char *line = last_error_line(tail);
    if (line) snprintf(out, size, "%s", line);
}

int sweep_lock(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return -2;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return fd;
    bool busy = errno == EAGAIN || errno == EACCES;
    close(fd);
    return busy ? -1 : -2;
}
