// The run: environment, replay, parts, and the tick that drives them. In one tick two roles work at
// the same time and share nothing that changes:
//   policy role   steps the environment, encodes each stack with the snapshot, appends to the
//   replay's tail,
//                 updates the agent (policy_role.c)
//   encoder role  takes SSL steps on the frames that were there when the tick began, and re-encodes
//   the
//                 replay for a publish under way (encoder_role.c)
// Then they join: a due publish is committed, the log written, an evaluation run, a checkpoint
// taken (trainer.c). With states or end to end there is no encoder role. Results do not depend on
// threads.
#pragma once

#include "base/metrics.h"
#include "replay/replay_store.h"
#include "train/batch_source.h"
#include "train/comm.h"
#include "train/eval_clip.h"
#include "train/evaluate.h"
#include "train/health.h"
#include "train/latent_store.h"
#include "train/logger.h"

// Where the run stands; saved as a whole.
struct counters {
    int64_t steps, frames, updates, episodes, ssl_steps, publishes;
    double update_debt, ssl_debt;    // fractions of updates owed
    double episode_return;           // of the running training episode
    double reward_peak;              // largest size of a step's reward
    double last_return, eval_return; // NaN before the first
    int64_t episode_steps;
    int64_t logged_step, evaluated_step;
    int64_t next_log, next_eval, next_publish, next_checkpoint;
};

// What a checkpoint on the disk needs beside its own file.
struct kept_checkpoint {
    int64_t step, replay_begin, latent_version;
};

struct trainer {
    struct parts parts;
    struct comm *comm; // NULL: one rank; the caller's, set before trainer_create
    struct comm_link links[COMM_CHANNELS];
    struct gradient_sync syncs[COMM_CHANNELS];
    struct policy policy; // for evaluation
    struct env *env;
    struct replay *replay;
    struct explore *explore;    // NULL without a bonus
    struct publisher publisher; // latents only
    struct pool *roles;         // runs the two roles
    struct pool *kernels;       // of the agent, when there is no encoder role
    struct tape *act_tape, *encode_tape;
    struct rng action_rng;
    struct counters count;
    struct metrics policy_metrics, encoder_metrics; // since the last row of the log
    struct health health;
    struct metrics shown; // the last row, for the progress line
    struct batch_source batches;
    uint8_t *stack;              // scratch: one stack of frames
    real *features;              // one row, for acting
    struct replay_window window; // what the encoder role may read in this tick
    int64_t tick_steps, tick_ssl_steps;
    int64_t publish_left; // entries still to encode after this tick
    struct rl_error role_error[2];

    struct logger *logger;
    uint64_t options_hash; // of the options that a resumed run keeps
    struct replay_store *replay_store;
    struct replay_store_state replay_state; // of the last checkpoint
    struct latent_store *latent_store;      // latents only
    struct latent_store_state latent_state;
    struct kept_checkpoint *kept; // (store_keep) oldest first
    int n_kept;
    void *env_state; // scratch of a checkpoint
    char run_dir[4096];
    double start_s, spent_s;  // wall time: this process, and the ones before it
    const volatile int *stop; // not 0: save and stop
    make_gif_fn make_gif;     // for clips in TensorBoard; NULL: none
};

// Makes everything but the files from the configuration that parts_read_options has read into
// trainer->parts.
RL_CHECKED enum rl_status trainer_create(struct trainer *trainer, struct config *config,
                                         struct rl_error *err);
// Gives the run its folder (which exists and is locked by the caller): a new one, or one to go on
// with from its newest checkpoint. Call before trainer_run.
RL_CHECKED enum rl_status trainer_start(struct trainer *trainer, const char *run_dir,
                                        struct rl_error *err);
RL_CHECKED enum rl_status trainer_resume(struct trainer *trainer, const char *run_dir,
                                         struct rl_error *err);
void trainer_release(struct trainer *trainer);

// Runs to the configured number of steps, the time limit, or *stop, saving at the end.
// RL_EINTERRUPT when stopped. on_progress (may be NULL) is called after every tick.
RL_CHECKED enum rl_status trainer_run(struct trainer *trainer,
                                      void (*on_progress)(void *context, const struct trainer *),
                                      void *context, struct rl_error *err);
double trainer_wall_s(const struct trainer *trainer);

// What a run leaves on the disk (trainer_store.c): log, checkpoints with the replay, final weights.
void store_release(struct trainer *trainer);
RL_CHECKED enum rl_status store_checkpoint(struct trainer *trainer, struct rl_error *err);
RL_CHECKED enum rl_status store_final(struct trainer *trainer, struct rl_error *err);

// The roles (for trainer.c).
RL_CHECKED enum rl_status policy_role_start(struct trainer *trainer, struct rl_error *err);
RL_CHECKED enum rl_status policy_role_run(struct trainer *trainer, int64_t steps,
                                          struct rl_error *err);
RL_CHECKED enum rl_status policy_role_update(struct trainer *trainer, struct rl_error *err);
RL_CHECKED enum rl_status policy_role_create(struct trainer *trainer, struct rl_error *err);
void policy_role_release(struct trainer *trainer);
RL_CHECKED enum rl_status encoder_role_run(struct trainer *trainer, struct rl_error *err);
RL_CHECKED enum rl_status encoder_role_create(struct trainer *trainer, struct rl_error *err);
void encoder_role_release(struct trainer *trainer);
void encoder_role_plan(
    struct trainer *trainer); // at a tick's start: how many SSL steps, a new publish
// At a tick's end: makes a publish that is complete the policy's encoder.
RL_CHECKED enum rl_status encoder_role_join(struct trainer *trainer, struct rl_error *err);
