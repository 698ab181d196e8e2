// The command line: one word a line of the input, parsed with the tables of a training run.
#include <string.h>

#include "cli/args.h"
#include "fuzz/fuzz.h"
#include "train/options.h"

#define WORDS_LIMIT 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct opt_table *tables[] = {&run_opts, &replay_opts, &loop_opts};
    char *text = malloc(size + 1), *words[WORDS_LIMIT + 1];
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    int count = 1;
    words[0] = text; // as if it were the command's name
    for (char *c = text; *c && count < WORDS_LIMIT; c++) {
        if (*c != '\n') continue;
        *c = '\0';
        if (strncmp(c + 1, "--config", 8)) words[count++] = c + 1; // those would read other files
    }
    words[count] = NULL;
    struct args args;
    struct rl_error err = {0};
    struct run_options run;
    enum rl_status status = args_parse(&args, count, words, tables, 3, &err);
    FUZZ_REQUIRE(args.n_words < WORDS_LIMIT);
    if (status == RL_OK) status = config_apply(&args.config, &run_opts, &run, &err);
    if (status == RL_OK) status = config_check_used(&args.config, tables, 3, &err);
    FUZZ_REQUIRE((status == RL_OK) == (err.message[0] == '\0'));
    args_release(&args);
    free(text);
    return 0;
}
