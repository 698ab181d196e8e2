// The policy role of a tick: act, step, store, update.
#include <string.h>

#include "base/mem.h"
#include "math/image.h"
#include "train/trainer.h"

enum rl_status policy_role_create(struct trainer *trainer, struct rl_error *err) {
    const struct parts *parts = &trainer->parts;
    int n = (int)parts->agent->schedule.batch, action_dim = parts->agent->spec.action_dim;
    size_t stack_bytes = parts_stack_bytes(parts);
    struct batch *batch = &trainer->batch;
    batch->n = n;
    batch->action = MEM_ARRAY(real, n * action_dim);
    batch->reward = MEM_ARRAY(real, n);
    batch->discount = MEM_ARRAY(real, n);
    trainer->stack = mem_alloc(stack_bytes);
    trainer->features = MEM_ARRAY(real, parts->feature_dim + 1);
    if (parts->features == FEATURE_KIND_PIXELS) {
        batch->pixels = mem_alloc(mem_size((size_t)n, stack_bytes));
        batch->next_pixels = mem_alloc(mem_size((size_t)n, stack_bytes));
        return RL_OK;
    }
    batch->obs = MEM_ARRAY(real, n * parts->feature_dim);
    batch->next_obs = MEM_ARRAY(real, n * parts->feature_dim);
    if (parts->features == FEATURE_KIND_STATE) return RL_OK;
    trainer->act_tape = tape_create(encoder_tape_bytes(parts->encoder, SNAPSHOT_BATCH), NULL, err);
    return trainer->act_tape ? RL_OK : RL_ENOMEM;
}

void policy_role_release(struct trainer *trainer) {
    struct batch *batch = &trainer->batch;
    mem_free((void *)batch->action);
    mem_free((void *)batch->reward);
    mem_free((void *)batch->discount);
    mem_free((void *)batch->pixels);
    mem_free((void *)batch->next_pixels);
    mem_free((void *)batch->obs);
    mem_free((void *)batch->next_obs);
    mem_free(trainer->stack);
    mem_free(trainer->features);
    tape_destroy(trainer->act_tape);
}

// Stores what the environment shows, with its latent once an encoder is published.
static void store(struct trainer *trainer, const struct time_step *step) {
    struct parts *parts = &trainer->parts;
    struct replay_entry entry = {.frame = step->frame,
                                 .obs = step->obs,
                                 .reward = step->reward,
                                 .discount = step->discount,
                                 .first = step->first,
                                 .last = step->last};
    int64_t number = replay_append(trainer->replay, &entry);
    if (parts->features != FEATURE_KIND_LATENTS || parts->snapshot.version == 0) return;
    replay_stack(trainer->replay, number, trainer->stack);
    snapshot_encode(&parts->snapshot, trainer->act_tape, 1, trainer->stack, trainer->features);
    float *latent = replay_latent(trainer->replay, number);
    for (int i = 0; i < parts->feature_dim; i++) latent[i] = (float)trainer->features[i];
}

static const float *feature_row(const struct trainer *trainer, int64_t entry) {
    bool state = trainer->parts.features == FEATURE_KIND_STATE;
    return state ? replay_obs(trainer->replay, entry) : replay_latent(trainer->replay, entry);
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
        const float *row = feature_row(trainer, newest);
        for (int i = 0; i < parts->feature_dim; i++) trainer->features[i] = (real)row[i];
    }
    struct encoder_input input = {.n = 1, .rows = trainer->features, .pixels = trainer->stack};
    agent_act(agent, &input, trainer->count.steps, true, action);
}

enum rl_status policy_role_start(struct trainer *trainer, struct rl_error *err) {
    struct time_step step;
    enum rl_status status = env_reset(trainer->env, &step, err);
    if (status != RL_OK) return status;
    store(trainer, &step);
    trainer->count.episode_return = 0;
    trainer->count.episode_steps = 0;
    return RL_OK;
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
    if (status != RL_OK) return status;
    store(trainer, &step);
    count->steps++;
    count->frames += step.frames;
    count->episode_steps++;
    count->episode_return += step.reward;
    if (!step.last) return RL_OK;
    metrics_add(&trainer->policy_metrics, "episode_return", count->episode_return);
    metrics_add(&trainer->policy_metrics, "episode_steps", (double)count->episode_steps);
    count->last_return = count->episode_return;
    count->episodes++;
    return policy_role_start(trainer, err);
}

// --- updates ---

static void copy_features(const struct trainer *trainer, int64_t entry, const real *out) {
    const float *row = feature_row(trainer, entry);
    real *to = (real *)out;
    for (int i = 0; i < trainer->parts.feature_dim; i++) to[i] = (real)row[i];
}

// DrQ's augmentation: each stack moves by its own random shift.
static void copy_pixels(struct trainer *trainer, int64_t entry, const uint8_t *out) {
    const int *dim = trainer->parts.stack_dim;
    replay_stack(trainer->replay, entry, trainer->stack);
    image_random_shift(trainer->stack, dim[0], dim[1], dim[2], (int)trainer->parts.loop.shift_pad,
                       &trainer->batch_rng, (uint8_t *)out);
}

static void fill_row(struct trainer *trainer, struct replay_window window, int i) {
    const struct parts *parts = &trainer->parts;
    const struct agent_schedule *schedule = &parts->agent->schedule;
    struct batch *batch = &trainer->batch;
    int action_dim = parts->agent->spec.action_dim;
    int64_t entry = replay_sample(trainer->replay, window, &trainer->batch_rng);
    struct replay_return n_step =
        replay_n_step(trainer->replay, window, entry, (int)schedule->n_step, schedule->gamma);
    ((real *)batch->reward)[i] = (real)n_step.reward;
    ((real *)batch->discount)[i] = (real)n_step.discount;
    const float *action = replay_action(trainer->replay, entry);
    for (int j = 0; j < action_dim; j++)
        ((real *)batch->action)[i * action_dim + j] = (real)action[j];
    if (parts->features == FEATURE_KIND_PIXELS) {
        size_t stack_bytes = parts_stack_bytes(parts);
        copy_pixels(trainer, entry, batch->pixels + (size_t)i * stack_bytes);
        copy_pixels(trainer, n_step.next, batch->next_pixels + (size_t)i * stack_bytes);
    } else {
        copy_features(trainer, entry, batch->obs + (size_t)i * parts->feature_dim);
        copy_features(trainer, n_step.next, batch->next_obs + (size_t)i * parts->feature_dim);
    }
}

enum rl_status policy_role_update(struct trainer *trainer, struct rl_error *err) {
    struct parts *parts = &trainer->parts;
    struct replay_window window = {replay_begin(trainer->replay), replay_end(trainer->replay)};
    for (int i = 0; i < trainer->batch.n; i++) fill_row(trainer, window, i);
    struct metrics *metrics = &trainer->policy_metrics;
    enum rl_status status =
        agent_update(parts->agent, &trainer->batch, trainer->count.steps, metrics, err);
    if (status == RL_OK && parts->features == FEATURE_KIND_PIXELS) {
        double norm;
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
