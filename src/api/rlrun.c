// The shared library librlrun: include/rlrun.h over the environments and trained policies.
#include <rlrun.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "train/policy.h"

#define DEFAULT_IMAGE_SIZE 84

static _Thread_local struct rl_error failure;

struct rlrun_task {
    struct env *env;
    double *action; // cut to the allowed range
};

struct rlrun_policy {
    struct policy policy;
    char task[64];
    int action_repeat, frame_dim[3];
};

int rlrun_api(void) {
    return RLRUN_API;
}

const char *rlrun_version(void) {
    return RLRUN_VERSION;
}

const char *rlrun_error(void) {
    return failure.message;
}

// --- environments ---

struct rlrun_task *rlrun_task_create(const char *name, const struct rlrun_task_options *options) {
    static const struct rlrun_task_options none;
    if (!options) options = &none;
    struct env_options wanted;
    opt_set_defaults(&env_opts, &wanted);
    wanted.pixels = options->pixels != 0;
    wanted.image_size = options->image_size > 0 ? options->image_size : DEFAULT_IMAGE_SIZE;
    wanted.action_repeat = options->action_repeat;
    wanted.camera = options->camera - 1;
    if (options->image_size < 0 || wanted.image_size > 4096 || wanted.action_repeat < 0) {
        rl_fail(&failure, RL_EUSAGE,
                "image_size %d or action_repeat %d is out of range: 0..4096, 0 or more",
                options->image_size, options->action_repeat);
        return NULL;
    }
    struct env *env = env_create(name, &wanted, options->seed, &failure);
    if (!env) return NULL;
    struct rlrun_task *task = MEM_NEW(struct rlrun_task);
    task->env = env;
    task->action = MEM_ARRAY(double, env_spec(env)->action_dim);
    return task;
}

void rlrun_task_destroy(struct rlrun_task *task) {
    if (!task) return;
    env_destroy(task->env);
    mem_free(task->action);
    mem_free(task);
}

void rlrun_task_describe(const struct rlrun_task *task, struct rlrun_task_facts *facts) {
    const struct env_spec *spec = env_spec(task->env);
    *facts = (struct rlrun_task_facts){
        .observation_dim = spec->obs_dim,
        .action_dim = spec->action_dim,
        .frame_dim = {spec->frame_dim[0], spec->frame_dim[1], spec->frame_dim[2]},
        .action_repeat = spec->action_repeat,
        .episode_steps = (spec->episode_frames + spec->action_repeat - 1) / spec->action_repeat,
        .step_s = spec->control_timestep_s * spec->action_repeat,
        .reward_max = spec->reward_max_per_frame * spec->action_repeat,
    };
    snprintf(facts->name, sizeof facts->name, "%s", spec->name);
}

void rlrun_task_seed(struct rlrun_task *task, uint64_t seed) {
    env_seed(task->env, seed);
}

static int give_step(enum rl_status status, const struct time_step *from, struct rlrun_step *step) {
    if (status != RL_OK) return -1;
    *step = (struct rlrun_step){.observation = from->obs,
                                .frame = from->frame,
                                .reward = from->reward,
                                .discount = from->discount,
                                .first = from->first,
                                .last = from->last};
    return 0;
}

int rlrun_task_reset(struct rlrun_task *task, struct rlrun_step *step) {
    struct time_step now;
    return give_step(env_reset(task->env, &now, &failure), &now, step);
}

int rlrun_task_step(struct rlrun_task *task, const double *action, struct rlrun_step *step) {
    struct time_step now;
    for (int i = 0; i < env_spec(task->env)->action_dim; i++) {
        double x = action[i];
        if (!(x == x)) {
            rl_fail(&failure, RL_EUSAGE, "action %d is not a number", i);
            return -1;
        }
        task->action[i] = x < -1 ? -1 : x > 1 ? 1 : x;
    }
    return give_step(env_step(task->env, task->action, &now, &failure), &now, step);
}

const char *rlrun_task_name(int index) {
    return index >= 0 && index < env_task_count() ? env_task_name(index) : NULL;
}

// --- policies ---

struct rlrun_policy *rlrun_policy_load(const char *run) {
    struct rlrun_policy *policy = MEM_NEW(struct rlrun_policy);
    struct env *env;
    size_t length = strlen(run), suffix = strlen(".safetensors");
    bool file = length > suffix && !strcmp(run + length - suffix, ".safetensors");
    enum rl_status status = file ? policy_load_final(&policy->policy, run, 0, &env, &failure)
                                 : policy_load(&policy->policy, run, 0, &env, &failure);
    if (status != RL_OK) {
        mem_free(policy);
        return NULL;
    }
    const struct env_spec *spec = env_spec(env);
    snprintf(policy->task, sizeof policy->task, "%s", spec->name);
    policy->action_repeat = spec->action_repeat;
    memcpy(policy->frame_dim, spec->frame_dim, sizeof policy->frame_dim);
    env_destroy(env);
    return policy;
}

void rlrun_policy_destroy(struct rlrun_policy *policy) {
    if (!policy) return;
    policy_release(&policy->policy);
    mem_free(policy);
}

void rlrun_policy_describe(const struct rlrun_policy *policy, struct rlrun_policy_facts *facts) {
    const struct parts *parts = policy->policy.parts;
    bool state = parts->features == FEATURE_KIND_STATE;
    *facts = (struct rlrun_policy_facts){
        .action_dim = parts->agent->spec.action_dim,
        .observation_dim = state ? parts->feature_dim : 0,
        .frame_stack = state ? 0 : (int)parts->loop.frame_stack,
        .action_repeat = policy->action_repeat,
    };
    if (!state) memcpy(facts->frame_dim, policy->frame_dim, sizeof facts->frame_dim);
    memcpy(facts->task, policy->task, sizeof facts->task);
}

int rlrun_policy_act(struct rlrun_policy *policy, const uint8_t *frame, const double *observation,
                     int first, double *action) {
    bool state = policy->policy.parts->features == FEATURE_KIND_STATE;
    if (state ? !observation : !frame) {
        rl_fail(&failure, RL_EUSAGE, "this policy sees %s, and none was given",
                state ? "observations" : "frames");
        return -1;
    }
    struct time_step now = {.obs = observation, .frame = frame, .first = first != 0};
    policy_observe(&policy->policy, &now);
    policy_act(&policy->policy, action);
    return 0;
}
