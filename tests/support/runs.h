// Folders of runs: what a test of whole runs compares.
#pragma once

#include <stdint.h>

// An empty folder in the place of what was there.
void runs_clean(const char *dir);

// Equal rows of the log (wall time apart) and equal final weights, to the bit.
void runs_assert_same(const char *a, const char *b);

// Step of the newest checkpoint file, -1 without any.
int64_t runs_newest_checkpoint(const char *dir);
