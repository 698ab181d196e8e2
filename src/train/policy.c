#include "train/policy.h"

#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"
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

enum rl_status policy_load(struct policy *policy, const char *run_dir, uint64_t env_seed,
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
    if (status == RL_OK) status = policy_reload(policy, run_dir, err);
    config_release(&config);
    if (status == RL_OK) return RL_OK;
    env_destroy(*env);
    *env = NULL;
    policy_release(policy);
    return status;
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
