// The program: finds the command, runs it, prints the one error line and turns a status into an
// exit code.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agents/agent.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/command.h"
#include "envs/custom.h"

static const struct command commands[] = {
#define COMMAND(name, summary) {#name, summary, cmd_##name},
#include "cli/commands.def"
#undef COMMAND
};

int command_count(void) {
    return (int)(sizeof commands / sizeof *commands);
}

const struct command *command_at(int index) {
    return &commands[index];
}

const struct command *command_find(const char *name) {
    for (int i = 0; i < command_count(); i++) {
        if (text_same_name(commands[i].name, name)) return &commands[i];
    }
    return NULL;
}

void command_print_overview(void) {
    printf("rlrun: continuous control from pixels on a CPU\n\n"
           "Usage: rlrun AGENT [--env E] [--encoder X] [--option value ...]    trains a new run\n"
           "       rlrun COMMAND [words] [--option value ...]\n\nAgents:\n");
    for (int i = 0; i < agent_count(); i++) {
        printf("  %-10s %s\n", agent_at(i)->name, agent_at(i)->summary);
    }
    printf("\nCommands:\n");
    for (int i = 0; i < command_count(); i++) {
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    printf("\n`rlrun COMMAND --help` and `rlrun AGENT --help` list the options.\n");
}

static enum rl_status unknown_command(const char *word, struct rl_error *err) {
    const char *names[128];
    size_t count = 0;
    for (int i = 0; i < command_count() && count < 100; i++) names[count++] = commands[i].name;
    for (int i = 0; i < agent_count() && count < 128; i++) names[count++] = agent_at(i)->name;
    char suggestion[128];
    text_suggestion(suggestion, sizeof suggestion, word, names, count);
    return rl_fail(err, RL_EUSAGE, "unknown command or agent '%s'%s; see rlrun --help", word,
                   suggestion);
}

static enum rl_status dispatch(int argc, char **argv, struct rl_error *err) {
    if (argc < 2) {
        command_print_overview();
        return rl_fail(err, RL_EUSAGE, "a command is expected");
    }
    const char *word = argv[1];
    if (!strcmp(word, "--help") || !strcmp(word, "-h")) word = "help";
    if (!strcmp(word, "--version")) word = "version";
    const struct command *command = command_find(word);
    if (command) return command->run(argc - 1, argv + 1, err);
    if (agent_find(word)) return cmd_train(word, argc - 1, argv + 1, err);
    return unknown_command(word, err);
}

static int exit_code(enum rl_status status) {
    switch (status) {
    case RL_OK: return 0;
    case RL_EUSAGE: return 2;
    case RL_EINTERRUPT: return 130;
    default: return 1;
    }
}

void command_log(enum log_level level, const char *line, void *context) {
    (void)context;
    fprintf(stderr, "rlrun: %s%s\n", level == LOG_LEVEL_WARNING ? "warning: " : "", line);
}

// Ends at once, with files as the last checkpoint left them: no code is ready for the lack of a
// small object.
static void out_of_memory(size_t size_bytes) {
    fprintf(stderr,
            "rlrun: out of memory: %zu bytes could not be had; lower --replay.capacity or the "
            "batch, or end other programs\n",
            size_bytes);
    _exit(1);
}

// Plug-ins that the user names: a word of the command line, or RLRUN_PLUGINS.
static void permit_plugins(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        plugin_permit(value && argv[i][0] == '-' ? value + 1 : argv[i]);
    }
    const char *list = getenv("RLRUN_PLUGINS");
    char *copy = list ? mem_strdup(list) : NULL, *rest = copy;
    for (char *path; rest && (path = strsep(&rest, ":"));) plugin_permit(path);
    mem_free(copy);
}

int main(int argc, char **argv) {
    log_set_handler(command_log, NULL);
    mem_on_exhausted(out_of_memory);
    permit_plugins(argc, argv);
    signal(SIGPIPE, SIG_IGN); // a closed pipe is an error of the write, reported below
    struct rl_error err = {0};
    enum rl_status status = dispatch(argc, argv, &err);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (status == RL_OK) status = rl_fail(&err, RL_EIO, "cannot write to standard output");
    }
    if (status != RL_OK) {
        const char *message = err.message[0] ? err.message : rl_status_text(status);
        fprintf(stderr, "rlrun: %s\n", message);
    }
    return exit_code(status);
}
