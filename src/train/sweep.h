// Sweeps: a configuration with lists is a grid of runs ("trials"). Any option may have a list of
// values; the trials are all combinations, times the seeds:
//
//     base: ../small.yaml            # as in any configuration; may have lists, too
//     sweep:
//       name: encoder                # of the folder; default: the file's name
//       steps_per_s: 150             # of one trial, for --plan as long as none is measured
//     seeds: [1, 2, 3]               # or 1..3; default 1
//     encoder: [byol, moco, cnn]     # an axis of the grid
//     ddpg:
//       tau: [0.005, 0.01]           # another
//       batch: 128                   # the same in all trials
//     variants:                      # named bundles of options: one axis where several change
//     together
//       frozen: encoder={prepared}/byol-{seed}.safetensors freeze=true
//       joint: encoder=byol loop.mode=joint
//     prepare:                       # files that trials need first, made by a command of rlrun
//       byol-{seed}.safetensors: pretrain byol --env cheetah --seed {seed}
//
// In values {seed} is the trial's seed, {prepared} the folder of prepared files; a command is given
// `-o FILE` at its end. Keys of a variant are option or section.option, words are separated by
// spaces; a variant's options win over the rest of the file, options of the command line over both.
//
// Trials that differ in nothing but the seed are a row of the results table. Names come from the
// values that differ ("byol_tau-0.01_s1"), in the order of the file. Trials are ordered by seed
// first, so that every row has a result early.
#pragma once

#include <stdint.h>

#include "base/config.h"

#define SWEEP_NAME_BYTES  192
#define SWEEP_PATH_BYTES  1024
#define SWEEP_MAX_COLUMNS 16
#define SWEEP_MAX_TRIALS  100000

struct sweep_axis {
    char *section, *key;    // key "variants": the named bundles
    char **value, **origin; // (count), owned; one value: the same in all trials
    int count, capacity;
};

// A file that trials need before they start; seed by seed when its name has {seed}.
struct sweep_prepare {
    char *file, *command; // as in the configuration, with placeholders
};

struct sweep_trial {
    char name[SWEEP_NAME_BYTES]; // of its run folder inside the sweep's
    char agent[64];              // the command that trains it
    int row;                     // of the results table
    int64_t seed;
    struct config settings; // its options, beside the defaults
};

struct sweep {
    char name[SWEEP_NAME_BYTES];
    char folder[SWEEP_PATH_BYTES]; // runs/NAME unless the user names another
    char path[SWEEP_PATH_BYTES];   // the configuration
    char *options;                 // of the command line, as words: " --steps=2000", or ""; owned
    double steps_per_s;            // 0 = not given
    struct sweep_axis *axes;       // every option that was given
    int n_axes, axes_capacity;
    struct sweep_axis bundles;     // value: the words of each variant
    int column[SWEEP_MAX_COLUMNS]; // the axes with more than one value
    int n_columns;
    int64_t *seeds;
    int n_seeds;
    int n_rows; // all combinations
    struct sweep_trial *trials;
    int n_trials; // n_seeds * n_rows, row by row within a seed
    struct sweep_prepare *prepares;
    int n_prepares;
};

struct sweep_changes {
    const struct config *options; // of the command line; NULL: none
    const char *seeds;            // "1,2,5" or "1..5"; "" = the configuration's
    const char *folder;           // "" = runs/NAME
};

// Reads the file and lays out its trials. RL_EUSAGE with file:line for what cannot be a sweep. An
// option that is wrong in one trial is not an error here: the trial's own process says so, and the
// others go on (sweep_check asks before).
RL_CHECKED enum rl_status sweep_read(struct sweep *sweep, const char *path,
                                     const struct sweep_changes *changes, struct rl_error *err);
void sweep_release(struct sweep *sweep); // also after a failure

// Whether the trial's options exist and have values that are allowed.
RL_CHECKED enum rl_status sweep_check(const struct sweep_trial *trial, struct rl_error *err);

// The heading of a column ("encoder", "ddpg.tau", "variant") and a row's value in it.
void sweep_heading(const struct sweep *sweep, int column, char *out, size_t size);
const char *sweep_cell(const struct sweep *sweep, int row, int column);

// Paths, each SWEEP_PATH_BYTES + SWEEP_NAME_BYTES + 64: the trial's run folder, and the files about
// it beside the runs: NAME.yaml (its configuration), NAME.lock, NAME.log, NAME.failed.
#define SWEEP_FILE_BYTES (SWEEP_PATH_BYTES + SWEEP_NAME_BYTES + 64)
void sweep_run_path(const struct sweep *sweep, const struct sweep_trial *trial, char *out);
void sweep_trial_path(const struct sweep *sweep, const struct sweep_trial *trial,
                      const char *suffix, char *out);

// The trial's configuration as YAML that --config reads.
void sweep_trial_yaml(const struct sweep_trial *trial, struct text *out);

// Whether the trial needs this prepared file; then its path is in file (SWEEP_FILE_BYTES) and the
// command's words in command, without the -o.
bool sweep_needs(const struct sweep *sweep, const struct sweep_trial *trial,
                 const struct sweep_prepare *prepare, char *file, struct text *command);
