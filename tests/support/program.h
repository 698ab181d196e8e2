// Running the program itself ($RLRUN_PROGRAM) as a user does.
#pragma once

#include <sys/types.h>

#include "base/text.h"

// Words are separated by single spaces. Returns the exit status; what it wrote to stderr is
// appended to *errors (may be NULL), to stdout to *output (may be NULL). A signal's death is 128 +
// its number.
int program_run(const char *words, struct text *output, struct text *errors);

// Starts it without waiting, output dropped; end it with kill and program_wait.
pid_t program_start(const char *words);
int program_wait(pid_t pid);

// The rows of DIR/metrics.jsonl without the figures of wall time (keys that end in _s). mem_free by
// text_release.
struct text program_metrics(const char *run_dir);

// For cmocka: a test in an empty folder of its own under /tmp, dropped afterwards.
int program_set_up(void **state);
int program_tear_down(void **state);
