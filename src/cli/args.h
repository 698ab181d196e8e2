// The command line after the command's name: plain words, and options as entries of a struct config
// that owners read with config_apply. `--key value`, `--key=value`, `--section.key=value`; a switch
// (OPT_BOOL in one of the tables) stands alone and means true, `--key=no` turns it off; `--` ends
// the options; `-o F` is --output, `-j N` --jobs, `-h` --help. `--config F` (a path, or a name
// under configs/) is read before everything else on the line, so that the line wins.
#pragma once

#include "base/config.h"

struct args {
    struct config config;
    const char **words; // borrowed from argv
    int n_words;
    bool help; // --help was given; nothing else needs to be right then
};

// tables: what the command knows of (only to tell switches from options that take a value).
// args must be released also after a failure.
RL_CHECKED enum rl_status args_parse(struct args *args, int argc, char **argv,
                                     const struct opt_table *const *tables, size_t n_tables,
                                     struct rl_error *err);
void args_release(struct args *args);

// For commands with one table of their own: parses, fills values, refuses what is not in the table
// and more than max_words words.
RL_CHECKED enum rl_status args_read(struct args *args, int argc, char **argv,
                                    const struct opt_table *table, void *values, int max_words,
                                    struct rl_error *err);

// "Usage: rlrun ...", then the table's options.
void args_print_help(const char *usage, const struct opt_table *table);

// The file that --config NAME means: NAME itself when it exists, else configs/NAME[.yaml] in the
// data folder; unknown: RL_EUSAGE with the nearest name.
RL_CHECKED enum rl_status args_find_config(const char *name, char *out, size_t size,
                                           struct rl_error *err);
