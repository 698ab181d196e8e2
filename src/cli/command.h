// A command of the program. Adding one: src/cli/cmd_NAME.c with
// `enum rl_status cmd_NAME(int argc, char **argv, struct rl_error *err)` (argv[0] is the command's
// name; --help prints its usage), and COMMAND(NAME, "summary") in commands.def. A failure is
// returned; main prints the one line and turns the status into the exit code.
#pragma once

#include "base/err.h"
#include "base/log.h"

typedef enum rl_status (*command_fn)(int argc, char **argv, struct rl_error *err);

struct command {
    const char *name, *summary;
    command_fn run;
};

#define COMMAND(name, summary)                                                                     \
    enum rl_status cmd_##name(int argc, char **argv, struct rl_error *err);
#include "cli/commands.def"
#undef COMMAND

int command_count(void);
const struct command *command_at(int index);
const struct command *command_find(const char *name); // NULL when unknown

void command_print_overview(void); // `rlrun --help`

// The program's log handler: a line on stderr.
void command_log(enum log_level level, const char *line, void *context);

// `rlrun AGENT ...`: trains a new run with that agent (cmd_train.c).
enum rl_status cmd_train(const char *agent, int argc, char **argv, struct rl_error *err);
