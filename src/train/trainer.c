// The run: creation, the tick and what happens between ticks.
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "math/gemm.h"
#include "train/checkpoint.h"

// --- creation ---

static enum rl_status create_replay(struct trainer *trainer, struct rl_error *err) {
    const struct parts *parts = &trainer->parts;
    const struct env_spec *env = env_spec(trainer->env);
    bool state = parts->features == FEATURE_KIND_STATE;
    struct replay_spec spec = {
        .capacity = parts->replay.capacity,
        .frame_dim = {env->frame_dim[0], env->frame_dim[1], state ? 0 : env->frame_dim[2]},
        .frame_stack = (int)parts->loop.frame_stack,
        .obs_dim = state ? env->obs_dim : 0,
        .action_dim = env->action_dim,
        .latent_dim = parts->latent_dim,
        .reserve =
            2 * (int)parts->loop.tick_steps + 8, // a tick's steps and the episodes they start
        .compress = parts->replay.compress && !state,
    };
    // No more entries than the run can make: each step adds one, each episode one more.
    int64_t needed = 2 * parts->run.steps + spec.reserve + 64;
    if (spec.capacity > needed) spec.capacity = needed;
    trainer->replay = replay_create(&spec, err);
    return trainer->replay ? RL_OK : err->code;
}

static enum rl_status create_pools(struct trainer *trainer, struct rl_error *err) {
    int threads = (int)trainer->parts.run.threads;
    bool two_roles = trainer->parts.features == FEATURE_KIND_LATENTS;
    trainer->roles = pool_create(two_roles && threads > 1 ? 2 : 1, err);
    if (!trainer->roles) return err->code;
    // With two roles each has one thread, and the encoder's kernels take what is left beside the
    // policy's.
    int kernels = two_roles ? threads - 1 : threads;
    trainer->kernels = pool_create(kernels > 1 ? kernels : 1, err);
    return trainer->kernels ? RL_OK : err->code;
}

static enum rl_status create_learner(struct trainer *trainer, struct config *config,
                                     struct rl_error *err) {
    bool latents = trainer->parts.features == FEATURE_KIND_LATENTS;
    enum rl_status status =
        gemm_set_precision((enum gemm_precision)trainer->parts.run.precision, err);
    if (status != RL_OK) return status;
    status = parts_create(&trainer->parts, config, env_spec(trainer->env), false,
                          latents ? NULL : trainer->kernels, trainer->kernels, err);
    return status == RL_OK ? policy_init(&trainer->policy, &trainer->parts, err) : status;
}

static void start_counters(struct trainer *trainer) {
    const struct run_options *run = &trainer->parts.run;
    trainer->count = (struct counters){
        .last_return = NAN,
        .eval_return = NAN,
        .next_log = run->log_every,
        .next_eval = run->eval_every,
        .next_checkpoint = run->checkpoint_every,
    };
}

// Rank 0 has the run's seed: it sees what a run of one rank sees.
static uint64_t shard_seed(const struct trainer *trainer) {
    uint64_t seed = (uint64_t)trainer->parts.run.seed;
    int rank = comm_rank(trainer->comm);
    if (rank == 0) return seed;
    char label[32];
    snprintf(label, sizeof label, "rank %d", rank);
    struct rng rng = rng_fork(seed, label);
    return rng_next(&rng);
}

// All ranks start with the same weights (parts_create has drawn them from the run's seed) and
// average their gradients, so that weights stay equal; what they see and try out is their own.
static void join_ranks(struct trainer *trainer) {
    struct parts *parts = &trainer->parts;
    if (!trainer->comm) return;
    for (int i = 0; i < COMM_CHANNELS; i++) {
        trainer->links[i] = (struct comm_link){trainer->comm, (enum comm_channel)i};
        trainer->syncs[i] = (struct gradient_sync){&trainer->links[i], comm_average_gradient};
    }
    uint64_t seed = shard_seed(trainer);
    parts->agent->sync = &trainer->syncs[COMM_POLICY];
    parts->agent->noise_rng = rng_fork(seed, "agent/noise");
    parts->agent->update_rng = rng_fork(seed, "agent/update");
    trainer->batches.rng = rng_fork(seed, "batches");
    if (!parts->ssl) return;
    parts->ssl->sync = &trainer->syncs[COMM_ENCODER];
    parts->ssl->rng = rng_fork(seed, "ssl/samples");
}

enum rl_status trainer_create(struct trainer *trainer, struct config *config,
                              struct rl_error *err) {
    struct parts *parts = &trainer->parts;
    uint64_t seed = shard_seed(trainer);
    trainer->start_s = clock_now_s();
    trainer->action_rng = rng_fork(seed, "random actions");
    trainer->env = env_create(parts->run.env, &parts->env, seed, err);
    enum rl_status status = trainer->env ? RL_OK : err->code;
    if (status == RL_OK) status = create_pools(trainer, err);
    if (status == RL_OK) status = create_learner(trainer, config, err);
    if (status == RL_OK) status = create_replay(trainer, err);
    if (status == RL_OK) {
        struct explore_dims dims = {.latent = parts->latent_dim};
        memcpy(dims.frame, env_spec(trainer->env)->frame_dim, sizeof dims.frame);
        if (parts->features == FEATURE_KIND_STATE) dims.obs = parts->feature_dim;
        status = explore_create(&trainer->explore, &parts->explore, &dims, seed, err);
    }
    if (status == RL_OK) status = policy_role_create(trainer, err);
    if (status == RL_OK) status = encoder_role_create(trainer, err);
    if (status == RL_OK) join_ranks(trainer);
    if (status == RL_OK) start_counters(trainer);
    return status;
}

void trainer_release(struct trainer *trainer) {
    store_release(trainer);
    encoder_role_release(trainer);
    policy_role_release(trainer);
    policy_release(&trainer->policy);
    replay_destroy(trainer->replay);
    explore_destroy(trainer->explore);
    parts_release(&trainer->parts);
    pool_destroy(trainer->roles);
    pool_destroy(trainer->kernels);
    env_destroy(trainer->env);
}

double trainer_wall_s(const struct trainer *trainer) {
    return trainer->spent_s + clock_now_s() - trainer->start_s;
}

// --- the tick ---

static void run_role(void *context, int role) {
    struct trainer *trainer = context;
    struct rl_error *err = &trainer->role_error[role];
    enum rl_status status = role == 0 ? policy_role_run(trainer, trainer->tick_steps, err)
                                      : encoder_role_run(trainer, err);
    RL_ASSERT(status == err->code);
}

static int64_t plan_steps(const struct trainer *trainer) {
    int64_t steps = trainer->count.steps, n = trainer->parts.loop.tick_steps;
    int64_t random_steps = trainer->parts.agent->schedule.random_steps;
    int64_t left = trainer->parts.run.steps - steps;
    if (steps < random_steps && n > random_steps - steps) n = random_steps - steps;
    return n < left ? n : left;
}

// SSL that shares its encoder with the critic (joint mode) has no role of its own: it follows the
// policy's.
static enum rl_status joint_ssl(struct trainer *trainer, struct rl_error *err) {
    bool joint = trainer->parts.features == FEATURE_KIND_PIXELS && trainer->parts.ssl;
    return joint ? encoder_role_run(trainer, err) : RL_OK;
}

static enum rl_status tick(struct trainer *trainer, struct rl_error *err) {
    trainer->tick_steps = plan_steps(trainer);
    encoder_role_plan(trainer);
    memset(trainer->role_error, 0, sizeof trainer->role_error);
    int n_roles = trainer->parts.features == FEATURE_KIND_LATENTS ? 2 : 1;
    pool_run(trainer->roles, n_roles, run_role, trainer);
    for (int role = 0; role < n_roles; role++) {
        if (trainer->role_error[role].code == RL_OK) continue;
        *err = trainer->role_error[role];
        return rl_fail_context(err, "step %lld", (long long)trainer->count.steps);
    }
    enum rl_status status = joint_ssl(trainer, err);
    return status == RL_OK ? encoder_role_join(trainer, err) : status;
}

// --- between ticks ---

static enum rl_status log_row(struct trainer *trainer, const char *kind,
                              const struct metrics *metrics, struct rl_error *err) {
    const struct counters *count = &trainer->count;
    if (!trainer->logger) return RL_OK;
    struct log_position position = {.frames = count->frames,
                                    .steps = count->steps,
                                    .updates = count->updates,
                                    .wall_s = trainer_wall_s(trainer)};
    return logger_write(trainer->logger, kind, &position, metrics, err);
}

static void look_at_health(struct trainer *trainer, const struct metrics *row) {
    const struct env_spec *spec = env_spec(trainer->env);
    double known = spec->reward_max_per_frame * spec->action_repeat;
    double seen = trainer->count.reward_peak;
    const struct health_facts facts = {.step = trainer->count.steps,
                                       .gamma = trainer->parts.agent->schedule.gamma,
                                       .reward_peak = known > seen ? known : seen,
                                       .unstable = env_unstable_count(trainer->env)};
    health_look(&trainer->health, row, &facts);
}

static enum rl_status log_training(struct trainer *trainer, struct rl_error *err) {
    struct metrics row = {0};
    struct counters *count = &trainer->count;
    count->logged_step = count->steps;
    metrics_merge(&row, NULL, &trainer->policy_metrics);
    metrics_merge(&row, "ssl", &trainer->encoder_metrics);
    metrics_add(&row, "episodes", (double)count->episodes);
    metrics_add(&row, "ssl_steps", (double)count->ssl_steps);
    metrics_add(&row, "encoder_version", (double)trainer->parts.snapshot.version);
    metrics_add(&row, "unstable_episodes", (double)env_unstable_count(trainer->env));
    look_at_health(trainer, &row);
    metrics_clear(&trainer->policy_metrics);
    metrics_clear(&trainer->encoder_metrics);
    trainer->shown = row;
    if (isfinite(count->last_return)) metrics_add(&trainer->shown, "return", count->last_return);
    if (isfinite(count->eval_return))
        metrics_add(&trainer->shown, "eval_return", count->eval_return);
    return log_row(trainer, "train", &row, err);
}

// A clip of the policy in TensorBoard, at every clip_every-th evaluation. A program that cannot
// make GIFs goes on without.
static enum rl_status show_policy(struct trainer *trainer, struct env *env, struct rl_error *err) {
    const struct run_options *run = &trainer->parts.run;
    int64_t number = trainer->count.frames / run->eval_every;
    if (!trainer->make_gif || !trainer->logger || run->clip_every == 0) return RL_OK;
    if ((number - 1) % run->clip_every) return RL_OK;
    struct eval_clip clip;
    struct bytes gif = {0};
    struct rl_error no_gif = {0};
    enum rl_status status = eval_clip_record(&clip, &trainer->policy, env, err);
    if (status == RL_OK &&
        trainer->make_gif(clip.rgb, clip.count, EVAL_CLIP_WIDTH, EVAL_CLIP_HEIGHT,
                          clip.pictures_per_s, &gif, &no_gif) == RL_OK) {
        status = logger_image(trainer->logger, "eval/policy", trainer->count.frames, gif.data,
                              gif.size, err);
        mem_free(gif.data);
    }
    eval_clip_release(&clip);
    return status;
}

static enum rl_status run_evaluation(struct trainer *trainer, struct rl_error *err) {
    struct parts *parts = &trainer->parts;
    // A fresh environment with its own stream each time: an evaluation depends on the weights
    // alone.
    char label[64];
    snprintf(label, sizeof label, "evaluation at frame %lld", (long long)trainer->count.frames);
    struct rng rng = rng_fork((uint64_t)parts->run.seed, label);
    struct env *env = env_create(parts->run.env, &parts->env, rng_next(&rng), err);
    if (!env) return err->code;
    struct evaluation result;
    enum rl_status status =
        evaluate(&trainer->policy, env, parts->run.eval_episodes, NULL, NULL, NULL, &result, err);
    if (status == RL_OK) status = show_policy(trainer, env, err);
    env_destroy(env);
    if (status != RL_OK) return status;
    trainer->count.eval_return = result.return_mean;
    trainer->count.evaluated_step = trainer->count.steps;
    struct metrics row = {0};
    metrics_add(&row, "return_mean", result.return_mean);
    metrics_add(&row, "return_std", result.return_std);
    metrics_add(&row, "return_min", result.return_min);
    metrics_add(&row, "return_max", result.return_max);
    metrics_add(&row, "episodes", (double)result.episodes);
    return log_row(trainer, "eval", &row, err);
}

// True when *next was reached; moves it on to the first multiple of every beyond at.
static bool is_due(int64_t *next, int64_t every, int64_t at) {
    if (at < *next) return false;
    *next = (at / every + 1) * every;
    return true;
}

static bool can_act(const struct trainer *trainer) {
    return trainer->parts.features != FEATURE_KIND_LATENTS || trainer->parts.snapshot.version > 0;
}

static enum rl_status between_ticks(struct trainer *trainer, bool end, struct rl_error *err) {
    const struct run_options *run = &trainer->parts.run;
    struct counters *count = &trainer->count;
    enum rl_status status = RL_OK;
    if (is_due(&count->next_log, run->log_every, count->steps) ||
        (end && count->logged_step != count->steps)) {
        status = log_training(trainer, err);
    }
    bool evaluate_now = is_due(&count->next_eval, run->eval_every, count->frames) ||
                        (end && count->evaluated_step != count->steps);
    evaluate_now = evaluate_now && can_act(trainer) && comm_rank(trainer->comm) == 0;
    if (status == RL_OK && evaluate_now) status = run_evaluation(trainer, err);
    if (status == RL_OK && is_due(&count->next_checkpoint, run->checkpoint_every, count->steps)) {
        status = store_checkpoint(trainer, err);
    }
    return status;
}

static bool time_is_up(const struct trainer *trainer) {
    double limit = trainer->parts.run.time_limit;
    return limit > 0 && trainer_wall_s(trainer) >= limit;
}

// Why a run ends early; all ranks agree, and the largest wins.
enum ending { GO_ON, LATE, STOPPED };

static enum ending agree_to_end(const struct trainer *trainer) {
    bool stop = trainer->stop && *trainer->stop;
    int64_t mine = stop ? STOPPED : time_is_up(trainer) ? LATE : GO_ON;
    return (enum ending)comm_most(trainer->comm, COMM_POLICY, mine);
}

enum rl_status trainer_run(struct trainer *trainer,
                           void (*on_progress)(void *context, const struct trainer *),
                           void *context, struct rl_error *err) {
    const struct run_options *run = &trainer->parts.run;
    enum rl_status status = RL_OK;
    if (trainer->count.steps == 0 && replay_end(trainer->replay) == 0) {
        status = policy_role_start(trainer, err);
    }
    int64_t late = comm_most(trainer->comm, COMM_POLICY, time_is_up(trainer));
    enum ending ending = late ? LATE : GO_ON;
    while (status == RL_OK && trainer->count.steps < run->steps && ending == GO_ON) {
        status = tick(trainer, err);
        if (status == RL_OK) status = between_ticks(trainer, false, err);
        if (status == RL_OK && on_progress) on_progress(context, trainer);
        if (status == RL_OK) ending = agree_to_end(trainer);
    }
    if (status != RL_OK) return status; // the last good checkpoint stays
    bool finished = trainer->count.steps >= run->steps;
    if (finished) status = between_ticks(trainer, true, err);
    if (status == RL_OK) status = store_checkpoint(trainer, err);
    if (status == RL_OK && (finished || ending == LATE)) status = store_final(trainer, err);
    if (status != RL_OK || ending != STOPPED || finished) return status;
    return rl_fail(err, RL_EINTERRUPT, "interrupted at step %lld; continue with: rlrun resume %s",
                   (long long)trainer->count.steps, trainer->run_dir);
}
