#include "train/policy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"
#include "nn/safetensors.h"
#include "train/checkpoint.h"

enum rl_status policy_init(struct policy *policy, struct parts *parts, struct rl_error *err) {
    *policy = (struct policy){.parts = parts};
    policy->row = MEM_ARRAY(real, parts->feature_dim + 1);
    policy->stack = mem_alloc(parts_stack_bytes(parts));
    bool attends = parts->encoder && parts->encoder->ops->attention; // policy_picture.c
    if (parts->features != FEATURE_KIND_LATENTS && !attends) return RL_OK;
    policy->tape = tape_create(encoder_tape_bytes(parts->encoder, 1), NULL, err);
    return policy->tape ? RL_OK : RL_ENOMEM;
}

void policy_release(struct policy *policy) {
    tape_destroy(policy->tape);
    mem_free(policy->stack);
    mem_free(policy->row);
    if (policy->owned) {
        parts_release(policy->parts);
        mem_free(policy->parts);
    }
    *policy = (struct policy){0};
}

static void visit_policy(void *object, struct state_visitor *visitor) {
    parts_visit_policy(object, visitor);
}

enum rl_status policy_reload(struct policy *policy, const char *run_dir, struct rl_error *err) {
    char folder[4096], path[4096];
    file_join(folder, sizeof folder, run_dir, "checkpoints");
    enum rl_status status = checkpoint_find_latest(folder, path, err);
    if (status != RL_OK) return status;
    return checkpoint_load_part(path, visit_policy, policy->parts, err);
}

// A policy as run_dir's configuration says, its weights not yet read.
static enum rl_status open_policy(struct policy *policy, const char *run_dir, uint64_t env_seed,
                                  struct env **env, struct rl_error *err) {
    *policy = (struct policy){0};
    *env = NULL;
    struct parts *parts = MEM_NEW(struct parts);
    struct config config = {0};
    char path[4096];
    file_join(path, sizeof path, run_dir, "config.yaml");
    enum rl_status status = config_add_yaml_file(&config, path, err);
    if (status == RL_OK) status = parts_read_options(parts, NULL, &config, err);
    if (status == RL_OK) {
        *env = env_create(parts->run.env, &parts->env, env_seed, err);
        status = *env ? RL_OK : err->code;
    }
    if (status == RL_OK)
        status = parts_create(parts, &config, env_spec(*env), true, NULL, NULL, err);
    if (status == RL_OK) status = policy_init(policy, parts, err);
    policy->parts = parts;
    policy->owned = true;
    config_release(&config);
    return status;
}

static enum rl_status opened(struct policy *policy, struct env **env, enum rl_status status) {
    if (status == RL_OK) return RL_OK;
    env_destroy(*env);
    *env = NULL;
    policy_release(policy);
    return status;
}

enum rl_status policy_load(struct policy *policy, const char *run_dir, uint64_t env_seed,
                           struct env **env, struct rl_error *err) {
    enum rl_status status = open_policy(policy, run_dir, env_seed, env, err);
    if (status == RL_OK) status = policy_reload(policy, run_dir, err);
    return opened(policy, env, status);
}

// --- RUN/final.safetensors (written by store_final) ---

static enum rl_status take(const struct st_file *file, const char *prefix, const char *name,
                           size_t count, real *out, struct rl_error *err) {
    char full[PARAM_NAME_BYTES + 16];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    const struct st_tensor *tensor = st_find(file, full);
    if (!tensor || tensor->count != (int64_t)count)
        return rl_fail(err, RL_EFORMAT, "tensor '%s' is missing or does not fit the run", full);
    for (size_t i = 0; i < count; i++) {
        double value = st_get(tensor, (int64_t)i);
        if (!isfinite(value)) return rl_fail(err, RL_EFORMAT, "tensor '%s' is not finite", full);
        out[i] = (real)value;
    }
    return RL_OK;
}

static enum rl_status take_params(const struct st_file *file, const char *prefix,
                                  struct params *params, struct rl_error *err) {
    for (int i = 0; i < params->n_items; i++) {
        const struct param_item *item = &params->items[i];
        enum rl_status status =
            take(file, prefix, item->name, item->count, params->value + item->offset, err);
        if (status != RL_OK) return status;
    }
    return RL_OK;
}

static enum rl_status take_weights(const struct st_file *file, struct parts *parts,
                                   struct rl_error *err) {
    struct snapshot *snapshot = &parts->snapshot;
    size_t dim = (size_t)snapshot->dim;
    enum rl_status status = take_params(file, "agent", &parts->agent->params, err);
    if (status != RL_OK || !parts->encoder) return status;
    if (parts->features == FEATURE_KIND_PIXELS)
        return take_params(file, "encoder", &parts->encoder->params, err);
    status = take_params(file, "encoder", &snapshot->params, err);
    if (status == RL_OK) status = take(file, "snapshot", "mean", dim, snapshot->mean, err);
    if (status == RL_OK)
        status = take(file, "snapshot", "inverse_std", dim, snapshot->inverse_std, err);
    if (status == RL_OK)
        status = take(file, "snapshot", "rotation", dim * dim, snapshot->rotation, err);
    return status;
}

enum rl_status policy_load_final(struct policy *policy, const char *path, uint64_t env_seed,
                                 struct env **env, struct rl_error *err) {
    char folder[4096];
    struct st_file file;
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) *slash = '\0';
    *policy = (struct policy){0};
    *env = NULL;
    enum rl_status status = st_read(path, &file, err);
    if (status != RL_OK) return status;
    status = open_policy(policy, slash ? folder : ".", env_seed, env, err);
    if (status == RL_OK) {
        status = take_weights(&file, policy->parts, err);
        if (status != RL_OK) rl_fail_context(err, "%s", path);
    }
    st_release(&file);
    return opened(policy, env, status);
}

// Drops the oldest frame's channels and appends the new frame's.
static void push_frame(struct policy *policy, const uint8_t *frame, bool first) {
    const struct parts *parts = policy->parts;
    int stacked = parts->stack_dim[2], channels = stacked / (int)parts->loop.frame_stack;
    int pixels = parts->stack_dim[0] * parts->stack_dim[1];
    for (int i = 0; i < pixels; i++) {
        uint8_t *out = policy->stack + (size_t)i * stacked;
        const uint8_t *in = frame + (size_t)i * channels;
        for (int c = 0; c < stacked - channels; c++)
            out[c] = first ? in[c % channels] : out[c + channels];
        memcpy(out + stacked - channels, in, (size_t)channels);
    }
}

// The agent's input is the latents of this step and those before it, newest first; before an
// episode's first it is that one again.
static void push_latent(struct policy *policy, bool first) {
    struct parts *parts = policy->parts;
    size_t dim = (size_t)parts->latent_dim, old = (size_t)parts->feature_dim - dim;
    memmove(policy->row + dim, policy->row, old * sizeof(real));
    snapshot_encode(&parts->snapshot, policy->tape, 1, policy->stack, policy->row);
    for (size_t i = dim; first && i < dim + old; i++) policy->row[i] = policy->row[i - dim];
}

void policy_observe(struct policy *policy, const struct time_step *step) {
    struct parts *parts = policy->parts;
    if (parts->features == FEATURE_KIND_STATE) {
        for (int i = 0; i < parts->feature_dim; i++) policy->row[i] = (real)step->obs[i];
        return;
    }
    push_frame(policy, step->frame, step->first);
    if (parts->features == FEATURE_KIND_LATENTS) {
        push_latent(policy, step->first);
    }
}

void policy_act(struct policy *policy, double *action) {
    struct agent *agent = policy->parts->agent;
    struct encoder_input input = {.n = 1, .rows = policy->row, .pixels = policy->stack};
    real out[AGENT_MAX_ACTIONS];
    RL_ASSERT(agent->spec.action_dim <= AGENT_MAX_ACTIONS);
    agent_act(agent, &input, 0, false, out);
    for (int i = 0; i < agent->spec.action_dim; i++) action[i] = (double)out[i];
}

double policy_value(struct policy *policy, const double *action) {
    struct agent *agent = policy->parts->agent;
    struct encoder_input input = {.n = 1, .rows = policy->row, .pixels = policy->stack};
    real row[AGENT_MAX_ACTIONS];
    for (int i = 0; i < agent->spec.action_dim; i++) row[i] = (real)action[i];
    return (double)agent_value(agent, &input, row);
}
