// rlrun resume RUN [--steps N] [--time-limit S] [--threads T]: goes on where the newest checkpoint
// stands.
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/train_session.h"
#include "train/run_dir.h"
#include "train/shards.h"

static const struct opt_spec no_specs[] = {OPT_END};
static const struct opt_table no_table = {"", no_specs};

// What may change without changing the run up to here.
static const char *const changeable[] = {"steps", "time_limit", "threads", "checkpoint_every",
                                         "keep_checkpoints"};

static enum rl_status check_changes(const struct config *config, struct rl_error *err) {
    for (size_t i = 0; i < config->count; i++) {
        const struct config_entry *entry = &config->entries[i];
        bool allowed = false;
        for (size_t k = 0; k < sizeof changeable / sizeof *changeable; k++) {
            allowed = allowed || (!entry->section[0] && text_same_name(entry->key, changeable[k]));
        }
        if (!allowed) {
            return rl_fail(
                err, RL_EUSAGE,
                "%s: a resumed run keeps its configuration; only --steps, --time-limit, --threads, "
                "--checkpoint-every and --keep-checkpoints may change",
                entry->origin);
        }
    }
    return RL_OK;
}

static enum rl_status read_config(const char *run_dir, const struct config *changes,
                                  struct config *config, struct rl_error *err) {
    char path[4200];
    file_join(path, sizeof path, run_dir, "config.yaml");
    enum rl_status status = config_add_yaml_file(config, path, err);
    for (size_t i = 0; i < changes->count; i++) {
        const struct config_entry *entry = &changes->entries[i];
        config_add(config, entry->section, entry->key, entry->value, entry->origin, true);
    }
    return status;
}

static enum rl_status resume(const char *word, const struct config *changes, struct rl_error *err) {
    struct trainer *trainer = MEM_NEW(struct trainer);
    struct config config = {0};
    struct run_dir dir = {.lock_fd = -1};
    enum rl_status status = check_changes(changes, err);
    if (status == RL_OK) status = comm_start(&trainer->comm, err);
    if (status == RL_OK) status = shards_open(trainer->comm, &dir, word, err);
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
    const struct opt_table *tables[] = {&run_opts};
    struct args args;
    enum rl_status status = args_parse(&args, argc, argv, tables, 1, err);
    if (status == RL_OK && args.help) {
        args_print_help("resume RUN [--steps N] [--time-limit SECONDS] [--threads N] "
                        "[--checkpoint-every N] [--keep-checkpoints N]",
                        &no_table);
    } else if (status == RL_OK) {
        status = args.n_words == 1 ? resume(args.words[0], &args.config, err)
                                   : rl_fail(err, RL_EUSAGE, "usage: rlrun resume RUN");
    }
    args_release(&args);
    return status;
}
