// Benchmarks. Adding one: src/cli/bench_NAME.c with
// `enum rl_status bench_NAME(const struct bench_options *options, struct rl_error *err)`, and
// BENCH(NAME, "summary") in bench.def. `rlrun bench NAME` runs it; each figure goes out by
// bench_report, so that a table line or a JSON line is one place's concern.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"

struct bench_options {
    const char *bench; // its own name
    bool json;
    double seconds;     // time to spend on each case
    int64_t threads;    // threads that a case may use; 1 unless the user says so
    const char *filter; // run only cases whose name holds this text; "" = all
};

struct bench_row {
    const char *case_name; // "gemm 256x256x256"
    double value;
    const char *unit;     // "GFLOP/s", "us", "steps/s"
    const char *peer;     // what it is compared with, or NULL
    double peer_value;    // in the same unit
    bool lower_is_better; // of the unit (times): ratio is then peer_value / value
    double peak_fraction; // of the machine's arithmetic peak, measured; 0 = does not apply
    double best;          // fastest repetition, in the same unit; 0 = not told
};

// ratio (times better than the peer) is worked out here.
void bench_report(const struct bench_options *options, const struct bench_row *row);

bool bench_wanted(const struct bench_options *options, const char *case_name);

// Median over repetitions of the thread's CPU seconds for one call: repeats within
// options->seconds, at least 5 times; calls are grouped so that a repetition lasts 1 ms or more.
double bench_cpu_seconds(const struct bench_options *options, void (*run)(void *context),
                         void *context);

// Seconds of one call, measured the same way: the thread's CPU time if options->threads is 1, else
// wall time, since a thread that waits for the others spends none.
struct bench_time {
    double median_s, best_s;
};
struct bench_time bench_time(const struct bench_options *options, void (*run)(void *context),
                             void *context);

// Arithmetic peak in operations a second of all threads of the pool at once (math/peak.h), measured
// now: beside the case that is compared with it, because other programs and the clock change it.
double bench_peak_flops(struct pool *pool);

struct bench {
    const char *name, *summary;
    enum rl_status (*run)(const struct bench_options *options, struct rl_error *err);
};

#define BENCH(name, summary)                                                                       \
    enum rl_status bench_##name(const struct bench_options *options, struct rl_error *err);
#include "cli/bench.def"
#undef BENCH

int bench_count(void);
const struct bench *bench_at(int index);
