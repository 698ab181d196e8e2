// Reading the golden data: every case that the manifest of RLRUN_GOLDEN (default tests/golden)
// lists for a group. A test calls golden_each with the group's name; finding no case is a failure.
#pragma once

#include <jansson.h>

#include "nn/safetensors.h"

struct golden_case {
    const char *path; // "suite/traj/cheetah_run_s1.safetensors", as in the manifest
    const char *file; // full path
    const json_t *entry;
    struct st_file data; // .safetensors cases
    json_t *json;        // .json cases
};

// Runs check on every case whose entry's "group" equals group; fails (cmocka) when there is none.
void golden_each(const char *group, void (*check)(const struct golden_case *golden, void *context),
                 void *context);

// The tensor, or a failure that names case and key.
const struct st_tensor *golden_tensor(const struct golden_case *golden, const char *key);
double *golden_doubles(const struct golden_case *golden, const char *key); // mem_free
float *golden_floats(const struct golden_case *golden, const char *key);   // mem_free

// |value - expected| <= absolute + relative * max |expected|, elementwise; the failure names case,
// key and the worst element.
void golden_near(const struct golden_case *golden, const char *key, const double *value,
                 int64_t count, double relative, double absolute);
void golden_near_float(const struct golden_case *golden, const char *key, const float *value,
                       int64_t count, double relative, double absolute);
