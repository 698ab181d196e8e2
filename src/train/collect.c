#include "train/collect.h"

#include <string.h>

#include "base/mem.h"

static enum rl_status fill(struct rollouts *rollouts, int steps, struct rng *rng,
                           struct rl_error *err) {
    struct env *env = rollouts->env;
    int action_dim = env_spec(env)->action_dim;
    const mjData *data = env_data(env);
    double *action = MEM_ARRAY(double, action_dim),
           *state = MEM_ARRAY(double, rollouts->n_qpos + rollouts->n_qvel);
    real *stored = MEM_ARRAY(real, action_dim);
    struct time_step step = {.last = true};
    enum rl_status status = RL_OK;
    for (int i = 0; i < steps && status == RL_OK; i++) {
        status = step.last ? env_reset(env, &step, err) : env_step(env, action, &step, err);
        if (status != RL_OK) break;
        memcpy(state, data->qpos, (size_t)rollouts->n_qpos * sizeof *state);
        memcpy(state + rollouts->n_qpos, data->qvel, (size_t)rollouts->n_qvel * sizeof *state);
        struct replay_entry entry = {.frame = step.frame,
                                     .obs = state,
                                     .reward = step.reward,
                                     .discount = step.discount,
                                     .first = step.first,
                                     .last = step.last};
        replay_append(rollouts->replay, &entry);
        if (step.last) continue;
        for (int j = 0; j < action_dim; j++) {
            action[j] = rng_range(rng, -1, 1);
            stored[j] = (real)action[j];
        }
        replay_set_action(rollouts->replay, stored);
    }
    mem_free(action);
    mem_free(state);
    mem_free(stored);
    return status;
}

enum rl_status rollouts_collect(struct rollouts *rollouts, const char *env,
                                const struct env_options *options, int steps, int frame_stack,
                                uint64_t seed, struct rl_error *err) {
    *rollouts = (struct rollouts){.env = env_create(env, options, seed, err)};
    if (!rollouts->env) return err->code;
    const struct env_spec *facts = env_spec(rollouts->env);
    rollouts->n_qpos = (int)env_model(rollouts->env)->nq;
    rollouts->n_qvel = (int)env_model(rollouts->env)->nv;
    struct replay_spec spec = {.capacity = steps,
                               .frame_stack = frame_stack,
                               .obs_dim = rollouts->n_qpos + rollouts->n_qvel,
                               .action_dim = facts->action_dim};
    memcpy(spec.frame_dim, facts->frame_dim, sizeof spec.frame_dim);
    rollouts->replay = replay_create(&spec, err);
    struct rng rng = rng_fork(seed, "rollouts");
    enum rl_status status = rollouts->replay ? fill(rollouts, steps, &rng, err) : err->code;
    if (status != RL_OK) rollouts_release(rollouts);
    return status;
}

void rollouts_release(struct rollouts *rollouts) {
    replay_destroy(rollouts->replay);
    env_destroy(rollouts->env);
    *rollouts = (struct rollouts){0};
}
