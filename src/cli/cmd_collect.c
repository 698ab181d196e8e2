// rlrun collect -o F.npz: rollouts of random actions, or of a trained run, into one file that
// pretrain and probe read, and NumPy.
#include <stdio.h>

#include "cli/args.h"
#include "cli/command.h"
#include "train/collect.h"

struct collect_options {
    char env[OPT_STRING_BYTES], run[OPT_STRING_BYTES], output[OPT_STRING_BYTES];
    int64_t steps, seed;
};
#define T struct collect_options
static const struct opt_spec specs[] = {
    OPT_ROW_STRING(T, env, "cheetah-run", "environment: DOMAIN-TASK or a path"),
    OPT_ROW_STRING(T, run, "", "folder of a trained run that acts in its own environment"),
    OPT_ROW_STRING(T, output, "rollouts.npz", "file to write"),
    OPT_ROW_INT(T, steps, "5000", 2, 1e7, "agent steps"),
    OPT_ROW_INT(T, seed, "1", 0, 9e15, "of everything random"),
    OPT_END,
};
#undef T
static const struct opt_table table = {"", specs};

enum rl_status cmd_collect(int argc, char **argv, struct rl_error *err) {
    const struct opt_table *tables[] = {&table, &env_opts};
    struct args args;
    struct collect_options options;
    struct env_options env;
    enum rl_status status = args_parse(&args, argc, argv, tables, 2, err);
    if (status == RL_OK && args.help) {
        args_print_help("collect [--env E | --run RUN] [--steps N] [-o F.npz]", &table);
        args_release(&args);
        return RL_OK;
    }
    if (status == RL_OK) status = config_apply(&args.config, &table, &options, err);
    if (status == RL_OK) status = config_apply(&args.config, &env_opts, &env, err);
    if (status == RL_OK) status = config_check_used(&args.config, NULL, 0, err);
    if (status == RL_OK && args.n_words)
        status = rl_fail(err, RL_EUSAGE, "'%s' is one word too many", args.words[0]);
    struct rollouts rollouts = {0};
    if (status == RL_OK) {
        struct rollouts_spec spec = {.env = options.env,
                                     .options = &env,
                                     .run = options.run[0] ? options.run : NULL,
                                     .steps = (int)options.steps,
                                     .frame_stack = 1,
                                     .seed = (uint64_t)options.seed};
        status = rollouts_collect(&rollouts, &spec, err);
    }
    if (status == RL_OK) status = rollouts_save(&rollouts, options.output, err);
    rollouts_release(&rollouts);
    args_release(&args);
    return status;
}
