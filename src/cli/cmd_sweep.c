// rlrun sweep FILE.yaml... [-j N] [--plan] [--list] [--slurm] [--max-hours H] [--seeds 1..5] ...:
// runs the trials of a configuration with lists, and makes a table of them. docs/sweeps.md is the
// user's page.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/sweep_plan.h"
#include "cli/sweep_run.h"
#include "train/parts.h"

#define TABLE_LIMIT 128

struct sweep_options {
    int64_t jobs, threads;
    double max_hours;
    bool plan, list, slurm, retry_failed, keep_replay;
    char seeds[OPT_STRING_BYTES], dir[OPT_STRING_BYTES], only[OPT_STRING_BYTES];
};
#define T struct sweep_options
static const struct opt_spec specs[] = {
    OPT_ROW_INT(T, jobs, "1", 1, 1024, "trials at a time (-j N)"),
    OPT_ROW_INT(T, threads, "0", 0, 1024, "threads of a trial; 0 = cores / jobs"),
    OPT_ROW_REAL(T, max_hours, "0", 0, 1e6,
                 "save and stop after this much wall time; 0 = never. With --slurm: of a task"),
    OPT_ROW_BOOL(T, plan, "false", "trials, hours and disk; runs nothing"),
    OPT_ROW_BOOL(T, list, "false", "a command for each trial, for GNU parallel; runs nothing"),
    OPT_ROW_BOOL(T, slurm, "false", "writes an array job for Slurm; runs nothing"),
    OPT_ROW_STRING(T, seeds, "", "instead of the configuration's: 1,2,5 or 1..5"),
    OPT_ROW_STRING(T, dir, "", "folder of the sweep; empty = runs/NAME"),
    OPT_ROW_STRING(T, only, "", "run this trial alone"),
    OPT_ROW_BOOL(T, retry_failed, "false", "run trials again that failed in earlier sessions"),
    OPT_ROW_BOOL(T, keep_replay, "false", "keep the replay of trials that have ended"),
    OPT_END,
};
#undef T
static const struct opt_table table = {"", specs};

// The command's own options and, for all trials, those of a run.
static void split_options(const struct config *config, struct config *own, struct config *trial) {
    for (size_t i = 0; i < config->count; i++) {
        const struct config_entry *entry = &config->entries[i];
        bool is_own = !*entry->section && opt_find(&table, entry->key);
        config_add(is_own ? own : trial, entry->section, entry->key, entry->value, entry->origin,
                   true);
    }
}

static bool needs_quotes(const char *word) {
    return !*word || strpbrk(word, " \t\"'$`\\*?[]{}()<>|&;#~!") != NULL;
}

static void add_word(struct text *out, const char *word) {
    if (!needs_quotes(word)) {
        text_add(out, " %s", word);
        return;
    }
    text_add(out, " '");
    for (; *word; word++) text_add(out, *word == '\'' ? "'\\''" : "%c", *word);
    text_add(out, "'");
}

// The command to run this sweep (again): the program, the file, and what decides its trials and how
// they run.
static void make_command(struct text *out, const struct sweep *sweep,
                         const struct sweep_options *options, const struct config *trial) {
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    add_word(out, length > 0 ? program : "rlrun");
    text_add(out, " sweep");
    add_word(out, sweep->path);
    if (*options->dir) text_add(out, " --dir"), add_word(out, options->dir);
    if (*options->seeds) text_add(out, " --seeds"), add_word(out, options->seeds);
    if (options->threads) text_add(out, " --threads %lld", (long long)options->threads);
    if (options->keep_replay) text_add(out, " --keep-replay");
    for (size_t i = 0; i < trial->count; i++) {
        const struct config_entry *entry = &trial->entries[i];
        struct text word = {0};
        text_add(&word, "--%s%s%s=%s", entry->section, *entry->section ? "." : "", entry->key,
                 entry->value);
        add_word(out, word.data);
        text_release(&word);
    }
    memmove(out->data, out->data + 1, out->length--); // the first space
}

static enum rl_status find_only(const struct sweep *sweep, const char *only, struct rl_error *err) {
    const char **names = MEM_ARRAY(const char *, sweep->n_trials);
    bool found = false;
    for (int i = 0; i < sweep->n_trials; i++) {
        names[i] = sweep->trials[i].name;
        found = found || !strcmp(names[i], only);
    }
    char suggestion[256];
    text_suggestion(suggestion, sizeof suggestion, only, names, (size_t)sweep->n_trials);
    mem_free(names);
    return found ? RL_OK
                 : rl_fail(err, RL_EUSAGE, "--only: %s has no trial '%.100s'%s; see --list",
                           sweep->path, only, suggestion);
}

static enum rl_status act(const struct sweep *sweep, const struct sweep_options *options,
                          const struct config *trial, double deadline_s, struct rl_error *err) {
    struct text command = {0};
    make_command(&command, sweep, options, trial);
    struct sweep_run_options run = {.jobs = options->jobs,
                                    .threads = options->threads,
                                    .deadline_s = deadline_s,
                                    .only = *options->only ? options->only : NULL,
                                    .retry_failed = options->retry_failed,
                                    .keep_replay = options->keep_replay,
                                    .command = command.data};
    enum rl_status status = RL_OK;
    if (options->plan) {
        sweep_plan_print(sweep, (int)options->jobs);
    } else if (options->list) {
        sweep_plan_list(sweep, command.data);
    } else if (options->slurm) {
        status = sweep_plan_slurm(sweep, command.data, (int)options->jobs, options->threads,
                                  options->max_hours, err);
    } else {
        status = sweep_run(sweep, &run, err);
    }
    text_release(&command);
    return status;
}

static enum rl_status one_sweep(const char *path, const struct sweep_options *options,
                                const struct config *trial, double deadline_s,
                                struct rl_error *err) {
    char file[4096];
    enum rl_status status = args_find_config(path, file, sizeof file, err);
    if (status != RL_OK) return status;
    struct sweep_changes changes = {trial, options->seeds, options->dir};
    struct sweep *sweep = MEM_NEW(struct sweep);
    status = sweep_read(sweep, file, &changes, err);
    if (status == RL_OK && *options->only) status = find_only(sweep, options->only, err);
    if (status == RL_OK) status = act(sweep, options, trial, deadline_s, err);
    sweep_release(sweep);
    mem_free(sweep);
    return status;
}

// One sweep after the other. Failed trials of one do not keep the next from running.
static enum rl_status all_sweeps(const struct args *args, const struct sweep_options *options,
                                 const struct config *trial, struct rl_error *err) {
    double deadline_s = options->max_hours > 0 ? clock_now_s() + 3600 * options->max_hours : 0;
    enum rl_status worst = RL_OK;
    for (int i = 0; i < args->n_words; i++) {
        struct rl_error own = {0};
        enum rl_status status = one_sweep(args->words[i], options, trial, deadline_s, &own);
        if (status == RL_OK) continue;
        *err = own;
        worst = status;
        if (status == RL_EUSAGE || status == RL_EINTERRUPT) break;
        if (i + 1 < args->n_words) fprintf(stderr, "rlrun: %s\n", own.message);
    }
    return worst;
}

enum rl_status cmd_sweep(int argc, char **argv, struct rl_error *err) {
    const struct opt_table *tables[TABLE_LIMIT] = {&table};
    size_t count = 1 + parts_tables(tables + 1, TABLE_LIMIT - 1);
    struct args args;
    struct sweep_options options;
    struct config own = {0}, trial = {0};
    enum rl_status status = args_parse(&args, argc, argv, tables, count, err);
    if (status == RL_OK && args.help) {
        args_print_help("sweep FILE.yaml... [-j N] [--plan | --list | --slurm] [--max-hours H]\n"
                        "       [--seeds 1..5] [--SECTION.KEY=VALUE, for all trials]",
                        &table);
    } else if (status == RL_OK) {
        split_options(&args.config, &own, &trial);
        status = config_apply(&own, &table, &options, err);
        if (status == RL_OK && args.n_words < 1)
            status = rl_fail(err, RL_EUSAGE, "sweep what? usage: rlrun sweep FILE.yaml...");
        if (status == RL_OK && args.n_words > 1 && (*options.dir || *options.only))
            status = rl_fail(err, RL_EUSAGE, "--dir and --only are for one sweep at a time");
        if (status == RL_OK) status = all_sweeps(&args, &options, &trial, err);
    }
    config_release(&own);
    config_release(&trial);
    args_release(&args);
    return status;
}
