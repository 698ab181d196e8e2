// One step of an SSL method: batch 128 of 84x84x9 with random shifts, DrQ-v2's convolutions,
// latents of 50. Images a second, and the part of the arithmetic peak that the convolutions alone
// account for. Peers: PyTorch with lightly's losses, the fastest of its variants on two threads
// (bench/ssl_torch.py measures both in one run).
#include "base/config.h"
#include "base/mem.h"
#include "cli/bench.h"
#include "math/conv.h"
#include "ssl/ssl.h"

#define BATCH    128
#define SIZE     84
#define CHANNELS 9
#define IMAGES   512

struct ssl_case {
    const char *method;
    int online, target;  // views that are encoded with and without a gradient
    double torch_rate_2; // images/s on two threads
};
static const struct ssl_case cases[] = {
    {"byol", 2, 2, 158}, {"moco", 1, 1, 278}, {"simclr", 2, 0, 202}, {"dino", 2, 2, 146}};

struct ssl_bench {
    struct encoder *encoder;
    struct ssl *ssl;
    struct ssl_source source;
    enum rl_status status;
    struct rl_error err;
};

static void step(void *context) {
    struct ssl_bench *bench = context;
    struct metrics metrics;
    metrics_clear(&metrics);
    if (bench->status == RL_OK)
        bench->status = ssl_update(bench->ssl, &bench->source, &metrics, &bench->err);
}

// Operations of the convolutions: the gradient with respect to the pixels is not worked out.
static double step_flops(const struct ssl_case *c) {
    static const struct conv_shape shapes[] = {{BATCH, SIZE, SIZE, CHANNELS, 32, 3, 2, 0},
                                               {BATCH, 41, 41, 32, 32, 3, 1, 0},
                                               {BATCH, 39, 39, 32, 32, 3, 1, 0},
                                               {BATCH, 37, 37, 32, 32, 3, 1, 0}};
    double forward = 0;
    for (int i = 0; i < 4; i++) forward += conv_flops(&shapes[i]);
    return (3 * c->online + c->target) * forward - c->online * conv_flops(&shapes[0]);
}

static enum rl_status prepare(struct ssl_bench *bench, const struct ssl_case *c, struct pool *pool,
                              struct config *config, struct rl_error *err) {
    struct encoder_spec spec = {.in_dim = {SIZE, SIZE, CHANNELS}, .latent_dim = 50};
    struct ssl_spec own = {.index_count = IMAGES, .seed = 1};
    struct rng rng = rng_seed(1);
    config_add(config, "cnn", "arch", "drqv2", "bench", false);
    bench->encoder = encoder_create("cnn", &spec, config, &rng, err);
    if (!bench->encoder) return err->code;
    bench->ssl = ssl_create(c->method, &own, bench->encoder, config, pool, err);
    return bench->ssl ? RL_OK : err->code;
}

static enum rl_status run_case(const struct bench_options *options, const struct ssl_case *c,
                               const uint8_t *images, struct pool *pool, struct rl_error *err) {
    struct ssl_bench bench = {.source = {.images = images, .count = IMAGES}};
    struct config config = {0};
    enum rl_status status = prepare(&bench, c, pool, &config, err);
    if (status == RL_OK) {
        double each_s = bench_time(options, step, &bench).median_s;
        struct bench_row row = {c->method, BATCH / each_s, "images/s",
                                .peak_fraction = step_flops(c) / each_s / bench_peak_flops(pool)};
        if (options->threads == 2) {
            row.peer = "torch, lightly";
            row.peer_value = c->torch_rate_2;
        }
        status = bench.status;
        if (status == RL_OK) bench_report(options, &row);
        if (status != RL_OK) *err = bench.err;
    }
    ssl_destroy(bench.ssl);
    encoder_destroy(bench.encoder);
    config_release(&config);
    return status;
}

enum rl_status bench_ssl(const struct bench_options *options, struct rl_error *err) {
    struct pool *pool = pool_create((int)options->threads, err);
    if (!pool) return err->code;
    size_t bytes = (size_t)IMAGES * SIZE * SIZE * CHANNELS;
    uint8_t *images = mem_alloc(bytes);
    struct rng rng = rng_seed(1);
    for (size_t i = 0; i < bytes; i++) images[i] = (uint8_t)rng_next(&rng);
    enum rl_status status = RL_OK;
    for (size_t i = 0; status == RL_OK && i < sizeof cases / sizeof *cases; i++)
        if (bench_wanted(options, cases[i].method))
            status = run_case(options, &cases[i], images, pool, err);
    mem_free(images);
    pool_destroy(pool);
    return status;
}
