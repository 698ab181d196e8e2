#include "train/collect.h"

#include <string.h>

#include "base/mem.h"
#include "replay/npy.h"
#include "train/policy.h"

// --- from an environment ---

static enum rl_status fill(struct rollouts *rollouts, struct env *env, struct policy *policy,
                           int steps, struct rng *rng, struct rl_error *err) {
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
        if (policy) policy_observe(policy, &step);
        if (step.last) continue;
        if (policy) policy_act(policy, action);
        for (int j = 0; j < action_dim; j++) {
            if (!policy) action[j] = rng_range(rng, -1, 1);
            stored[j] = (real)action[j];
        }
        replay_set_action(rollouts->replay, stored);
    }
    mem_free(action);
    mem_free(state);
    mem_free(stored);
    return status;
}

static enum rl_status collect(struct rollouts *rollouts, const struct rollouts_spec *spec,
                              struct env *env, struct policy *policy, struct rl_error *err) {
    const struct env_spec *facts = env_spec(env);
    rollouts->n_qpos = (int)env_model(env)->nq;
    rollouts->n_qvel = (int)env_model(env)->nv;
    struct replay_spec own = {.capacity = spec->steps,
                              .frame_stack = spec->frame_stack,
                              .obs_dim = rollouts->n_qpos + rollouts->n_qvel,
                              .action_dim = facts->action_dim};
    memcpy(own.frame_dim, facts->frame_dim, sizeof own.frame_dim);
    rollouts->replay = replay_create(&own, err);
    if (!rollouts->replay) return err->code;
    struct rng rng = rng_fork(spec->seed, "rollouts");
    return fill(rollouts, env, policy, spec->steps, &rng, err);
}

enum rl_status rollouts_collect(struct rollouts *rollouts, const struct rollouts_spec *spec,
                                struct rl_error *err) {
    *rollouts = (struct rollouts){0};
    struct policy policy = {0};
    struct env *env = NULL;
    const char *name = spec->env;
    struct env_options options = {0};
    enum rl_status status = RL_OK;
    if (spec->run) {
        status = policy_load(&policy, spec->run, spec->seed, &env, err);
        if (status != RL_OK) return status;
        env_destroy(env); // a policy of states has one without pixels
        name = policy.parts->run.env;
        options = policy.parts->env;
    } else {
        options = *spec->options;
    }
    options.pixels = true;
    env = env_create(name, &options, spec->seed, err);
    status = env ? collect(rollouts, spec, env, spec->run ? &policy : NULL, err) : err->code;
    if (status != RL_OK) rollouts_release(rollouts);
    env_destroy(env);
    policy_release(&policy);
    return status;
}

void rollouts_release(struct rollouts *rollouts) {
    replay_destroy(rollouts->replay);
    *rollouts = (struct rollouts){0};
}

// --- files ---

enum member { FRAMES, QPOS, QVEL, ACTIONS, REWARDS, DISCOUNTS, FIRST, LAST, N_MEMBERS };
static const char *const member_names[N_MEMBERS] = {"frames",  "qpos",      "qvel",  "actions",
                                                    "rewards", "discounts", "first", "last"};

static bool starts_episode(const struct replay *replay, int64_t entry) {
    return entry == replay_begin(replay) || replay_is_last(replay, entry - 1);
}

// The columns of row i, as the file has them.
static void write_row(const struct rollouts *rollouts, int64_t i, struct replay_window window,
                      uint8_t *frames, float *const floats[REWARDS], double *const doubles[2],
                      uint8_t *first, uint8_t *last) {
    const struct replay *replay = rollouts->replay;
    const struct replay_spec *spec = replay_spec(replay);
    int nq = rollouts->n_qpos, nv = rollouts->n_qvel;
    replay_read_frame(replay, i, frames);
    memcpy(floats[QPOS] + i * nq, replay_obs(replay, i), (size_t)nq * sizeof(float));
    memcpy(floats[QVEL] + i * nv, replay_obs(replay, i) + nq, (size_t)nv * sizeof(float));
    *first = starts_episode(replay, i);
    *last = replay_is_last(replay, i);
    if (*last || i + 1 == window.end) return; // no step was taken there
    memcpy(floats[ACTIONS] + i * spec->action_dim, replay_action(replay, i),
           (size_t)spec->action_dim * sizeof(float));
    struct replay_return one = replay_n_step(replay, window, i, 1, 1);
    doubles[0][i] = one.reward;
    doubles[1][i] = one.discount;
}

enum rl_status rollouts_save(const struct rollouts *rollouts, const char *path,
                             struct rl_error *err) {
    const struct replay_spec *spec = replay_spec(rollouts->replay);
    int64_t n = replay_end(rollouts->replay);
    struct replay_window window = {0, n};
    size_t frame = (size_t)spec->frame_dim[0] * spec->frame_dim[1] * spec->frame_dim[2];
    const int64_t width[] = {0, rollouts->n_qpos, rollouts->n_qvel, spec->action_dim};
    uint8_t *frames = mem_try_alloc(mem_size((size_t)n, frame), path, err);
    if (!frames) return RL_ENOMEM;
    uint8_t *flags[2] = {mem_alloc((size_t)n), mem_alloc((size_t)n)};
    float *floats[REWARDS] = {0};
    double *doubles[2] = {MEM_ARRAY(double, n), MEM_ARRAY(double, n)};
    for (int m = QPOS; m <= ACTIONS; m++) floats[m] = MEM_ARRAY(float, n *width[m]);
    for (int64_t i = 0; i < n; i++)
        write_row(rollouts, i, window, frames + (size_t)i * frame, floats, doubles, &flags[0][i],
                  &flags[1][i]);
    struct npz_writer *writer = MEM_NEW(struct npz_writer);
    npz_writer_open(writer, path);
    const int64_t dim[4] = {n, spec->frame_dim[0], spec->frame_dim[1], spec->frame_dim[2]};
    npz_writer_add(writer, member_names[FRAMES], NPY_UINT, 1, 4, dim, frames);
    for (int m = QPOS; m <= ACTIONS; m++) {
        const int64_t rows[2] = {n, width[m]};
        npz_writer_add(writer, member_names[m], NPY_FLOAT, 4, 2, rows, floats[m]);
        mem_free(floats[m]);
    }
    for (int m = REWARDS; m <= DISCOUNTS; m++) {
        npz_writer_add(writer, member_names[m], NPY_FLOAT, 8, 1, &n, doubles[m - REWARDS]);
        mem_free(doubles[m - REWARDS]);
    }
    for (int m = FIRST; m <= LAST; m++) {
        npz_writer_add(writer, member_names[m], NPY_BOOL, 1, 1, &n, flags[m - FIRST]);
        mem_free(flags[m - FIRST]);
    }
    mem_free(frames);
    enum rl_status status = npz_writer_commit(writer, err);
    mem_free(writer);
    return status;
}

bool rollouts_is_file(const char *path) {
    struct npz npz;
    if (file_is_dir(path) || npz_open(&npz, path, NULL) != RL_OK) return false;
    bool found = npz_find(&npz, member_names[FRAMES]) && npz_find(&npz, member_names[ACTIONS]);
    npz_close(&npz);
    return found;
}

// All members unpacked, every one with as many rows as there are frames.
struct columns {
    struct bytes bytes[N_MEMBERS];
    struct npy array[N_MEMBERS];
};

static enum rl_status read_columns(struct columns *columns, const struct npz *npz,
                                   struct rl_error *err) {
    for (int m = 0; m < N_MEMBERS; m++) {
        const struct npz_member *member = npz_find(npz, member_names[m]);
        if (!member)
            return rl_fail(err, RL_EFORMAT, "%s: rollouts without member '%s'", npz->path,
                           member_names[m]);
        struct npy *array = &columns->array[m];
        enum rl_status status = npz_read(npz, member, &columns->bytes[m], array, err);
        if (status != RL_OK) return status;
        int wanted_dims = m == FRAMES ? 4 : m < REWARDS ? 2 : 1;
        if (array->n_dims != wanted_dims || array->dim[0] != columns->array[FRAMES].dim[0] ||
            array->dim[1] > 65536 || array->dim[0] < 1 || array->dim[0] > INT32_MAX)
            return rl_fail(err, RL_EFORMAT, "%s: member '%s' has another shape than rollouts have",
                           npz->path, member_names[m]);
    }
    const struct npy *frames = &columns->array[FRAMES];
    if (frames->type != NPY_UINT || frames->item_bytes != 1 || frames->dim[1] < 1 ||
        frames->dim[2] < 1 || frames->dim[3] != 3)
        return rl_fail(err, RL_EFORMAT, "%s: frames must be (n, H, W, 3) of bytes", npz->path);
    return RL_OK;
}

static void append_rows(struct rollouts *rollouts, const struct columns *columns) {
    const struct npy *array = columns->array;
    int nq = rollouts->n_qpos, nv = rollouts->n_qvel, na = (int)array[ACTIONS].dim[1];
    size_t frame = (size_t)(array[FRAMES].count / array[FRAMES].dim[0]);
    double *state = MEM_ARRAY(double, nq + nv);
    real *action = MEM_ARRAY(real, na);
    for (int64_t i = 0; i < array[FRAMES].dim[0]; i++) {
        for (int j = 0; j < nq; j++) state[j] = npy_value(&array[QPOS], i * nq + j);
        for (int j = 0; j < nv; j++) state[nq + j] = npy_value(&array[QVEL], i * nv + j);
        bool first = i == 0 || npy_value(&array[FIRST], i) != 0;
        struct replay_entry entry = {.frame = array[FRAMES].data + (size_t)i * frame,
                                     .obs = state,
                                     .reward = first ? 0 : npy_value(&array[REWARDS], i - 1),
                                     .discount = first ? 1 : npy_value(&array[DISCOUNTS], i - 1),
                                     .first = first,
                                     .last = npy_value(&array[LAST], i) != 0};
        replay_append(rollouts->replay, &entry);
        if (entry.last) continue;
        for (int j = 0; j < na; j++) action[j] = (real)npy_value(&array[ACTIONS], i * na + j);
        replay_set_action(rollouts->replay, action);
    }
    mem_free(state);
    mem_free(action);
}

enum rl_status rollouts_load(struct rollouts *rollouts, const char *path, int frame_stack,
                             struct rl_error *err) {
    *rollouts = (struct rollouts){0};
    struct npz npz;
    struct columns columns = {0};
    enum rl_status status = npz_open(&npz, path, err);
    if (status != RL_OK) return status;
    status = read_columns(&columns, &npz, err);
    const struct npy *array = columns.array;
    if (status == RL_OK) {
        rollouts->n_qpos = (int)array[QPOS].dim[1];
        rollouts->n_qvel = (int)array[QVEL].dim[1];
        struct replay_spec spec = {
            .capacity = array[FRAMES].dim[0],
            .frame_dim = {(int)array[FRAMES].dim[1], (int)array[FRAMES].dim[2], 3},
            .frame_stack = frame_stack,
            .obs_dim = rollouts->n_qpos + rollouts->n_qvel,
            .action_dim = (int)array[ACTIONS].dim[1]};
        rollouts->replay = replay_create(&spec, err);
        status = rollouts->replay ? RL_OK : err->code;
    }
    if (status == RL_OK) append_rows(rollouts, &columns);
    for (int m = 0; m < N_MEMBERS; m++) mem_free(columns.bytes[m].data);
    npz_close(&npz);
    if (status != RL_OK) rollouts_release(rollouts);
    return status;
}

// --- either ---

enum rl_status rollouts_open(struct rollouts *rollouts, const char *data,
                             const struct rollouts_spec *spec, struct rl_error *err) {
    return data[0] ? rollouts_load(rollouts, data, spec->frame_stack, err)
                   : rollouts_collect(rollouts, spec, err);
}

void rollouts_in_dim(const struct rollouts *rollouts, int in_dim[3]) {
    const struct replay_spec *facts = replay_spec(rollouts->replay);
    memcpy(in_dim, facts->frame_dim, sizeof facts->frame_dim);
    in_dim[2] *= facts->frame_stack;
}
