// Running a sweep: each trial in a process of its own, at most `jobs` at a time. A trial is claimed
// by a lock on its file, which its process keeps: sweeps that share a folder, on one machine or
// over a shared file system, share the work, and a trial is free again when everyone who worked at
// it is gone.
#pragma once

#include "train/sweep.h"

#define SWEEP_PROCESS_TRIES 3 // for a trial whose process is killed from outside

struct sweep_run_options {
    int64_t jobs;
    int64_t threads;     // of a trial, unless its configuration says; 0 = cores / jobs
    double deadline_s;   // of clock_now_s: save and stop then; 0 = never
    const char *only;    // the one trial to run, by its name; NULL = all
    bool retry_failed;   // forget failures of earlier sessions
    bool keep_replay;    // of trials that have ended
    const char *command; // to go on with, for messages
};

// Returns when every trial has ended or failed: RL_OK, or an error that counts the failures; or
// when it was interrupted or out of time, after all processes have saved: RL_EINTERRUPT.
RL_CHECKED enum rl_status sweep_run(const struct sweep *sweep,
                                    const struct sweep_run_options *options, struct rl_error *err);
