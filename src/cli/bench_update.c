// One gradient update of an agent at its published sizes: milliseconds and the part of the
// machine's arithmetic peak that its matrix products and convolutions alone account for. Pixels
// are shifted as part of it; sampling from the replay is not.
// bench/update_torch.py runs it beside its peers.
#include <string.h>

#include "agents/agent.h"
#include "base/config.h"
#include "base/mem.h"
#include "cli/bench.h"
#include "math/conv.h"
#include "math/gemm.h"
#include "math/image.h"

#define BATCH         256
#define ACTION_DIM    6
#define SIZE          84
#define CHANNELS      9
#define PICTURE_BYTES (SIZE * SIZE * CHANNELS)
#define TRUNK         50

struct update_case {
    const char *name, *agent;
    int feature_dim;  // 0: pixels, end to end
    int hidden, n_q;  // what its options say, for counting operations
    int n_actor_q;    // Qs that the actor climbs
    int policy_delay; // updates for each actor step, on average
    struct {
        const char *name, *value;
    } options[2]; // beside the defaults
    enum gemm_precision precision;
};

static const struct update_case cases[] = {
    {"ddpg-state",
     "ddpg",
     17,
     256,
     1,
     1,
     1,
     {{"clipped_double_q", "false"}, {"critic_layer_norm", "false"}}},
    {"td3-state", "td3", 17, 256, 2, 1, 2, {{NULL}}},
    {"sac-state", "sac", 17, 256, 2, 2, 1, {{NULL}}},
    {"ddpg-latent", "ddpg", 64, 256, 2, 1, 1, {{NULL}}},
    {"ddpg-latent-bf16", "ddpg", 64, 256, 2, 1, 1, {{NULL}}, GEMM_BFLOAT16},
    {"drqv2", "drqv2", 0, 1024, 2, 2, 1, {{NULL}}},
};

static double linear_flops(double in, double out) {
    return 2 * BATCH * in * out;
}

// Operations of an update's products, on average over policy_delay. Convolutions count as plain
// sums. The first layers' gradients with respect to given features are not worked out.
static double update_flops(const struct update_case *c) {
    bool pixels = c->feature_dim == 0, sac = !strcmp(c->agent, "sac");
    double h = c->hidden, features = pixels ? TRUNK : c->feature_dim;
    double actor_first = linear_flops(features, h),
           q_first = linear_flops(features + ACTION_DIM, h);
    double actor = actor_first + linear_flops(h, h) + linear_flops(h, ACTION_DIM * (sac ? 2 : 1));
    double q = q_first + linear_flops(h, h) + linear_flops(h, 1);
    double target = actor + c->n_q * q;
    double critic = c->n_q * (3 * q - (pixels ? 0 : q_first));
    double policy = 3 * actor - (pixels ? 0 : actor_first) + c->n_actor_q * 2 * q;
    if (sac) policy += actor; // the temperature's sample
    double flops = target + critic + policy / c->policy_delay;
    if (!pixels) return flops;
    // Trunks: two for the target, forward and both gradients for the critic, forward of both and
    // one gradient for the actor. Convolutions: two passes forward, one back.
    static const struct conv_shape shapes[] = {
        {BATCH, SIZE, SIZE, CHANNELS, 32, 3, 2, 0},
        {BATCH, 41, 41, 32, 32, 3, 1, 0},
        {BATCH, 39, 39, 32, 32, 3, 1, 0},
        {BATCH, 37, 37, 32, 32, 3, 1, 0},
    };
    flops += 8 * linear_flops(35 * 35 * 32, TRUNK) - conv_flops(&shapes[0]);
    for (int i = 0; i < 4; i++) flops += 4 * conv_flops(&shapes[i]);
    return flops;
}

struct update_bench {
    struct encoder *encoder;
    struct optimizer encoder_optimizer;
    struct agent *agent;
    struct batch batch;
    real *rows;
    uint8_t *stored, *pixels; // pictures of both observations, before and after their random shift
    struct rng rng;
    struct pool *pool;
    enum rl_status status;
    struct rl_error err;
};

static void update_once(struct update_bench *bench) {
    struct metrics metrics;
    metrics_clear(&metrics);
    if (bench->status != RL_OK) return;
    for (int i = 0; bench->encoder && i < 2 * BATCH; i++) {
        size_t at = (size_t)i * PICTURE_BYTES;
        image_random_shift(bench->stored + at, SIZE, SIZE, CHANNELS, 4, &bench->rng,
                           bench->pixels + at);
    }
    bench->status = agent_update(bench->agent, &bench->batch, 0, &metrics, &bench->err);
    if (bench->status != RL_OK || !bench->encoder) return;
    bench->status = optimizer_step(&bench->encoder_optimizer, bench->pool, 1, NULL, &bench->err);
}

// Two, because td3 and sac do more in every second one.
static void update_twice(void *context) {
    update_once(context);
    update_once(context);
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
    size_t bytes = (size_t)BATCH * PICTURE_BYTES;
    bench->stored = mem_alloc(2 * bytes);
    bench->pixels = mem_alloc(2 * bytes);
    for (size_t i = 0; i < 2 * bytes; i++) bench->stored[i] = (uint8_t)rng_next(&rng);
    bench->rng = rng;
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
    for (int i = 0; i < 2 && c->options[i].name; i++) {
        config_add(&config, c->agent, c->options[i].name, c->options[i].value, "bench", false);
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
    mem_free(bench->stored);
    mem_free(bench->pixels);
}

static enum rl_status run_case(const struct bench_options *options, const struct update_case *c,
                               struct pool *pool, struct rl_error *err) {
    struct update_bench bench = {.pool = pool};
    enum rl_status status = prepare(&bench, c, err);
    if (status == RL_OK) {
        struct bench_time time = bench_time(options, update_twice, &bench);
        status = bench.status;
        if (status != RL_OK) *err = bench.err;
        double each_s = time.median_s / 2;
        struct bench_row row = {
            c->name,
            each_s * 1e3,
            "ms",
            .peak_fraction = update_flops(c) / each_s / bench_peak_flops(pool),
            .best = time.best_s / 2 * 1e3,
        };
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
        struct rl_error refused;
        if (gemm_set_precision(cases[i].precision, &refused) != RL_OK) continue; // not this CPU's
        status = run_case(options, &cases[i], pool, err);
    }
    gemm_set_precision(GEMM_FLOAT32, err);
    pool_destroy(pool);
    return status;
}
