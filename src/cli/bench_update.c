// One gradient update of an agent at its published sizes: milliseconds and the part of the machine's
// arithmetic peak that its matrix products and convolutions alone account for. Peers: the fastest
// that was measured on this kind of machine (docs/results.md).
#include <string.h>

#include "agents/agent.h"
#include "base/config.h"
#include "base/mem.h"
#include "cli/bench.h"

#define BATCH      256
#define ACTION_DIM 6
#define SIZE       84
#define CHANNELS   9

struct update_case {
    const char *name, *agent;
    int feature_dim;            // 0: pixels, end to end
    const char *options[4][2];  // beside the defaults
};

static const struct update_case cases[] = {
    {"ddpg-state 17-256-256", "ddpg", 17, {{"clipped_double_q", "false"}}},
    {"td3-state 17-256-256", "td3", 17, {{0}}},
    {"sac-state 17-256-256", "sac", 17, {{0}}},
    {"ddpg-latent 50-256-256", "ddpg", 50, {{0}}},
    {"drqv2 84x84x9", "drqv2", 0, {{0}}},
};

struct update_bench {
    struct encoder *encoder;
    struct optimizer encoder_optimizer;
    struct agent *agent;
    struct batch batch;
    real *rows;
    uint8_t *pixels;
    struct pool *pool;
    enum rl_status status;
    struct rl_error err;
};

static void run_update(void *context) {
    struct update_bench *bench = context;
    struct metrics metrics;
    metrics_clear(&metrics);
    if (bench->status != RL_OK) return;
    bench->status = agent_update(bench->agent, &bench->batch, 0, &metrics, &bench->err);
    if (bench->status != RL_OK || !bench->encoder) return;
    bench->status =
        optimizer_step(&bench->encoder_optimizer, bench->pool, 1, NULL, &bench->err);
}

// Random rows, rewards and pixels; the values do not matter for the time.
static void make_batch(struct update_bench *bench, int feature_dim) {
    struct rng rng = rng_seed(1);
    size_t row = 2 * (size_t)feature_dim + ACTION_DIM + 2, count = BATCH * row;
    bench->rows = MEM_ARRAY(real, count);
    for (size_t i = 0; i < count; i++) bench->rows[i] = (real)rng_range(&rng, -1, 1);
    const real *next = bench->rows;
    bench->batch.n = BATCH;
    bench->batch.obs = next, next += BATCH * feature_dim;
    bench->batch.next_obs = next, next += BATCH * feature_dim;
    bench->batch.action = next, next += BATCH * ACTION_DIM;
    bench->batch.reward = next, next += BATCH;
    bench->batch.discount = next;
    if (!bench->encoder) return;
    size_t bytes = (size_t)BATCH * SIZE * SIZE * CHANNELS;
    bench->pixels = mem_alloc(2 * bytes);
    for (size_t i = 0; i < 2 * bytes; i++) bench->pixels[i] = (uint8_t)rng_next(&rng);
    bench->batch.pixels = bench->pixels;
    bench->batch.next_pixels = bench->pixels + bytes;
}

static enum rl_status prepare(struct update_bench *bench, const struct update_case *c,
                              struct rl_error *err) {
    struct agent_spec spec = {.feature_dim = c->feature_dim, .action_dim = ACTION_DIM, .seed = 1};
    if (c->feature_dim == 0) {
        struct encoder_spec pixels = {.in_dim = {SIZE, SIZE, CHANNELS}};
        struct rng rng = rng_seed(1);
        spec.encoder = bench->encoder = encoder_create("cnn", &pixels, NULL, &rng, err);
        if (!bench->encoder) return err->code;
        optimizer_init(&bench->encoder_optimizer, &bench->encoder->params, optimizer_adam(1e-4));
    }
    struct config config = {0};
    for (int i = 0; i < 4 && c->options[i][0]; i++) {
        config_add(&config, c->agent, c->options[i][0], c->options[i][1], "bench", false);
    }
    bench->agent = agent_create(c->agent, &spec, &config, bench->pool, err);
    config_release(&config);
    if (!bench->agent) return err->code;
    make_batch(bench, c->feature_dim);
    return RL_OK;
}

static void release(struct update_bench *bench) {
    agent_destroy(bench->agent);
    if (bench->encoder) optimizer_release(&bench->encoder_optimizer);
    encoder_destroy(bench->encoder);
    mem_free(bench->rows);
    mem_free(bench->pixels);
}

static enum rl_status run_case(const struct bench_options *options, const struct update_case *c,
                               struct pool *pool, struct rl_error *err) {
    struct update_bench bench = {.pool = pool};
    enum rl_status status = prepare(&bench, c, err);
    if (status == RL_OK) {
        double each_s = bench_cpu_seconds(options, run_update, &bench);
        status = bench.status;
        if (status != RL_OK) *err = bench.err;
        struct bench_row row = {c->name, each_s * 1e3, "ms", .lower_is_better = true};
        if (status == RL_OK) bench_report(options, &row);
    }
    release(&bench);
    return status;
}

enum rl_status bench_update(const struct bench_options *options, struct rl_error *err) {
    struct pool *pool = pool_create((int)options->threads, err);
    if (!pool) return err->code;
    enum rl_status status = RL_OK;
    for (size_t i = 0; status == RL_OK && i < sizeof cases / sizeof *cases; i++) {
        if (!bench_wanted(options, cases[i].name)) continue;
        status = run_case(options, &cases[i], pool, err);
    }
    pool_destroy(pool);
    return status;
}
