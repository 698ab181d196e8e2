#include "envs/vec_env.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

// What one environment's task reads and writes; on cache lines of its own.
struct slot {
    struct env *env;
    double *final_obs;
    uint8_t *final_frame;
    enum rl_status status;
    struct rl_error error;
} __attribute__((aligned(64)));

struct vec_env {
    int count;
    struct slot *slots;
    struct pool *pool;
    size_t obs_bytes, frame_bytes;
};

struct vec_env *vec_env_create(const char *name, const struct env_options *options, int count,
                               uint64_t seed, struct pool *pool, struct rl_error *err) {
    RL_ASSERT(count > 0);
    struct vec_env *vec = MEM_NEW(struct vec_env);
    vec->slots = MEM_ARRAY(struct slot, count);
    vec->pool = pool;
    for (int i = 0; i < count; i++) {
        char label[32];
        snprintf(label, sizeof label, "vec_env %d", i);
        struct rng seeds = rng_fork(seed, label);
        struct slot *slot = &vec->slots[i];
        slot->env = env_create(name, options, rng_next(&seeds), err);
        if (!slot->env) {
            vec_env_destroy(vec);
            return NULL;
        }
        vec->count = i + 1;
        const struct env_spec *spec = env_spec(slot->env);
        const int *dim = spec->frame_dim;
        vec->obs_bytes = (size_t)spec->obs_dim * sizeof(double);
        vec->frame_bytes = (size_t)dim[0] * (size_t)dim[1] * (size_t)dim[2];
        slot->final_obs = mem_alloc(vec->obs_bytes);
        if (vec->frame_bytes) slot->final_frame = mem_alloc(vec->frame_bytes);
    }
    return vec;
}

void vec_env_destroy(struct vec_env *vec) {
    if (!vec) return;
    for (int i = 0; i < vec->count; i++) {
        env_destroy(vec->slots[i].env);
        mem_free(vec->slots[i].final_obs);
        mem_free(vec->slots[i].final_frame);
    }
    mem_free(vec->slots);
    mem_free(vec);
}

int vec_env_count(const struct vec_env *vec) {
    return vec->count;
}

struct env *vec_env_at(struct vec_env *vec, int index) {
    RL_ASSERT(index >= 0 && index < vec->count);
    return vec->slots[index].env;
}

const double *vec_env_final_obs(const struct vec_env *vec, int index) {
    return vec->slots[index].final_obs;
}

const uint8_t *vec_env_final_frame(const struct vec_env *vec, int index) {
    return vec->slots[index].final_frame;
}

struct round {
    struct vec_env *vec;
    const double *actions; // NULL: reset
    struct time_step *steps;
};

// Starts the next episode under a step that keeps reward, discount and frames of the ending.
static enum rl_status roll_over(struct vec_env *vec, struct slot *slot, struct time_step *step) {
    struct time_step fresh;
    memcpy(slot->final_obs, step->obs, vec->obs_bytes);
    if (slot->final_frame) memcpy(slot->final_frame, step->frame, vec->frame_bytes);
    enum rl_status status = env_reset(slot->env, &fresh, &slot->error);
    step->obs = fresh.obs;
    step->frame = fresh.frame;
    return status;
}

static void run_one(void *context, int index) {
    const struct round *round = context;
    struct slot *slot = &round->vec->slots[index];
    struct time_step *step = &round->steps[index];
    if (!round->actions) {
        slot->status = env_reset(slot->env, step, &slot->error);
        return;
    }
    const double *action = round->actions + index * env_spec(slot->env)->action_dim;
    slot->status = env_step(slot->env, action, step, &slot->error);
    if (slot->status == RL_OK && step->last) slot->status = roll_over(round->vec, slot, step);
}

static enum rl_status run(struct vec_env *vec, const double *actions, struct time_step *steps,
                          struct rl_error *err) {
    struct round round = {vec, actions, steps};
    pool_run(vec->pool, vec->count, run_one, &round);
    for (int i = 0; i < vec->count; i++) {
        const struct slot *slot = &vec->slots[i];
        if (slot->status != RL_OK) {
            return rl_fail(err, slot->status, "environment %d: %s", i, slot->error.message);
        }
    }
    return RL_OK;
}

enum rl_status vec_env_reset(struct vec_env *vec, struct time_step *steps, struct rl_error *err) {
    return run(vec, NULL, steps, err);
}

enum rl_status vec_env_step(struct vec_env *vec, const double *actions, struct time_step *steps,
                            struct rl_error *err) {
    return run(vec, actions, steps, err);
}
