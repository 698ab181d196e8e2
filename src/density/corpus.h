// Text as numbers: a line is a sentence, ended by CORPUS_END. Words are runs of letters, digits,
// apostrophes and bytes above 127; any other visible character is a word of its own; in the
// characters' reading each byte is. Words not in the vocabulary are CORPUS_UNKNOWN.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CORPUS_END     0 // also stands before a line's first word
#define CORPUS_UNKNOWN 1

struct corpus {
    int vocabulary; // END and UNKNOWN included
    int64_t n, n_train;
    int *token; // (n): the training lines, then those held out
    char **word;
};

struct corpus_options {
    bool characters;
    int64_t min_count; // rarer words of the training lines are UNKNOWN
    double test_share; // of the lines, the last ones
};

RL_CHECKED enum rl_status corpus_create(const char *text, size_t size,
                                        const struct corpus_options *options, struct corpus *corpus,
                                        struct rl_error *err);
void corpus_release(struct corpus *corpus);
