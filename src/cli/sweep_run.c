#include "cli/sweep_run.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/build.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/file_tree.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/sweep_process.h"
#include "cli/sweep_progress.h"
#include "train/run_dir.h"
#include "train/sweep_table.h"

#define LOOK_PERIOD_S  0.05 // at the processes
#define CLAIM_PERIOD_S 1.0  // at trials that other sweeps hold

enum attempt { ATTEMPT_STARTED, ATTEMPT_BUSY, ATTEMPT_SETTLED };

// A process at work on a trial.
struct slot {
    pid_t pid; // 0: free
    int trial;
    int lock, prepare_lock;           // descriptors; -1: none
    char preparing[SWEEP_FILE_BYTES]; // the file it makes; "": it trains
    bool told;                        // to stop
};

struct run {
    const struct sweep *sweep;
    const struct sweep_run_options *options;
    struct slot *slots;
    unsigned char *settled, *tries; // of each trial
    int n_settled, n_running, n_busy;
    double next_claim_s;
    bool stopping;
    struct sweep_progress progress;
};

static volatile sig_atomic_t stop_requested;

static void request_stop(int signal_number) {
    if (stop_requested) signal(signal_number, SIG_DFL); // a third one ends the process at once
    stop_requested = 1;
}

// --- folders and files
// ------------------------------------------------------------------------------

// A trial's file says what its folder holds: another content means another sweep.
static enum rl_status write_trial_file(const struct sweep *sweep, const struct sweep_trial *trial,
                                       struct rl_error *err) {
    char path[SWEEP_FILE_BYTES];
    struct text yaml = {0};
    struct bytes old = {0};
    sweep_trial_path(sweep, trial, ".yaml", path);
    sweep_trial_yaml(trial, &yaml);
    enum rl_status status = RL_OK;
    if (!file_exists(path)) {
        status = file_write_atomic(path, yaml.data, yaml.length, err);
    } else if ((status = file_read(path, 1 << 20, &old, err)) == RL_OK &&
               (old.size != yaml.length || memcmp(old.data, yaml.data, old.size) != 0)) {
        status = rl_fail(err, RL_EUSAGE,
                         "%s says something else than %s now: name another folder with --dir, or "
                         "remove %s",
                         path, sweep->path, sweep->folder);
    }
    mem_free(old.data);
    text_release(&yaml);
    return status;
}

static enum rl_status open_folder(const struct sweep *sweep, struct rl_error *err) {
    char path[SWEEP_FILE_BYTES];
    static const char *const folders[] = {"trials", "prepared"};
    enum rl_status status = RL_OK;
    for (int i = 0; i < 2 && status == RL_OK; i++) {
        file_join(path, sizeof path, sweep->folder, folders[i]);
        status = file_make_dirs(path, err);
    }
    // Ranks of a job, or tasks of an array, come here at the same moment.
    int lock = -1;
    if (status == RL_OK) status = sweep_lock_folder(sweep, &lock, err);
    for (int i = 0; i < sweep->n_trials && status == RL_OK; i++)
        status = write_trial_file(sweep, &sweep->trials[i], err);
    if (lock >= 0) close(lock);
    return status;
}

static bool has_checkpoint(const char *run) {
    char path[SWEEP_FILE_BYTES + 64];
    file_join(path, sizeof path, run, RUN_DIR_CHECKPOINTS);
    DIR *dir = opendir(path);
    bool found = false;
    for (struct dirent *entry; dir && !found && (entry = readdir(dir));)
        found = strstr(entry->d_name, ".ckpt") && entry->d_name[0] != '.';
    if (dir) closedir(dir);
    return found;
}

static void drop_replay(const struct run *run, int trial) {
    char path[SWEEP_FILE_BYTES], replay[SWEEP_FILE_BYTES + 64];
    sweep_run_path(run->sweep, &run->sweep->trials[trial], path);
    file_join(replay, sizeof replay, path, "replay");
    struct rl_error err = {0};
    if (!run->options->keep_replay && file_tree_remove(replay, &err) != RL_OK)
        log_warning("%s", err.message);
}

// --- a trial begins
// ----------------------------------------------------------------------------------

static bool has_setting(const struct sweep_trial *trial, const char *key) {
    return config_get(&trial->settings, "", key) != NULL;
}

static int64_t threads_of(const struct run *run) {
    const struct sweep_run_options *options = run->options;
    int64_t threads = options->threads ? options->threads : machine_cores() / options->jobs;
    return threads > 1 ? threads : 1;
}

static void launch(struct run *run, struct slot *slot, const struct sweep_words *words) {
    char log[SWEEP_FILE_BYTES];
    sweep_trial_path(run->sweep, &run->sweep->trials[slot->trial], ".log", log);
    slot->pid = sweep_process_start(words, log, (const int[2]){slot->lock, slot->prepare_lock});
    slot->told = false;
    if (slot->pid < 0) slot->pid = 0;
    if (slot->pid) run->n_running++;
}

static bool start_training(struct run *run, struct slot *slot) {
    const struct sweep_trial *trial = &run->sweep->trials[slot->trial];
    char path[SWEEP_FILE_BYTES], file[SWEEP_FILE_BYTES], threads[32];
    sweep_run_path(run->sweep, trial, path);
    sweep_trial_path(run->sweep, trial, ".yaml", file);
    snprintf(threads, sizeof threads, "%lld", (long long)threads_of(run));
    struct sweep_words words = {0};
    char **word = words.word;
    int n = 0;
    if (has_checkpoint(path)) {
        word[n++] = "resume";
        word[n++] = path;
    } else {
        struct rl_error err = {0};
        if (file_tree_remove(path, &err) != RL_OK) log_warning("%s", err.message);
        word[n++] = (char *)trial->agent;
        word[n++] = "--config", word[n++] = file;
        word[n++] = "--run-dir", word[n++] = path;
    }
    if (!has_setting(trial, "threads")) word[n++] = "--threads", word[n++] = threads;
    words.count = n;
    slot->preparing[0] = '\0';
    launch(run, slot, &words);
    return slot->pid > 0;
}

// The first file that the trial waits for; false when all are there. busy: another process makes
// it.
static bool start_preparing(struct run *run, struct slot *slot, bool *busy) {
    const struct sweep_trial *trial = &run->sweep->trials[slot->trial];
    for (int i = 0; i < run->sweep->n_prepares; i++) {
        char file[SWEEP_FILE_BYTES], lock[SWEEP_FILE_BYTES + 8];
        struct text command = {0};
        bool wanted = sweep_needs(run->sweep, trial, &run->sweep->prepares[i], file, &command) &&
                      !file_exists(file);
        if (wanted) {
            snprintf(lock, sizeof lock, "%s.lock", file);
            slot->prepare_lock = sweep_lock(lock);
            *busy = slot->prepare_lock < 0;
        }
        if (wanted && !*busy && !file_exists(file)) {
            struct sweep_words words;
            text_add(&command, " -o %s", file);
            sweep_words_split(&words, command.data);
            strcpy(slot->preparing, file);
            launch(run, slot, &words);
            mem_free(words.copy);
            text_release(&command);
            return true;
        }
        text_release(&command);
        if (*busy) return false;
        if (slot->prepare_lock >= 0) close(slot->prepare_lock), slot->prepare_lock = -1;
    }
    return false;
}

static void free_slot(struct slot *slot) {
    if (slot->lock >= 0) close(slot->lock);
    if (slot->prepare_lock >= 0) close(slot->prepare_lock);
    *slot = (struct slot){.lock = -1, .prepare_lock = -1};
}

static void settle(struct run *run, int trial) {
    if (!run->settled[trial]) run->n_settled++;
    run->settled[trial] = 1;
}

static void fail_trial(struct run *run, int trial, const char *line) {
    struct rl_error err = {0};
    const struct sweep_trial *failed = &run->sweep->trials[trial];
    sweep_progress_clear(&run->progress);
    log_warning("trial %s failed: %s", failed->name, line);
    if (sweep_set_failed(run->sweep, failed, line, &err) != RL_OK) log_warning("%s", err.message);
    settle(run, trial);
}

static void write_tables(struct run *run) {
    struct rl_error err = {0};
    if (sweep_write_tables(run->sweep, &err) != RL_OK) log_warning("%s", err.message);
}

// The slot holds the trial's lock: goes on with its next step.
static enum attempt proceed(struct run *run, struct slot *slot) {
    bool busy = false;
    if (start_preparing(run, slot, &busy)) {
        if (slot->pid) return ATTEMPT_STARTED;
    } else if (busy) {
        free_slot(slot);
        return ATTEMPT_BUSY;
    } else if (start_training(run, slot)) {
        return ATTEMPT_STARTED;
    }
    fail_trial(run, slot->trial, "cannot start a process");
    free_slot(slot);
    return ATTEMPT_SETTLED;
}

static enum attempt claim(struct run *run, struct slot *slot, int trial) {
    char path[SWEEP_FILE_BYTES];
    sweep_trial_path(run->sweep, &run->sweep->trials[trial], ".lock", path);
    int lock = sweep_lock(path);
    if (lock == -1) return ATTEMPT_BUSY;
    *slot = (struct slot){.trial = trial, .lock = lock, .prepare_lock = -1};
    if (lock < 0) {
        fail_trial(run, trial, "cannot write its lock file");
    } else if (sweep_is_settled(run->sweep, &run->sweep->trials[trial])) {
        drop_replay(run, trial); // an earlier session may have been killed before it did
        settle(run, trial);
    } else {
        return proceed(run, slot);
    }
    free_slot(slot);
    return ATTEMPT_SETTLED;
}

static bool is_wanted(const struct run *run, int trial) {
    const char *only = run->options->only;
    return !only || !strcmp(only, run->sweep->trials[trial].name);
}

static bool is_running(const struct run *run, int trial) {
    for (int i = 0; i < run->options->jobs; i++) {
        if (run->slots[i].pid && run->slots[i].trial == trial) return true;
    }
    return false;
}

static struct slot *find_free_slot(struct run *run) {
    for (int i = 0; i < run->options->jobs; i++) {
        if (!run->slots[i].pid) return &run->slots[i];
    }
    return NULL;
}

// Fills free slots with trials in order. Those that others hold are looked at again later.
static void claim_trials(struct run *run) {
    if (clock_now_s() < run->next_claim_s || !find_free_slot(run)) return;
    int settled_before = run->n_settled;
    run->n_busy = 0;
    for (int i = 0; i < run->sweep->n_trials; i++) {
        struct slot *slot = find_free_slot(run);
        if (!slot) break;
        if (run->settled[i] || !is_wanted(run, i) || is_running(run, i)) continue;
        if (claim(run, slot, i) == ATTEMPT_BUSY) run->n_busy++;
    }
    if (run->n_settled > settled_before) write_tables(run);
    run->next_claim_s = run->n_busy ? clock_now_s() + CLAIM_PERIOD_S : 0;
}

// --- a process ends
// -----------------------------------------------------------------------------------

static bool was_killed(int status) {
    if (WIFEXITED(status)) return WEXITSTATUS(status) == 130; // asked to stop, and has saved
    int signal_number = WTERMSIG(status);
    return signal_number == SIGKILL || signal_number == SIGTERM || signal_number == SIGINT ||
           signal_number == SIGHUP;
}

static void end_process(struct run *run, struct slot *slot, int status) {
    int trial = slot->trial;
    run->n_running--;
    slot->pid = 0;
    bool fine = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (fine && slot->preparing[0]) {
        close(slot->prepare_lock);
        slot->prepare_lock = -1;
        if (run->stopping || proceed(run, slot) == ATTEMPT_STARTED) {
            if (run->stopping) free_slot(slot);
            return;
        }
    } else if (fine) {
        drop_replay(run, trial);
        settle(run, trial);
    } else if (was_killed(status) && (slot->told || ++run->tries[trial] < SWEEP_PROCESS_TRIES)) {
        free_slot(slot); // to go on with, now or in another session
        return;
    } else {
        char log[SWEEP_FILE_BYTES], line[512], whole[600];
        sweep_trial_path(run->sweep, &run->sweep->trials[trial], ".log", log);
        sweep_process_error(log, status, line, sizeof line);
        snprintf(whole, sizeof whole, "%s%s", slot->preparing[0] ? "preparing: " : "", line);
        fail_trial(run, trial, whole);
    }
    free_slot(slot);
    write_tables(run);
}

static void look_at_processes(struct run *run) {
    for (int i = 0; i < run->options->jobs; i++) {
        struct slot *slot = &run->slots[i];
        int status;
        if (slot->pid && waitpid(slot->pid, &status, WNOHANG) == slot->pid)
            end_process(run, slot, status);
    }
}

static void stop_processes(struct run *run) {
    run->stopping = true;
    for (int i = 0; i < run->options->jobs; i++) {
        if (run->slots[i].pid && !run->slots[i].told) kill(run->slots[i].pid, SIGTERM);
        run->slots[i].told = true;
    }
}

// --- the loop
// -----------------------------------------------------------------------------------------

static void show_progress(struct run *run) {
    int running[SWEEP_PROGRESS_SHOWN], n = 0;
    for (int i = 0; i < run->options->jobs && n < SWEEP_PROGRESS_SHOWN; i++) {
        if (run->slots[i].pid) running[n++] = run->slots[i].trial;
    }
    struct sweep_progress_state state = {.settled = run->n_settled,
                                         .n_running = run->n_running,
                                         .n_elsewhere = run->n_busy,
                                         .running = running,
                                         .n_shown = n,
                                         .jobs = (int)run->options->jobs,
                                         .stopping = run->stopping};
    sweep_progress_update(&run->progress, run->sweep, &state);
}

static bool is_over(const struct run *run) {
    if (run->n_running) return false;
    if (run->stopping) return true;
    for (int i = 0; i < run->sweep->n_trials; i++) {
        if (is_wanted(run, i) && !run->settled[i]) return false;
    }
    return true;
}

static void loop(struct run *run) {
    const struct timespec pause = {0, (long)(LOOK_PERIOD_S * 1e9)};
    double deadline_s = run->options->deadline_s;
    while (!is_over(run)) {
        if (!run->stopping) claim_trials(run);
        look_at_processes(run);
        if (stop_requested || (deadline_s > 0 && clock_now_s() >= deadline_s)) stop_processes(run);
        show_progress(run);
        nanosleep(&pause, NULL);
    }
}

static enum rl_status conclude(const struct run *run, struct rl_error *err) {
    const struct sweep *sweep = run->sweep;
    int done = 0, failed = 0, wanted = 0;
    for (int i = 0; i < sweep->n_trials; i++) {
        struct sweep_result result;
        if (!is_wanted(run, i)) continue;
        wanted++;
        sweep_result_read(sweep, &sweep->trials[i], &result);
        done += result.state == SWEEP_STATE_DONE;
        // A full disk may not even hold the note that the trial failed.
        bool lost = result.state == SWEEP_STATE_WAITING && run->settled[i];
        failed += result.state == SWEEP_STATE_FAILED || lost;
    }
    if (done + failed < wanted)
        return rl_fail(err, RL_EINTERRUPT, "%s: %d of %d trials done, %d failed; go on with: %s",
                       stop_requested ? "interrupted" : "stopped in time", done, wanted, failed,
                       run->options->command);
    printf("%s: %d of %d trials done, %d failed; table in %s/results.md\n", sweep->name, done,
           wanted, failed, sweep->folder);
    if (!failed) return RL_OK;
    return rl_fail(err, RL_EIO,
                   "%s: %d of %d trials failed; %s/results.md says why; --retry-failed tries again",
                   sweep->name, failed, wanted, sweep->folder);
}

static enum rl_status forget_failures(const struct run *run, struct rl_error *err) {
    enum rl_status status = RL_OK;
    for (int i = 0; i < run->sweep->n_trials && status == RL_OK && run->options->retry_failed;
         i++) {
        if (is_wanted(run, i))
            status = sweep_set_failed(run->sweep, &run->sweep->trials[i], NULL, err);
    }
    return status;
}

enum rl_status sweep_run(const struct sweep *sweep, const struct sweep_run_options *options,
                         struct rl_error *err) {
    struct run run = {.sweep = sweep, .options = options};
    enum rl_status status = open_folder(sweep, err);
    if (status == RL_OK) status = forget_failures(&run, err);
    if (status != RL_OK) return status;
    run.slots = MEM_ARRAY(struct slot, options->jobs);
    for (int i = 0; i < options->jobs; i++)
        run.slots[i] = (struct slot){.lock = -1, .prepare_lock = -1};
    run.settled = MEM_ARRAY(unsigned char, sweep->n_trials);
    run.tries = MEM_ARRAY(unsigned char, sweep->n_trials);
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = request_stop}, old[3];
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 3; i++) sigaction(signals[i], &action, &old[i]);
    sweep_progress_start(&run.progress, stderr);
    loop(&run);
    sweep_progress_stop(&run.progress);
    status = sweep_write_tables(sweep, err);
    for (int i = 0; i < 3; i++) sigaction(signals[i], &old[i], NULL);
    if (status == RL_OK) status = conclude(&run, err);
    mem_free(run.slots);
    mem_free(run.settled);
    mem_free(run.tries);
    return status;
}
