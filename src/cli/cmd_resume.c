// rlrun resume RUN [--steps N] [--time-limit S] [--threads T] [--fewer_ranks]: goes on where the
// newest checkpoint stands.
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/train_session.h"
#include "train/run_dir.h"
#include "train/shards.h"

struct resume_options {
    bool fewer_ranks;
};

static const struct opt_spec resume_specs[] = {
    OPT_ROW_BOOL(struct resume_options, fewer_ranks, "false",
                 "under mpirun: go on with fewer ranks; the others' replays are put aside"),
    OPT_END,
};
static const struct opt_table resume_table = {"", resume_specs};

// What may change without changing the run up to here.
static const char *const changeable[] = {"steps", "time_limit", "threads", "checkpoint_every",
                                         "keep_checkpoints"};

static bool may_change(const struct config_entry *entry) {
    for (size_t k = 0; k < sizeof changeable / sizeof *changeable; k++) {
        if (!entry->section[0] && text_same_name(entry->key, changeable[k])) return true;
    }
    return false;
}

// Takes out this command's own options (used, then) and refuses what would change the run.
static enum rl_status check_changes(struct config *changes, struct resume_options *options,
                                    struct rl_error *err) {
    enum rl_status status = RL_OK;
    opt_set_defaults(&resume_table, options);
    for (size_t i = 0; i < changes->count && status == RL_OK; i++) {
        struct config_entry *entry = &changes->entries[i];
        const struct opt_spec *own = entry->section[0] ? NULL : opt_find(&resume_table, entry->key);
        if (own) {
            status = opt_set(&resume_table, own, options, entry->value, entry->origin, err);
            entry->used = true;
        } else if (!may_change(entry)) {
            status = rl_fail(
                err, RL_EUSAGE,
                "%s: a resumed run keeps its configuration; only --steps, --time-limit, --threads, "
                "--checkpoint-every and --keep-checkpoints may change",
                entry->origin);
        }
    }
    return status;
}

static enum rl_status read_config(const char *run_dir, const struct config *changes,
                                  struct config *config, struct rl_error *err) {
    char path[4200];
    file_join(path, sizeof path, run_dir, "config.yaml");
    enum rl_status status = config_add_yaml_file(config, path, err);
    for (size_t i = 0; i < changes->count; i++) {
        const struct config_entry *entry = &changes->entries[i];
        if (entry->used) continue;
        config_add(config, entry->section, entry->key, entry->value, entry->origin, true);
    }
    return status;
}

static enum rl_status resume(const char *word, struct config *changes, struct rl_error *err) {
    struct trainer *trainer = MEM_NEW(struct trainer);
    struct config config = {0};
    struct run_dir dir = {.lock_fd = -1};
    struct resume_options options;
    enum rl_status status = check_changes(changes, &options, err);
    if (status == RL_OK) status = comm_start(&trainer->comm, err);
    if (status == RL_OK) status = shards_open(trainer->comm, &dir, word, options.fewer_ranks, err);
    if (status == RL_OK) status = read_config(dir.path, changes, &config, err);
    if (status == RL_OK) status = parts_read_options(&trainer->parts, NULL, &config, err);
    if (status == RL_OK) status = trainer_create(trainer, &config, err);
    if (status == RL_OK) status = trainer_resume(trainer, dir.path, err);
    if (status == RL_OK) status = train_session(trainer, err);
    struct comm *comm = trainer->comm;
    trainer_release(trainer);
    mem_free(trainer);
    config_release(&config);
    run_dir_close(&dir);
    if (status == RL_OK || status == RL_EINTERRUPT) comm_finish(comm);
    return status;
}

enum rl_status cmd_resume(int argc, char **argv, struct rl_error *err) {
    const struct opt_table *tables[] = {&run_opts, &resume_table};
    struct args args;
    enum rl_status status = args_parse(&args, argc, argv, tables, 2, err);
    if (status == RL_OK && args.help) {
        args_print_help("resume RUN [--steps N] [--time-limit SECONDS] [--threads N] "
                        "[--checkpoint-every N] [--keep-checkpoints N]",
                        &resume_table);
    } else if (status == RL_OK) {
        status = args.n_words == 1 ? resume(args.words[0], &args.config, err)
                                   : rl_fail(err, RL_EUSAGE, "usage: rlrun resume RUN");
    }
    args_release(&args);
    return status;
}
