#include "train/run_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mujoco/mujoco.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/build.h"
#include "base/file.h"
#include "base/json_line.h"
#include "math/gemm.h"
#include "math/simd.h"

#define RUNS          "runs"
#define NUMBER_LIMIT  10000
#define NEAREST_LIMIT 512

void run_dir_name(char *out, size_t size, const char *agent, const char *env, const char *encoder,
                  int64_t seed) {
    const char *file = strrchr(encoder, '/'); // an encoder, or a model, may be a file
    const char *model = strrchr(env, '/');
    snprintf(out, size, "%s_%s_%s_s%" PRId64, agent, model && strchr(env, '.') ? model + 1 : env,
             file ? file + 1 : encoder, seed);
    for (char *c = out; *c; c++) {
        bool fine = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                    (*c >= '0' && *c <= '9') || strchr("_-+.", *c);
        if (!fine) *c = '-';
    }
    if (out[0] == '.') out[0] = '-';
}

void run_dir_file(const struct run_dir *run, char *out, const char *name) {
    file_join(out, RUN_DIR_PATH_BYTES + 64, run->path, name);
}

static enum rl_status set_path(struct run_dir *run, const char *path, struct rl_error *err) {
    *run = (struct run_dir){.lock_fd = -1};
    if (strlen(path) + sizeof RUN_DIR_CHECKPOINTS + 1 > RUN_DIR_PATH_BYTES)
        return rl_fail(err, RL_EUSAGE, "path too long: %.60s...", path);
    strcpy(run->path, path);
    file_join(run->checkpoints, sizeof run->checkpoints, path, RUN_DIR_CHECKPOINTS);
    return RL_OK;
}

static bool holds_run(const struct run_dir *run) {
    char path[RUN_DIR_PATH_BYTES + 64];
    run_dir_file(run, path, RUN_DIR_CONFIG);
    return file_exists(path);
}

static enum rl_status take_lock(struct run_dir *run, struct rl_error *err) {
    char path[RUN_DIR_PATH_BYTES + 64];
    run_dir_file(run, path, ".lock");
    run->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (run->lock_fd < 0) return rl_fail(err, RL_EIO, "cannot write %s: %s", path, strerror(errno));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(run->lock_fd, F_OFD_SETLK, &lock) == 0) return RL_OK;
    bool busy = errno == EAGAIN || errno == EACCES;
    run_dir_close(run);
    if (busy)
        return rl_fail(err, RL_EIO,
                       "another process is writing the run %s; wait for it, or stop it", run->path);
    return rl_fail(err, RL_EIO, "cannot lock %s: %s", path, strerror(errno));
}

void run_dir_close(struct run_dir *run) {
    if (run->lock_fd >= 0) close(run->lock_fd);
    run->lock_fd = -1;
}

bool run_dir_is_busy(const struct run_dir *run) {
    char path[RUN_DIR_PATH_BYTES + 64];
    run_dir_file(run, path, ".lock");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET}; // asks only, takes nothing
    bool busy = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return busy;
}

static void describe_machine(struct text *text) {
    char cpu[128], host[256] = "", when[32];
    time_t now = time(NULL);
    struct tm tm;
    machine_cpu_name(cpu, sizeof cpu);
    gethostname(host, sizeof host - 1);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    json_line_begin(text);
    json_line_string(text, "rlrun", RLRUN_VERSION);
    json_line_string(text, "compiler", build_compiler());
    json_line_string(text, "mujoco", mj_versionString());
    json_line_string(text, "blas", gemm_library());
    json_line_string(text, "simd", simd_level_name(simd_level()));
    json_line_string(text, "cpu", cpu);
    json_line_int(text, "cores", machine_cores());
    json_line_string(text, "host", host);
    json_line_string(text, "started", when);
    json_line_end(text);
}

static enum rl_status write_facts(const struct run_dir *run, const char *config_yaml,
                                  struct rl_error *err) {
    char path[RUN_DIR_PATH_BYTES + 64];
    struct text machine = {0};
    describe_machine(&machine);
    run_dir_file(run, path, RUN_DIR_MACHINE);
    enum rl_status status = file_write_atomic(path, machine.data, machine.length, err);
    text_release(&machine);
    if (status != RL_OK) return status;
    run_dir_file(run, path, RUN_DIR_CONFIG); // last: its presence makes the folder a run
    return file_write_atomic(path, config_yaml, strlen(config_yaml), err);
}

// runs/NAME, NAME-2, ...: the first that mkdir makes, so that two starts at once get two folders.
static enum rl_status make_free_folder(struct run_dir *run, const char *name,
                                       struct rl_error *err) {
    enum rl_status status = file_make_dirs(RUNS, err);
    for (int number = 1; number < NUMBER_LIMIT && status == RL_OK; number++) {
        char path[RUN_DIR_PATH_BYTES], suffix[16] = "";
        if (number > 1) snprintf(suffix, sizeof suffix, "-%d", number);
        int length = snprintf(path, sizeof path, RUNS "/%s%s", name, suffix);
        if (length < 0 || (size_t)length >= sizeof path)
            return rl_fail(err, RL_EUSAGE, "the run's name is too long: %.60s...", name);
        if ((status = set_path(run, path, err)) != RL_OK) return status;
        if (mkdir(path, 0755) == 0) return RL_OK;
        if (errno != EEXIST)
            return rl_fail(err, RL_EIO, "cannot make folder %s: %s", path, strerror(errno));
    }
    if (status != RL_OK) return status;
    return rl_fail(err, RL_EIO, "too many runs are named %s; give a --name", name);
}

enum rl_status run_dir_create(struct run_dir *run, const char *path, const char *name,
                              const char *config_yaml, struct rl_error *err) {
    enum rl_status status;
    *run = (struct run_dir){.lock_fd = -1};
    if (!path[0]) {
        if (!name[0] || name[0] == '.' || strchr(name, '/'))
            return rl_fail(err, RL_EUSAGE, "'%s' cannot name a run; allowed is a plain file name",
                           name);
        status = make_free_folder(run, name, err);
    } else {
        status = set_path(run, path, err);
        if (status == RL_OK) status = file_make_dirs(path, err);
    }
    if (status == RL_OK) status = take_lock(run, err);
    if (status == RL_OK && holds_run(run)) {
        status =
            rl_fail(err, RL_EUSAGE,
                    "%s already holds a run; go on with it by 'rlrun resume %s', or name another "
                    "folder",
                    path, path);
    }
    if (status == RL_OK) status = write_facts(run, config_yaml, err);
    if (status != RL_OK) run_dir_close(run);
    return status;
}

static enum rl_status unknown_run(const char *word, struct rl_error *err) {
    static char names[NEAREST_LIMIT][64];
    const char *candidates[NEAREST_LIMIT];
    size_t count = 0;
    DIR *dir = opendir(RUNS);
    for (struct dirent *entry; dir && count < NEAREST_LIMIT && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof names[0]) continue;
        strcpy(names[count], entry->d_name);
        candidates[count] = names[count];
        count++;
    }
    if (dir) closedir(dir);
    char suggestion[128];
    text_suggestion(suggestion, sizeof suggestion, word, candidates, count);
    return rl_fail(err, RL_EUSAGE, "no run '%s' here or under " RUNS "/%s", word, suggestion);
}

enum rl_status run_dir_find(struct run_dir *run, const char *word, struct rl_error *err) {
    enum rl_status status = set_path(run, word, err);
    if (status != RL_OK || holds_run(run)) return status;
    char path[RUN_DIR_PATH_BYTES];
    int length = snprintf(path, sizeof path, RUNS "/%s", word);
    if (length > 0 && (size_t)length < sizeof path && set_path(run, path, err) == RL_OK &&
        holds_run(run))
        return RL_OK;
    if ((status = set_path(run, word, err)) != RL_OK) return status;
    if (file_is_dir(run->checkpoints)) {
        return rl_fail(err, RL_EFORMAT, "%s has checkpoints but no " RUN_DIR_CONFIG "; put it back",
                       word);
    }
    return unknown_run(word, err);
}

enum rl_status run_dir_open(struct run_dir *run, const char *word, struct rl_error *err) {
    enum rl_status status = run_dir_find(run, word, err);
    return status == RL_OK ? take_lock(run, err) : status;
}
