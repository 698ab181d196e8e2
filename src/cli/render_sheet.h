// A contact sheet of every task of the suite: our picture above, MuJoCo's below, at their right
// what differs (above eight times brighter, below as it is).
#pragma once

#include <stdint.h>

#include "base/err.h"

// Writes the sheet to path and prints how near each scene comes. size: pixels of a picture's side.
RL_CHECKED enum rl_status render_sheet(const char *path, int size, uint64_t seed,
                                       struct rl_error *err);
