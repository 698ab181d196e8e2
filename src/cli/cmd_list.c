// rlrun list envs|agents|encoders|ssl|configs|commands|benches|options [--json] [--markdown]
#include <stdio.h>
#include <string.h>

#include "agents/agent.h"
#include "base/json_line.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/command.h"
#include "cli/config_names.h"
#include "encoders/encoder.h"
#include "envs/env.h"
#include "ssl/ssl.h"
#include "train/parts.h"

#define TABLES_LIMIT 128

struct list_options {
    bool json, markdown;
};
static const struct opt_spec list_specs[] = {
    OPT_ROW_BOOL(struct list_options, json, "false", "one JSON object a line"),
    OPT_ROW_BOOL(struct list_options, markdown, "false", "Markdown, with every option"),
    OPT_END,
};
static const struct opt_table list_table = {"", list_specs};

// One row; options may be NULL or empty.
static void print_row(const struct list_options *options, const char *name, const char *summary,
                      const struct opt_table *table) {
    if (options->json) {
        struct text line = {0};
        json_line_begin(&line);
        json_line_string(&line, "name", name);
        if (summary) json_line_string(&line, "summary", summary);
        json_line_end(&line);
        fputs(line.data, stdout);
        text_release(&line);
        return;
    }
    if (!options->markdown) {
        printf(summary ? "%-24s %s\n" : "%s\n", name, summary);
        return;
    }
    printf("## `%s`\n\n%s%s", name, summary ? summary : "", summary ? "\n\n" : "");
    if (!table || !table->specs || !table->specs[0].name) return;
    struct text text = {0};
    opt_dump_markdown(table, &text);
    printf("| option | default | allowed | meaning |\n|---|---|---|---|\n%s\n", text.data);
    text_release(&text);
}

static void print_env(const struct list_options *options, const struct env_spec *spec) {
    if (!options->json) {
        char sizes[128];
        snprintf(sizes, sizeof sizes, "%3d observed, %2d actions, %d frames of %g s, %d a step",
                 spec->obs_dim, spec->action_dim, spec->episode_frames, spec->control_timestep_s,
                 spec->action_repeat);
        print_row(options, spec->name, sizes, NULL);
        return;
    }
    struct text line = {0};
    json_line_begin(&line);
    json_line_string(&line, "name", spec->name);
    json_line_int(&line, "obs_dim", spec->obs_dim);
    json_line_int(&line, "action_dim", spec->action_dim);
    json_line_int(&line, "episode_frames", spec->episode_frames);
    json_line_real(&line, "control_timestep_s", spec->control_timestep_s);
    json_line_int(&line, "action_repeat", spec->action_repeat);
    json_line_end(&line);
    fputs(line.data, stdout);
    text_release(&line);
}

static enum rl_status list_envs(const struct list_options *options, struct rl_error *err) {
    for (int i = 0; i < env_task_count(); i++) {
        struct env_spec spec;
        enum rl_status status = env_describe(env_task_name(i), &spec, err);
        if (status != RL_OK) return status;
        print_env(options, &spec);
    }
    return RL_OK;
}

static enum rl_status list_agents(const struct list_options *options, struct rl_error *err) {
    (void)err;
    for (int i = 0; i < agent_count(); i++) {
        print_row(options, agent_at(i)->name, agent_at(i)->summary, &agent_at(i)->opts);
    }
    return RL_OK;
}

static enum rl_status list_encoders(const struct list_options *options, struct rl_error *err) {
    (void)err;
    for (int i = 0; i < encoder_count(); i++) {
        print_row(options, encoder_at(i)->name, encoder_at(i)->summary, &encoder_at(i)->opts);
    }
    return RL_OK;
}

static enum rl_status list_ssl(const struct list_options *options, struct rl_error *err) {
    (void)err;
    for (int i = 0; i < ssl_count(); i++) {
        print_row(options, ssl_at(i)->name, ssl_at(i)->summary, &ssl_at(i)->opts);
    }
    return RL_OK;
}

static enum rl_status list_commands(const struct list_options *options, struct rl_error *err) {
    (void)err;
    for (int i = 0; i < command_count(); i++) {
        print_row(options, command_at(i)->name, command_at(i)->summary, NULL);
    }
    return RL_OK;
}

static enum rl_status list_benches(const struct list_options *options, struct rl_error *err) {
    (void)err;
    for (int i = 0; i < bench_count(); i++) {
        print_row(options, bench_at(i)->name, bench_at(i)->summary, NULL);
    }
    return RL_OK;
}

// The run's own options and every section; with --markdown the reference page.
static enum rl_status list_options(const struct list_options *options, struct rl_error *err) {
    (void)err;
    const struct opt_table *tables[TABLES_LIMIT];
    size_t count = parts_tables(tables, TABLES_LIMIT);
    for (size_t i = 0; i < count; i++) {
        if (!tables[i]->specs[0].name) continue;
        print_row(options, tables[i]->section[0] ? tables[i]->section : "(run)", NULL, tables[i]);
        if (options->json || options->markdown) continue;
        struct text text = {0};
        opt_dump_help(tables[i], &text);
        fputs(text.data, stdout);
        text_release(&text);
    }
    return RL_OK;
}

static enum rl_status list_configs(const struct list_options *options, struct rl_error *err) {
    (void)err;
    struct config_names names;
    config_names_read(&names);
    for (int i = 0; i < names.count; i++) print_row(options, names.name[i], NULL, NULL);
    config_names_release(&names);
    return RL_OK;
}

static const struct {
    const char *name;
    enum rl_status (*print)(const struct list_options *options, struct rl_error *err);
} kinds[] = {
    {"envs", list_envs},       {"agents", list_agents},   {"encoders", list_encoders},
    {"ssl", list_ssl},         {"configs", list_configs}, {"commands", list_commands},
    {"benches", list_benches}, {"options", list_options},
};
#define N_KINDS (sizeof kinds / sizeof *kinds)

static void kind_names(struct text *text) {
    for (size_t i = 0; i < N_KINDS; i++) text_add(text, "%s%s", i ? "|" : "", kinds[i].name);
}

static enum rl_status print_kind(const char *word, const struct list_options *options,
                                 struct rl_error *err) {
    const char *names[N_KINDS];
    for (size_t i = 0; i < N_KINDS; i++) {
        names[i] = kinds[i].name;
        if (strcmp(names[i], word)) continue;
        return kinds[i].print(options, err);
    }
    char suggestion[128];
    text_suggestion(suggestion, sizeof suggestion, word, names, N_KINDS);
    return rl_fail(err, RL_EUSAGE, "list: unknown kind '%s'%s", word, suggestion);
}

enum rl_status cmd_list(int argc, char **argv, struct rl_error *err) {
    struct list_options options;
    struct args args;
    struct text usage = {0};
    text_add(&usage, "list ");
    kind_names(&usage);
    text_add(&usage, " [--json] [--markdown]");
    enum rl_status status = args_read(&args, argc, argv, &list_table, &options, 1, err);
    if (status == RL_OK && args.help) {
        args_print_help(usage.data, &list_table);
    } else if (status == RL_OK && args.n_words < 1) {
        status = rl_fail(err, RL_EUSAGE, "list what? usage: rlrun %s", usage.data);
    } else if (status == RL_OK) {
        status = print_kind(args.words[0], &options, err);
    }
    text_release(&usage);
    args_release(&args);
    return status;
}
