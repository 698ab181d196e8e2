// `rlrun density ngram|nce-lm --data TEXT`.
#pragma once

#include <stdbool.h>

#include "base/err.h"

bool density_text_is_model(const char *name);
// argv[0] is the model.
enum rl_status density_text(int argc, char **argv, struct rl_error *err);
