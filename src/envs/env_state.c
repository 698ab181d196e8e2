// The bytes of an environment's state: a header, then MuJoCo's integration state, the sensor
// readings, the observation, the task's memory and the model arrays that resets change.
#include <string.h>

#include "envs/env_impl.h"
#include "envs/model_fields.h"

#define STATE_MAGIC   0x31564e45u // "ENV1"
#define STATE_VERSION 1u

struct state_header {
    uint32_t magic, version;
    uint64_t size;
    struct rng rng;
    double memory[PHYSICS_MEMORY];
    int64_t unstable;
    int32_t frames, running;
};

// Copies between the state and a byte stream, in one order for saving and loading; out and in NULL
// counts.
struct stream {
    unsigned char *out;
    const unsigned char *in;
    size_t size;
};

static void move(struct stream *stream, void *data, size_t size) {
    if (stream->out) memcpy(stream->out + stream->size, data, size);
    if (stream->in) memcpy(data, stream->in + stream->size, size);
    stream->size += size;
}

static void move_all(struct stream *stream, struct env *env) {
    struct model_field field[MODEL_FIELDS];
    mjData *data = env->physics.data;
    move(stream, data->sensordata, (size_t)env->physics.model->nsensordata * sizeof(mjtNum));
    move(stream, env->obs, (size_t)env->spec.obs_dim * sizeof(double));
    model_fields(env->physics.model, field);
    for (int i = 0; i < MODEL_FIELDS; i++) {
        move(stream, field[i].data,
             (size_t)field[i].count * (field[i].single ? sizeof(float) : sizeof(double)));
    }
}

static size_t physics_numbers(const struct env *env) {
    return (size_t)mj_stateSize(env->physics.model, mjSTATE_INTEGRATION);
}

size_t env_state_bytes(const struct env *env) {
    struct stream count = {0};
    move_all(&count, (struct env *)env); // counting changes nothing
    return sizeof(struct state_header) + physics_numbers(env) * sizeof(mjtNum) + count.size;
}

void env_state_save(const struct env *env, void *out) {
    const struct physics *physics = &env->physics;
    struct state_header header = {
        .magic = STATE_MAGIC,
        .version = STATE_VERSION,
        .size = env_state_bytes(env),
        .rng = physics->rng,
        .unstable = env->unstable,
        .frames = env->frames,
        .running = env->running,
    };
    memcpy(header.memory, physics->memory, sizeof header.memory);
    unsigned char *at = out;
    memcpy(at, &header, sizeof header);
    at += sizeof header;
    size_t bytes = physics_numbers(env) * sizeof(mjtNum);
    mj_getState(physics->model, physics->data, env->scratch, mjSTATE_INTEGRATION);
    memcpy(at, env->scratch, bytes);
    struct stream stream = {.out = at + bytes};
    move_all(&stream, (struct env *)env); // writes to stream.out only
}

static void refresh_body(void *context) {
    struct physics *physics = context;
    mj_step1(physics->model, physics->data);
}

enum rl_status env_state_load(struct env *env, const void *in, size_t size, struct rl_error *err) {
    struct state_header header;
    if (size != env_state_bytes(env)) {
        return rl_fail(err, RL_EFORMAT, "state of %zu bytes; %s needs %zu", size, env->spec.name,
                       env_state_bytes(env));
    }
    memcpy(&header, in, sizeof header);
    if (header.magic != STATE_MAGIC || header.version != STATE_VERSION || header.size != size) {
        return rl_fail(err, RL_EFORMAT, "not a state of %s of this version", env->spec.name);
    }
    struct physics *physics = &env->physics;
    physics->rng = header.rng;
    memcpy(physics->memory, header.memory, sizeof header.memory);
    env->unstable = header.unstable;
    env->frames = header.frames;
    env->running = header.running;
    const unsigned char *at = (const unsigned char *)in + sizeof header;
    size_t bytes = physics_numbers(env) * sizeof(mjtNum);
    memcpy(env->scratch, at, bytes); // in may be unaligned
    mj_resetData(physics->model, physics->data);
    mj_setState(physics->model, physics->data, env->scratch, mjSTATE_INTEGRATION);
    at += bytes;
    struct stream stream = {.in = at};
    move_all(&stream, env);
    enum rl_status status = mj_guard(refresh_body, physics, err);
    if (status != RL_OK) return status;
    // The readings of the saved moment, not those of the refresh (acceleration sensors lag one
    // step).
    stream = (struct stream){.in = at};
    move_all(&stream, env);
    mj_clear_warnings(physics->data);
    return RL_OK;
}
