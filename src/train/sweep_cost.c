#include "train/sweep_cost.h"

#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/file_tree.h"
#include "base/mem.h"
#include "train/parts.h"
#include "train/sweep_table.h"

const char *const sweep_rate_names[] = {"unknown", "sweep.steps_per_s", "mean of measured rows",
                                        "measured"};

int64_t sweep_trial_steps(const struct sweep_trial *trial) {
    const char *text = config_get(&trial->settings, "", "steps");
    double steps = strtod(text ? text : opt_find(&run_opts, "steps")->def, NULL);
    return steps > 0 && steps < 1e15 ? (int64_t)steps : 0;
}

// Frames of the whole run as bytes, uncompressed; 0 for states, or when the options are wrong.
static int64_t replay_bytes(const struct sweep_trial *trial) {
    struct parts parts;
    struct config settings = trial->settings;
    if (parts_read_options(&parts, trial->agent, &settings, NULL) != RL_OK) return 0;
    if (parts.features == FEATURE_KIND_STATE) return 0;
    int64_t steps = sweep_trial_steps(trial);
    if (steps > parts.replay.capacity) steps = parts.replay.capacity;
    return steps * 3 * parts.env.image_size * parts.env.image_size;
}

// Sums over the trials of a row.
struct sums {
    double steps, wall_s;              // of all
    double kept_bytes, kept_count;     // of ended trials
    double replay_bytes, replay_steps; // of trials under way
};

static void add_trial(const struct sweep *sweep, const struct sweep_trial *trial,
                      struct sweep_cost *cost, struct sums *sums) {
    struct sweep_result result;
    char run[SWEEP_FILE_BYTES], replay[SWEEP_FILE_BYTES + 64];
    sweep_result_read(sweep, trial, &result);
    sweep_run_path(sweep, trial, run);
    int64_t steps = sweep_trial_steps(trial);
    cost->steps += steps;
    if (result.state == SWEEP_STATE_WAITING && steps > result.steps)
        cost->steps_left += steps - result.steps;
    if (result.wall_s > 0) {
        sums->steps += (double)result.steps;
        sums->wall_s += result.wall_s;
    }
    if (result.state == SWEEP_STATE_DONE) {
        sums->kept_bytes += (double)file_tree_bytes(run);
        sums->kept_count++;
    } else if (result.steps > 0) {
        file_join(replay, sizeof replay, run, "replay");
        sums->replay_bytes += (double)file_tree_bytes(replay);
        sums->replay_steps += (double)result.steps;
    }
}

static void take_sums(const struct sums *sums, double trial_steps, enum sweep_rate rate,
                      struct sweep_cost *cost) {
    if (sums->wall_s > 0 && sums->steps > 0 && cost->rate == SWEEP_RATE_UNKNOWN) {
        cost->steps_per_s = sums->steps / sums->wall_s;
        cost->rate = rate;
    }
    if (sums->kept_count > 0) cost->kept_bytes = (int64_t)(sums->kept_bytes / sums->kept_count);
    if (rate == SWEEP_RATE_ROW && sums->replay_steps > 0 && sums->replay_bytes > 0)
        cost->run_bytes = (int64_t)(sums->replay_bytes / sums->replay_steps * trial_steps);
}

void sweep_costs(const struct sweep *sweep, struct sweep_cost *cost) {
    struct sums *sums = MEM_ARRAY(struct sums, sweep->n_rows), all = {0};
    for (int row = 0; row < sweep->n_rows; row++) {
        cost[row] = (struct sweep_cost){.run_bytes = replay_bytes(&sweep->trials[row]),
                                        .kept_bytes = SWEEP_KEPT_BYTES};
    }
    for (int i = 0; i < sweep->n_trials; i++) {
        int row = sweep->trials[i].row;
        add_trial(sweep, &sweep->trials[i], &cost[row], &sums[row]);
    }
    for (int row = 0; row < sweep->n_rows; row++) {
        all.steps += sums[row].steps, all.wall_s += sums[row].wall_s;
        all.kept_bytes += sums[row].kept_bytes, all.kept_count += sums[row].kept_count;
    }
    for (int row = 0; row < sweep->n_rows; row++) {
        double steps = (double)sweep_trial_steps(&sweep->trials[row]);
        take_sums(&sums[row], steps, SWEEP_RATE_ROW, &cost[row]);
        int64_t own_kept = cost[row].kept_bytes;
        take_sums(&all, steps, SWEEP_RATE_SWEEP, &cost[row]);
        if (sums[row].kept_count > 0) cost[row].kept_bytes = own_kept;
        if (cost[row].rate == SWEEP_RATE_UNKNOWN && sweep->steps_per_s > 0) {
            cost[row].steps_per_s = sweep->steps_per_s;
            cost[row].rate = SWEEP_RATE_CONFIG;
        }
    }
    mem_free(sums);
}

double sweep_seconds_left(const struct sweep *sweep, const struct sweep_cost *cost) {
    double seconds = 0;
    for (int row = 0; row < sweep->n_rows; row++) {
        if (!cost[row].steps_left) continue;
        if (cost[row].rate == SWEEP_RATE_UNKNOWN) return NAN;
        seconds += (double)cost[row].steps_left / cost[row].steps_per_s;
    }
    return seconds;
}
