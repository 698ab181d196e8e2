// One process of the program as a child of a sweep.
#pragma once

#include <sys/types.h>

#include "base/text.h"

#define SWEEP_WORDS_MAX 64

// Words of a command line; they point into one copy, released with mem_free(words->copy).
struct sweep_words {
    char *copy;
    char *word[SWEEP_WORDS_MAX + 1];
    int count;
};

// Splits at spaces; a longer line is cut, and its command then fails and says so.
void sweep_words_split(struct sweep_words *words, const char *line);

// Starts this program itself with the words. Its output is appended to the log; it keeps the files
// `keep` open (-1: none), and with them their locks; it is asked to stop (SIGTERM) when this
// process dies, whatever the reason. -1: cannot fork.
pid_t sweep_process_start(const struct sweep_words *words, const char *log, const int keep[2]);

// The last error line of a log ("rlrun: ..."), or what the wait status says. Into out.
void sweep_process_error(const char *log, int wait_status, char *out, size_t size);

// Takes an exclusive lock on the file, which is made when missing: its descriptor, -1 when another
// process has it, -2 for trouble with the file.
int sweep_lock(const char *path);
