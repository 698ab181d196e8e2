// The policy role of a tick: act, step, store, update.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/trainer.h"

enum rl_status policy_role_create(struct trainer *trainer, struct rl_error *err) {
    const struct parts *parts = &trainer->parts;
    enum rl_status status = batch_source_init(&trainer->batches, parts, trainer->replay, err);
    trainer->stack = mem_alloc(parts_stack_bytes(parts));
    trainer->features = MEM_ARRAY(real, parts->feature_dim + 1);
    if (status != RL_OK || parts->features != FEATURE_KIND_LATENTS) return status;
    trainer->act_tape = tape_create(encoder_tape_bytes(parts->encoder, SNAPSHOT_BATCH), NULL, err);
    return trainer->act_tape ? RL_OK : RL_ENOMEM;
}

void policy_role_release(struct trainer *trainer) {
    batch_source_release(&trainer->batches);
    mem_free(trainer->stack);
    mem_free(trainer->features);
    tape_destroy(trainer->act_tape);
}

// Stores what the environment shows, with its latent once an encoder is published.
static enum rl_status store(struct trainer *trainer, const struct time_step *step,
                            struct rl_error *err) {
    struct parts *parts = &trainer->parts;
    struct replay_entry entry = {.frame = step->frame,
                                 .obs = step->obs,
                                 .reward = step->reward,
                                 .discount = step->discount,
                                 .first = step->first,
                                 .last = step->last};
    int64_t number = replay_append(trainer->replay, &entry);
    if (parts->features != FEATURE_KIND_LATENTS || parts->snapshot.version == 0) return RL_OK;
    replay_stack(trainer->replay, number, trainer->stack);
    snapshot_encode(&parts->snapshot, trainer->act_tape, 1, trainer->stack, trainer->features);
    float *latent = replay_latent(trainer->replay, number);
    for (int i = 0; i < parts->latent_dim; i++) {
        latent[i] = (float)trainer->features[i];
        if (!isfinite(latent[i])) {
            return rl_fail(
                err, RL_ENUMERIC, "latent[%d] of entry %lld is %g (encoder version %lld)", i,
                (long long)number, (double)latent[i], (long long)parts->snapshot.version);
        }
    }
    return RL_OK;
}

static void choose_action(struct trainer *trainer, real *action) {
    struct parts *parts = &trainer->parts;
    struct agent *agent = parts->agent;
    if (trainer->count.steps < agent->schedule.random_steps) {
        for (int i = 0; i < agent->spec.action_dim; i++) {
            action[i] = (real)rng_range(&trainer->action_rng, -1, 1);
        }
        return;
    }
    int64_t newest = replay_end(trainer->replay) - 1;
    if (parts->features == FEATURE_KIND_PIXELS) {
        replay_stack(trainer->replay, newest, trainer->stack);
    } else {
        batch_source_features(&trainer->batches, newest, trainer->features);
    }
    struct encoder_input input = {.n = 1, .rows = trainer->features, .pixels = trainer->stack};
    agent_act(agent, &input, trainer->count.steps, true, action);
}

enum rl_status policy_role_start(struct trainer *trainer, struct rl_error *err) {
    struct time_step step;
    enum rl_status status = env_reset(trainer->env, &step, err);
    if (status != RL_OK) return status;
    trainer->count.episode_return = 0;
    trainer->count.episode_steps = 0;
    return store(trainer, &step, err);
}

// Adds the novelty of what was stored last to the reward of the step that led there.
static enum rl_status explore(struct trainer *trainer, const struct time_step *step,
                              struct rl_error *err) {
    const struct parts *parts = &trainer->parts;
    struct explore_seen seen = {.obs = step->obs, .frame = step->frame};
    double bonus;
    if (!trainer->explore) return RL_OK;
    if (parts->features == FEATURE_KIND_LATENTS && parts->snapshot.version > 0)
        seen.latent = replay_latent(trainer->replay, replay_end(trainer->replay) - 1);
    enum rl_status status = explore_step(trainer->explore, &seen, trainer->count.steps, &bonus,
                                         &trainer->policy_metrics, err);
    if (status == RL_OK) replay_add_reward(trainer->replay, bonus);
    return status;
}

static enum rl_status act(struct trainer *trainer, struct rl_error *err) {
    struct counters *count = &trainer->count;
    real action[AGENT_MAX_ACTIONS];
    double wide[AGENT_MAX_ACTIONS];
    choose_action(trainer, action);
    for (int i = 0; i < trainer->parts.agent->spec.action_dim; i++) wide[i] = (double)action[i];
    replay_set_action(trainer->replay, action);
    struct time_step step;
    enum rl_status status = env_step(trainer->env, wide, &step, err);
    if (status == RL_OK) status = store(trainer, &step, err);
    if (status == RL_OK) status = explore(trainer, &step, err);
    if (status != RL_OK) return status;
    batch_source_add(&trainer->batches, replay_end(trainer->replay) - 2);
    count->steps++;
    count->frames += step.frames;
    count->episode_steps++;
    count->episode_return += step.reward;
    if (fabs(step.reward) > count->reward_peak) count->reward_peak = fabs(step.reward);
    if (!step.last) return RL_OK;
    metrics_add(&trainer->policy_metrics, "episode_return", count->episode_return);
    metrics_add(&trainer->policy_metrics, "episode_steps", (double)count->episode_steps);
    count->last_return = count->episode_return;
    count->episodes++;
    return policy_role_start(trainer, err);
}

enum rl_status policy_role_update(struct trainer *trainer, struct rl_error *err) {
    struct parts *parts = &trainer->parts;
    double progress = (double)trainer->count.steps / (double)parts->run.steps;
    batch_source_draw(&trainer->batches, progress);
    struct metrics *metrics = &trainer->policy_metrics;
    enum rl_status status =
        agent_update(parts->agent, &trainer->batches.batch, trainer->count.steps, metrics, err);
    if (status == RL_OK) batch_source_learned(&trainer->batches);
    if (status == RL_OK && parts->features == FEATURE_KIND_PIXELS) {
        double norm;
        gradient_average(parts->agent->sync, &parts->encoder->params);
        status = optimizer_step(&parts->encoder_optimizer, trainer->kernels, 1, &norm, err);
        metrics_add(metrics, "encoder_grad_norm", norm);
    }
    trainer->count.updates++;
    return status;
}

enum rl_status policy_role_run(struct trainer *trainer, int64_t steps, struct rl_error *err) {
    const struct agent_schedule *schedule = &trainer->parts.agent->schedule;
    struct counters *count = &trainer->count;
    enum rl_status status = RL_OK;
    for (int64_t i = 0; i < steps && status == RL_OK; i++) {
        status = act(trainer, err);
        if (count->steps <= schedule->random_steps) continue;
        count->update_debt += schedule->updates_per_step;
        for (; count->update_debt >= 1 && status == RL_OK; count->update_debt -= 1) {
            status = policy_role_update(trainer, err);
        }
    }
    return status;
}
