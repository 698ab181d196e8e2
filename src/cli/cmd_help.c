// rlrun help [COMMAND|AGENT]
#include <string.h>

#include "agents/agent.h"
#include "cli/args.h"
#include "cli/command.h"

enum rl_status cmd_help(int argc, char **argv, struct rl_error *err) {
    bool overview = argc < 2 || argv[1][0] == '-';
    const struct command *command = overview ? NULL : command_find(argv[1]);
    if (overview || (command && !strcmp(command->name, "help"))) {
        command_print_overview();
        return RL_OK;
    }
    char *words[] = {argv[1], (char[]){"--help"}, NULL};
    if (command) return command->run(2, words, err);
    if (agent_find(argv[1])) return cmd_train(argv[1], 2, words, err);
    return rl_fail(err, RL_EUSAGE, "unknown command or agent '%.60s'; see rlrun help", argv[1]);
}
