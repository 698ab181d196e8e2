// State environments, in control steps (frames) a second: one environment on one thread, in the
// thread's CPU time, beside mj_step alone on the same model; eight on two threads, in wall time,
// beside MuJoCo's batch API doing the physics only.
#include <mujoco/mjbatch.h>
#include <mujoco/mujoco.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench.h"
#include "envs/vec_env.h"

#define STEPS      200 // a timed call
#define N_VECTOR   8
#define N_THREADS  2
#define MAX_CTRL   64
#define MAX_ROUNDS 1000

struct env_bench {
    struct env *env;
    struct vec_env *vec;
    mjBatch *batch;
    mjModel *model;
    mjData *data;
    struct rng rng;
    double action[N_VECTOR * MAX_CTRL];
    int n_substeps;
    enum rl_status status;
    struct rl_error error;
};

static void draw_actions(struct env_bench *bench, int count) {
    for (int i = 0; i < count; i++) bench->action[i] = rng_range(&bench->rng, -1, 1);
}

static void run_env(void *context) {
    struct env_bench *bench = context;
    struct time_step step;
    for (int t = 0; t < STEPS && bench->status == RL_OK; t++) {
        draw_actions(bench, env_spec(bench->env)->action_dim);
        bench->status = env_step(bench->env, bench->action, &step, &bench->error);
        if (step.last && bench->status == RL_OK)
            bench->status = env_reset(bench->env, &step, &bench->error);
    }
}

static void run_mj_step(void *context) {
    struct env_bench *bench = context;
    for (int t = 0; t < STEPS; t++) {
        draw_actions(bench, (int)bench->model->nu);
        mju_copy(bench->data->ctrl, bench->action, (int)bench->model->nu);
        for (int i = 0; i < bench->n_substeps; i++) mj_step(bench->model, bench->data);
    }
}

static void run_vector(void *context) {
    struct env_bench *bench = context;
    struct time_step step[N_VECTOR];
    int count = N_VECTOR * env_spec(vec_env_at(bench->vec, 0))->action_dim;
    for (int t = 0; t < STEPS && bench->status == RL_OK; t++) {
        draw_actions(bench, count);
        bench->status = vec_env_step(bench->vec, bench->action, step, &bench->error);
    }
}

static void run_batch(void *context) {
    struct env_bench *bench = context;
    int size, rows = mjb_nstate(bench->batch);
    for (int t = 0; t < STEPS; t++) {
        mjtNum *ctrl = mjb_stateComponent(bench->batch, mjSTATE_CTRL, &size);
        for (int i = 0; i < N_VECTOR; i++) {
            for (int k = 0; k < size; k++) ctrl[i * rows + k] = rng_range(&bench->rng, -1, 1);
        }
        mjb_step(bench->batch, NULL, N_VECTOR, bench->n_substeps, mjSTAGE_NONE);
    }
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Median wall time of one call.
static double wall_seconds(double seconds, void (*run)(void *), void *context) {
    double samples[MAX_ROUNDS], end_s = clock_now_s() + seconds;
    int count = 0;
    run(context);
    while (count < MAX_ROUNDS && (count < 5 || clock_now_s() < end_s)) {
        double start_s = clock_now_s();
        run(context);
        samples[count++] = clock_now_s() - start_s;
    }
    qsort(samples, (size_t)count, sizeof *samples, compare_doubles);
    return samples[count / 2];
}

static void make_options(struct env_options *options) {
    opt_set_defaults(&env_opts, options);
    options->pixels = false;
    options->action_repeat = 1;
}

static enum rl_status bench_one(const struct bench_options *options, const char *task,
                                const char *name, struct env_bench *bench, struct rl_error *err) {
    struct env_options env_options;
    struct time_step first;
    make_options(&env_options);
    bench->env = env_create(task, &env_options, 1, err);
    if (!bench->env) return err->code;
    enum rl_status status = env_reset(bench->env, &first, err);
    if (status != RL_OK) return status;
    bench->model = env_model(bench->env);
    bench->data = mj_makeData(bench->model);
    if (!bench->data) return rl_fail(err, RL_ENOMEM, "%s: no memory for a second state", task);
    bench->n_substeps =
        (int)(env_spec(bench->env)->control_timestep_s / bench->model->opt.timestep + 0.5);
    double own_s = bench_cpu_seconds(options, run_env, bench) / STEPS;
    double raw_s = bench_cpu_seconds(options, run_mj_step, bench) / STEPS;
    if (bench->status != RL_OK) return rl_fail(err, bench->status, "%s", bench->error.message);
    bench_report(options, &(struct bench_row){.case_name = name,
                                              .value = 1 / own_s,
                                              .unit = "frames/s",
                                              .peer = "mj_step alone",
                                              .peer_value = 1 / raw_s});
    return RL_OK;
}

static enum rl_status bench_vector(const struct bench_options *options, const char *task,
                                   const char *name, struct env_bench *bench,
                                   struct rl_error *err) {
    struct env_options env_options;
    struct time_step first[N_VECTOR];
    char reason[256];
    int threads = options->threads > 1 ? (int)options->threads : N_THREADS;
    make_options(&env_options);
    struct pool *pool = pool_create(threads, err);
    if (!pool) return err->code;
    bench->vec = vec_env_create(task, &env_options, N_VECTOR, 1, pool, err);
    enum rl_status status = bench->vec ? vec_env_reset(bench->vec, first, err) : err->code;
    if (status == RL_OK) {
        struct env *env = vec_env_at(bench->vec, 0);
        const mjModel *model = env_model(env);
        bench->n_substeps = (int)(env_spec(env)->control_timestep_s / model->opt.timestep + 0.5);
        bench->batch =
            mjb_makeBatch(model, N_VECTOR, &(mjBatchConfig){threads, true}, reason, sizeof reason);
        double own_s = wall_seconds(options->seconds, run_vector, bench) / STEPS / N_VECTOR;
        double batch_s =
            bench->batch ? wall_seconds(options->seconds, run_batch, bench) / STEPS / N_VECTOR : 0;
        status = bench->status;
        if (status != RL_OK)
            rl_fail(err, status, "%s", bench->error.message);
        else
            bench_report(options, &(struct bench_row){.case_name = name,
                                                      .value = 1 / own_s,
                                                      .unit = "frames/s",
                                                      .peer = batch_s > 0 ? "mjb_step alone" : NULL,
                                                      .peer_value = batch_s > 0 ? 1 / batch_s : 0});
    }
    vec_env_destroy(bench->vec);
    pool_destroy(pool);
    return status;
}

static void release(struct env_bench *bench) {
    if (bench->batch) mjb_deleteBatch(bench->batch);
    mj_deleteData(bench->data);
    env_destroy(bench->env);
}

enum rl_status bench_env(const struct bench_options *options, struct rl_error *err) {
    static const char *const tasks[] = {"cheetah", "walker", "humanoid", "quadruped"};
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        for (int vector = 0; vector < 2; vector++) {
            char name[64];
            snprintf(name, sizeof name, vector ? "%s-vec8" : "%s-state", tasks[i]);
            if (!bench_wanted(options, name)) continue;
            struct env_bench bench = {.rng = rng_seed(1)};
            enum rl_status status = vector ? bench_vector(options, tasks[i], name, &bench, err)
                                           : bench_one(options, tasks[i], name, &bench, err);
            release(&bench);
            if (status != RL_OK) return status;
        }
    }
    return RL_OK;
}
