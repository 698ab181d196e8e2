// One training session of a run, new or resumed, as the commands drive it: signals, progress, the
// loop.
#pragma once

#include "train/trainer.h"

// Runs trainer to its end with a progress line on stderr; Ctrl-C and SIGTERM save and stop
// (RL_EINTERRUPT). Prints the result on stdout.
RL_CHECKED enum rl_status train_session(struct trainer *trainer, struct rl_error *err);
