// rlrun env-trace: a trajectory of an environment as .safetensors, so that anyone can compare the
// physics. Rows of qpos, qvel, act, qacc_warmstart, obs, time: 0 right after the reset, t + 1 after
// action[t]; reward[t] and discount[t] belong to action[t], one frame each. Actions are in the
// task's own range (ctrl). "model.*" are the model arrays that a reset may change.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "envs/env.h"
#include "envs/model_fields.h"
#include "nn/safetensors.h"

struct trace_options {
    char env[OPT_STRING_BYTES], output[OPT_STRING_BYTES], from[OPT_STRING_BYTES];
    int64_t seed, steps;
};
static const struct opt_spec trace_specs[] = {
    OPT_ROW_STRING(struct trace_options, env, "", "environment: DOMAIN-TASK or a path"),
    OPT_ROW_STRING(struct trace_options, output, "trace.safetensors", "file to write"),
    OPT_ROW_STRING(
        struct trace_options, from, "",
        "file with initial state (init.qpos, init.qvel, ... or qpos, qvel, ... of row 0), model.* "
        "and action; empty: a reset and uniform random actions"),
    OPT_ROW_INT(struct trace_options, seed, "1", 0, 9e15,
                "seed of the reset and of random actions"),
    OPT_ROW_INT(struct trace_options, steps, "250", 1, 1000000, "frames to take at most"),
    OPT_END,
};
static const struct opt_table trace_table = {"", trace_specs};

enum { QPOS, QVEL, ACT, WARMSTART, OBS, TIME, N_ROWS }; // what has a row before each action
static const char *const row_names[N_ROWS] = {"qpos",           "qvel", "act",
                                              "qacc_warmstart", "obs",  "time"};

struct trace {
    struct env *env;
    int steps; // wanted, then taken
    int width[N_ROWS], nu;
    double *rows[N_ROWS];               // (steps + 1, width)
    double *action, *reward, *discount; // (steps, nu), (steps), (steps)
    struct st_file from;                // empty without --from
};

static void record(struct trace *trace, int row) {
    const mjData *data = env_data(trace->env);
    const double *sources[N_ROWS] = {
        data->qpos, data->qvel, data->act, data->qacc_warmstart, env_observe(trace->env),
        &data->time};
    for (int k = 0; k < N_ROWS; k++) {
        size_t count = (size_t)trace->width[k];
        memcpy(trace->rows[k] + (size_t)row * count, sources[k], count * sizeof(double));
    }
}

// Copies init.NAME, or row 0 of NAME, when the file has it.
static enum rl_status take_initial(const struct trace *trace, int k, double *out,
                                   struct rl_error *err) {
    char name[64];
    snprintf(name, sizeof name, "init.%s", row_names[k]);
    const struct st_tensor *tensor = st_find(&trace->from, name);
    bool rows = !tensor;
    if (rows) tensor = st_find(&trace->from, row_names[k]);
    if (!tensor) {
        if (k == QPOS || k == QVEL)
            return rl_fail(err, RL_EFORMAT, "--from: no '%s' in the file", name);
        return RL_OK;
    }
    if (rows ? tensor->count < trace->width[k] : tensor->count != trace->width[k]) {
        return rl_fail(err, RL_EFORMAT, "--from: '%s' has %lld numbers, the environment %d",
                       tensor->name, (long long)tensor->count, trace->width[k]);
    }
    for (int i = 0; i < trace->width[k]; i++) out[i] = st_get(tensor, i);
    return RL_OK;
}

static enum rl_status take_model(struct trace *trace, struct rl_error *err) {
    struct model_field fields[MODEL_FIELDS];
    model_fields(env_model(trace->env), fields);
    for (int i = 0; i < MODEL_FIELDS; i++) {
        char name[64];
        snprintf(name, sizeof name, "model.%s", fields[i].name);
        const struct st_tensor *tensor = st_find(&trace->from, name);
        if (!tensor) continue;
        if (tensor->count != fields[i].count) {
            return rl_fail(err, RL_EFORMAT, "--from: '%s' has %lld numbers, the model %lld", name,
                           (long long)tensor->count, (long long)fields[i].count);
        }
        if (fields[i].single)
            st_copy_float(tensor, fields[i].data);
        else
            st_copy_double(tensor, fields[i].data);
    }
    return RL_OK;
}

// The state of --from in place of the one that the reset drew.
static enum rl_status take_start(struct trace *trace, struct time_step *step,
                                 struct rl_error *err) {
    mjData *data = env_data(trace->env);
    double *const targets[] = {data->qpos,           data->qvel, data->act,
                               data->qacc_warmstart, NULL,       &data->time};
    enum rl_status status = take_model(trace, err);
    mj_resetData(env_model(trace->env), data);
    for (int k = 0; k < N_ROWS && status == RL_OK; k++) {
        if (targets[k] && k != WARMSTART) status = take_initial(trace, k, targets[k], err);
    }
    if (status == RL_OK) status = env_restart(trace->env, step, err);
    // the solver's start is of the step that led to the state: after the restart, which sets its
    // own
    if (status == RL_OK) status = take_initial(trace, WARMSTART, data->qacc_warmstart, err);
    return status;
}

static enum rl_status take_actions(struct trace *trace, uint64_t seed, struct rl_error *err) {
    const mjModel *model = env_model(trace->env);
    const struct st_tensor *given = st_find(&trace->from, "action");
    struct rng rng = rng_fork(seed, "env-trace");
    if (trace->from.bytes) {
        if (!given || given->ndim != 2 || given->dim[1] != trace->nu) {
            return rl_fail(err, RL_EFORMAT, "--from: no 'action' of shape (steps, %d) in the file",
                           trace->nu);
        }
        if (given->dim[0] < trace->steps) trace->steps = (int)given->dim[0];
    }
    for (int i = 0; i < trace->steps * trace->nu; i++) {
        int k = i % trace->nu;
        const double *range = model->actuator_ctrlrange + 2 * k;
        bool limited = model->actuator_ctrllimited[k];
        trace->action[i] = given ? st_get(given, i)
                                 : rng_range(&rng, limited ? range[0] : -1, limited ? range[1] : 1);
    }
    return RL_OK;
}

// From the task's own range to [-1, 1].
static void normalize(const mjModel *model, const double *ctrl, double *action) {
    for (int i = 0; i < model->nu; i++) {
        const double *range = model->actuator_ctrlrange + 2 * i;
        bool limited = model->actuator_ctrllimited[i];
        action[i] =
            limited ? (ctrl[i] - (range[0] + range[1]) / 2) / ((range[1] - range[0]) / 2) : ctrl[i];
    }
}

static enum rl_status roll(struct trace *trace, uint64_t seed, struct rl_error *err) {
    struct time_step step;
    enum rl_status status = env_reset(trace->env, &step, err);
    if (status == RL_OK && trace->from.bytes) status = take_start(trace, &step, err);
    if (status == RL_OK) status = take_actions(trace, seed, err);
    if (status != RL_OK) return status;
    double *action = MEM_ARRAY(double, trace->nu);
    record(trace, 0);
    for (int t = 0; t < trace->steps && status == RL_OK; t++) {
        normalize(env_model(trace->env), trace->action + t * trace->nu, action);
        status = env_step(trace->env, action, &step, err);
        if (status != RL_OK) break;
        record(trace, t + 1);
        trace->reward[t] = step.reward;
        trace->discount[t] = step.discount;
        if (step.last) trace->steps = t + 1;
    }
    mem_free(action);
    return status;
}

static struct st_tensor tensor_of(const char *name, const void *data, enum st_dtype dtype,
                                  int64_t rows, int64_t width) {
    return (struct st_tensor){.name = (char *)(uintptr_t)name, // read only
                              .dtype = dtype,
                              .ndim = width ? 2 : 1,
                              .dim = {rows, width},
                              .count = width ? rows * width : rows,
                              .data = data};
}

static enum rl_status write_trace(const struct trace *trace, const char *path,
                                  struct rl_error *err) {
    struct st_tensor tensors[N_ROWS + 3 + MODEL_FIELDS];
    char names[MODEL_FIELDS][64];
    int count = 0;
    for (int k = 0; k < N_ROWS; k++) {
        if (!trace->width[k]) continue; // no activations
        int64_t width = k == TIME ? 0 : trace->width[k];
        tensors[count++] = tensor_of(row_names[k], trace->rows[k], ST_F64, trace->steps + 1, width);
    }
    tensors[count++] = tensor_of("action", trace->action, ST_F64, trace->steps, trace->nu);
    tensors[count++] = tensor_of("reward", trace->reward, ST_F64, trace->steps, 0);
    tensors[count++] = tensor_of("discount", trace->discount, ST_F64, trace->steps, 0);
    struct model_field fields[MODEL_FIELDS];
    model_fields(env_model(trace->env), fields);
    for (int i = 0; i < MODEL_FIELDS; i++) {
        if (!fields[i].count) continue;
        snprintf(names[i], sizeof names[i], "model.%s", fields[i].name);
        tensors[count++] = tensor_of(names[i], fields[i].data, fields[i].single ? ST_F32 : ST_F64,
                                     fields[i].count, 0);
    }
    const char *const meta[] = {"env", env_spec(trace->env)->name, "mujoco", mj_versionString()};
    return st_write(path, tensors, count, meta, 2, err);
}

static void make_arrays(struct trace *trace) {
    const mjModel *model = env_model(trace->env);
    const int width[N_ROWS] = {(int)model->nq,
                               (int)model->nv,
                               (int)model->na,
                               (int)model->nv,
                               env_spec(trace->env)->obs_dim,
                               1};
    trace->nu = (int)model->nu;
    for (int k = 0; k < N_ROWS; k++) {
        trace->width[k] = width[k];
        trace->rows[k] = MEM_ARRAY(double, (trace->steps + 1) * width[k]);
    }
    trace->action = MEM_ARRAY(double, trace->steps * trace->nu);
    trace->reward = MEM_ARRAY(double, trace->steps);
    trace->discount = MEM_ARRAY(double, trace->steps);
}

static void release(struct trace *trace) {
    for (int k = 0; k < N_ROWS; k++) mem_free(trace->rows[k]);
    mem_free(trace->action);
    mem_free(trace->reward);
    mem_free(trace->discount);
    st_release(&trace->from);
    env_destroy(trace->env);
}

static enum rl_status run_trace(const struct trace_options *options, struct rl_error *err) {
    struct env_options env_options;
    struct trace trace = {.steps = (int)options->steps};
    opt_set_defaults(&env_opts, &env_options);
    env_options.pixels = false;
    env_options.action_repeat = 1;
    if (!*options->env)
        return rl_fail(err, RL_EUSAGE, "env-trace: which environment? --env DOMAIN-TASK");
    trace.env = env_create(options->env, &env_options, (uint64_t)options->seed, err);
    if (!trace.env) return err->code;
    make_arrays(&trace);
    enum rl_status status = *options->from ? st_read(options->from, &trace.from, err) : RL_OK;
    if (status == RL_OK) status = roll(&trace, (uint64_t)options->seed, err);
    if (status == RL_OK) status = write_trace(&trace, options->output, err);
    if (status == RL_OK) {
        printf("%s: %s, %d frames\n", options->output, env_spec(trace.env)->name, trace.steps);
    }
    release(&trace);
    return status;
}

enum rl_status cmd_env_trace(int argc, char **argv, struct rl_error *err) {
    struct args args;
    struct trace_options options;
    enum rl_status status = args_read(&args, argc, argv, &trace_table, &options, 0, err);
    if (status == RL_OK && args.help) {
        args_print_help("env-trace --env E [--seed S] [--steps N] [--from FILE] [-o FILE]",
                        &trace_table);
    } else if (status == RL_OK) {
        status = run_trace(&options, err);
    }
    args_release(&args);
    return status;
}
