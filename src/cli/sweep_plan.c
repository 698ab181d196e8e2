#include "cli/sweep_plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "train/sweep_cost.h"
#include "train/sweep_table.h"

#define SLURM_HOURS_UNKNOWN 24
#define SLURM_THREADS       2 // of a task, when nothing is said

static void row_label(const struct sweep *sweep, int row, char *out, size_t size) {
    size_t length = 0;
    out[0] = '\0';
    for (int c = 0; c < sweep->n_columns && length < size; c++)
        length += (size_t)snprintf(out + length, size - length, "%s%s", c ? ", " : "",
                                   sweep_cell(sweep, row, c));
    if (!sweep->n_columns) snprintf(out, size, "(no lists)");
}

static void print_row(const struct sweep *sweep, int row, const struct sweep_cost *cost) {
    char label[256];
    row_label(sweep, row, label, sizeof label);
    printf("  %-44s %10lld %9d ", label, (long long)sweep_trial_steps(&sweep->trials[row]),
           sweep->n_seeds);
    if (cost->rate == SWEEP_RATE_UNKNOWN) {
        printf("%8s %8s", "?", "?");
    } else {
        printf("%8.0f %8.2f", cost->steps_per_s,
               (double)cost->steps_left / cost->steps_per_s / 3600);
    }
    printf(" %8.0f %8.0f  %s\n", (double)cost->run_bytes / 1e6, (double)cost->kept_bytes / 1e6,
           sweep_rate_names[cost->rate]);
    struct rl_error err = {0};
    if (sweep_check(&sweep->trials[row], &err) != RL_OK)
        printf("    would fail: %s\n", err.message);
}

static void print_totals(const struct sweep *sweep, const struct sweep_cost *cost, int jobs) {
    double seconds = sweep_seconds_left(sweep, cost), kept = 0, largest = 0;
    int left = 0;
    for (int i = 0; i < sweep->n_trials; i++) left += !sweep_is_settled(sweep, &sweep->trials[i]);
    for (int row = 0; row < sweep->n_rows; row++) {
        kept += (double)cost[row].kept_bytes * sweep->n_seeds;
        largest = fmax(largest, (double)cost[row].run_bytes);
    }
    printf("  %d of %d trials to go", left, sweep->n_trials);
    if (isnan(seconds)) {
        printf("; hours unknown: set sweep.steps_per_s, or let one trial run for a while\n");
    } else {
        printf(": %.2f h of one process, %.2f h with -j %d\n", seconds / 3600,
               seconds / 3600 / jobs, jobs);
    }
    printf("  disk: %.0f MB kept, and up to %.0f MB for the replays of %d running trials\n",
           kept / 1e6, largest * jobs / 1e6, jobs);
}

void sweep_plan_print(const struct sweep *sweep, int jobs) {
    struct sweep_cost *cost = MEM_ARRAY(struct sweep_cost, sweep->n_rows);
    sweep_costs(sweep, cost);
    printf("%s: %d rows x %d seeds = %d trials in %s\n", sweep->path, sweep->n_rows, sweep->n_seeds,
           sweep->n_trials, sweep->folder);
    printf("  %-44s %10s %9s %8s %8s %8s %8s  %s\n", "row", "steps", "seeds", "steps/s", "hours",
           "MB runs", "MB kept", "rate");
    for (int row = 0; row < sweep->n_rows; row++) print_row(sweep, row, &cost[row]);
    print_totals(sweep, cost, jobs);
    for (int i = 0; i < sweep->n_prepares; i++)
        printf("  and before: rlrun %s, for %s (not in the hours)\n", sweep->prepares[i].command,
               sweep->prepares[i].file);
    printf(
        "  Rates are steps a second of one trial as trials ran (beside others with -j), or\n"
        "  sweep.steps_per_s. MB runs: replay of a running trial, measured or frames as they are;\n"
        "  MB kept: measured on ended trials, or %d assumed.\n",
        SWEEP_KEPT_BYTES / 1000000);
    mem_free(cost);
}

void sweep_plan_list(const struct sweep *sweep, const char *prefix) {
    for (int i = 0; i < sweep->n_trials; i++) {
        if (!sweep_is_settled(sweep, &sweep->trials[i]))
            printf("%s --only %s\n", prefix, sweep->trials[i].name);
    }
}

static double longest_hours(const struct sweep *sweep) {
    struct sweep_cost *cost = MEM_ARRAY(struct sweep_cost, sweep->n_rows);
    double hours = 0;
    sweep_costs(sweep, cost);
    for (int row = 0; row < sweep->n_rows; row++) {
        double steps = (double)sweep_trial_steps(&sweep->trials[row]);
        double own =
            cost[row].rate ? steps / cost[row].steps_per_s / 3600 : SLURM_HOURS_UNKNOWN / 2.0;
        hours = fmax(hours, own);
    }
    mem_free(cost);
    return fmax(2 * hours, 1.0 / 6);
}

enum rl_status sweep_plan_slurm(const struct sweep *sweep, const char *prefix, int jobs,
                                int64_t threads, double hours, struct rl_error *err) {
    char path[SWEEP_FILE_BYTES];
    struct text script = {0}, names = {0};
    int count = 0;
    for (int i = 0; i < sweep->n_trials; i++) {
        if (sweep_is_settled(sweep, &sweep->trials[i])) continue;
        text_add(&names, "%s\n", sweep->trials[i].name);
        count++;
    }
    if (!count)
        return rl_fail(err, RL_EUSAGE, "all trials of %s are over; there is no job to write",
                       sweep->name);
    enum rl_status status = file_make_dirs(sweep->folder, err);
    int minutes = (int)ceil(60 * (hours > 0 ? hours : longest_hours(sweep)));
    text_add(&script,
             "#!/bin/bash\n"
             "# %d trials of %s. `sbatch %s/slurm.sh`, in the folder where rlrun sweep was run.\n"
             "# Tasks that were stopped or lost: submit it again, what is over is skipped.\n"
             "#SBATCH --job-name=%s\n#SBATCH --array=0-%d%%%d\n#SBATCH --cpus-per-task=%lld\n"
             "#SBATCH --time=%d\n#SBATCH --signal=B:TERM@120\n#SBATCH --output=%s/slurm-%%a.log\n"
             "trials=(\n%s)\n"
             "exec %s --only \"${trials[$SLURM_ARRAY_TASK_ID]:?}\"\n",
             count, sweep->path, sweep->folder, sweep->name, count - 1, jobs,
             (long long)(threads ? threads : SLURM_THREADS), minutes, sweep->folder, names.data,
             prefix);
    file_join(path, sizeof path, sweep->folder, "slurm.sh");
    if (status == RL_OK) status = file_write_atomic(path, script.data, script.length, err);
    if (status == RL_OK) printf("%s: array job of %d tasks; sbatch %s\n", path, count, path);
    text_release(&script);
    text_release(&names);
    return status;
}
