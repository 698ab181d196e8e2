// Facts about this build and the machine it runs on: for `rlrun version` and a run's machine.json.
#pragma once

#include "base/text.h"

const char *build_compiler(void); // "gcc 12.2.0"
int machine_cores(void);          // that this process may use
void machine_cpu_name(char *out, size_t size);
