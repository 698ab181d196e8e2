// Whole folders: their size on disk, and removing them.
#pragma once

#include <stdint.h>

#include "base/err.h"

// Bytes of all files below path; 0 when it is not there.
int64_t file_tree_bytes(const char *path);

// Removes path and all below it; links are removed, not followed. Not there: RL_OK.
RL_CHECKED enum rl_status file_tree_remove(const char *path, struct rl_error *err);
