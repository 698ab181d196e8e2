// rlrun AGENT --env E --encoder X [--config F] [--section.key=value ...]: trains a new run.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/train_session.h"
#include "train/run_dir.h"
#include "train/shards.h"

#define TABLE_LIMIT 128

static void print_help(const char *agent) {
    const struct opt_table *tables[TABLE_LIMIT];
    size_t count = parts_tables(tables, TABLE_LIMIT);
    printf("Usage: rlrun %s [--env E] [--encoder X] [--steps N] [--seed S] [--config F] "
           "[--SECTION.KEY=VALUE]\n\n",
           agent);
    struct text text = {0};
    for (size_t i = 0; i < count; i++) {
        if (tables[i]->section[0] && agent_find(tables[i]->section) &&
            strcmp(tables[i]->section, agent))
            continue;
        if (tables[i]->specs[0].name) text_add(&text, "%s%s\n", i ? "\n" : "", tables[i]->section);
        opt_dump_help(tables[i], &text);
    }
    fputs(text.data, stdout);
    text_release(&text);
}

// The folder is made last, when everything else about the run has proved right.
static enum rl_status start_run(struct trainer *trainer, struct config *config, struct run_dir *dir,
                                struct rl_error *err) {
    struct run_options *run = &trainer->parts.run;
    enum rl_status status = trainer_create(trainer, config, err);
    if (status != RL_OK) return status;
    char name[OPT_STRING_BYTES];
    snprintf(name, sizeof name, "%s", run->name);
    if (!*name) {
        run_dir_name(name, sizeof name, run->agent, env_spec(trainer->env)->name, run->encoder,
                     run->seed);
    }
    struct text yaml = {0};
    parts_dump(&trainer->parts, &yaml);
    status = shards_create(trainer->comm, dir, run->run_dir, name, yaml.data, err);
    text_release(&yaml);
    return status == RL_OK ? trainer_start(trainer, dir->path, err) : status;
}

enum rl_status cmd_train(const char *agent, int argc, char **argv, struct rl_error *err) {
    const struct opt_table *tables[TABLE_LIMIT];
    size_t count = parts_tables(tables, TABLE_LIMIT);
    struct args args;
    struct trainer *trainer = MEM_NEW(struct trainer);
    struct run_dir dir = {.lock_fd = -1};
    enum rl_status status = args_parse(&args, argc, argv, tables, count, err);
    if (status == RL_OK && args.help) {
        print_help(agent);
    } else {
        if (status == RL_OK && args.n_words) {
            status = rl_fail(err, RL_EUSAGE, "unexpected word '%.60s'; see rlrun %s --help",
                             args.words[0], agent);
        }
        if (status == RL_OK) status = comm_start(&trainer->comm, err);
        if (status == RL_OK) status = parts_read_options(&trainer->parts, agent, &args.config, err);
        if (status == RL_OK) status = start_run(trainer, &args.config, &dir, err);
        if (status == RL_OK) status = train_session(trainer, err);
    }
    struct comm *comm = trainer->comm;
    trainer_release(trainer);
    mem_free(trainer);
    run_dir_close(&dir);
    if (status == RL_OK || status == RL_EINTERRUPT) comm_finish(comm);
    args_release(&args);
    return status;
}
