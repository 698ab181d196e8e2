// rlrun help [COMMAND]
#include <string.h>

#include "cli/args.h"
#include "cli/command.h"

enum rl_status cmd_help(int argc, char **argv, struct rl_error *err) {
    bool overview = argc < 2 || argv[1][0] == '-';
    const struct command *command = overview ? NULL : command_find(argv[1]);
    if (!command && !overview)
        return rl_fail(err, RL_EUSAGE, "unknown command '%s'; see rlrun help", argv[1]);
    if (!command || !strcmp(command->name, "help")) {
        command_print_overview();
        return RL_OK;
    }
    char *words[] = {argv[1], (char[]){"--help"}, NULL};
    return command->run(2, words, err);
}
