// The kernels that updates consist of, as GFLOP/s and as a fraction of the arithmetic peak measured
// in the same run. Convolutions count the multiplies of the plain algorithm, so Winograd may pass
// 100%.
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/bench.h"
#include "math/conv.h"
#include "math/gemm.h"
#include "math/image.h"
#include "math/optim.h"

enum { BATCH = 256, WEIGHTS = 4 << 20 };

struct conv_case {
    const char *name;
    struct conv_shape shape;
    bool pixels; // u8 input, no gradient to it
};

// The encoders of DrQ-v2 (strides 2, 1, 1, 1) and of rlrun's default (2, 2, 2, 1), IMPALA's first
// stage.
static const struct conv_case conv_cases[] = {
    {"drqv2-1", {BATCH, 84, 84, 9, 32, 3, 2, 0}, true},
    {"drqv2-2", {BATCH, 41, 41, 32, 32, 3, 1, 0}, false},
    {"drqv2-3", {BATCH, 39, 39, 32, 32, 3, 1, 0}, false},
    {"drqv2-4", {BATCH, 37, 37, 32, 32, 3, 1, 0}, false},
    {"strided-2", {BATCH, 41, 41, 32, 32, 3, 2, 0}, false},
    {"strided-3", {BATCH, 20, 20, 32, 32, 3, 2, 0}, false},
    {"strided-4", {BATCH, 9, 9, 32, 32, 3, 1, 0}, false},
    {"impala-1", {64, 42, 42, 16, 16, 3, 1, 1}, false},
    {"act-2", {1, 41, 41, 32, 32, 3, 1, 0}, false},
};

struct gemm_case {
    bool trans_a, trans_b;
    int m, n, k;
};

// y = x w', gx = gy w, gw = gy' x of the layers that agents have.
static const struct gemm_case gemm_cases[] = {
    {false, true, 256, 256, 256},   {false, false, 256, 256, 256}, {true, false, 256, 256, 256},
    {false, true, 256, 256, 23},    {true, false, 256, 23, 256},   {false, true, 256, 1024, 1024},
    {true, false, 1024, 1024, 256}, {false, true, 256, 50, 39200}, {false, false, 256, 39200, 50},
    {true, false, 50, 39200, 256},
};

struct kernels_bench {
    struct pool *pool;
    double peak;
    const struct conv_case *conv;
    const struct gemm_case *gemm;
    real *a, *b, *c, *gradient_a, *gradient_b, *bias;
    uint8_t *pixels, *moved;
    void *workspace;
    struct rng rng;
};

static void fill(struct rng *rng, real *out, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = (real)rng_range(rng, -1, 1);
}

static void report(const struct bench_options *options, const struct kernels_bench *bench,
                   const char *name, double flops, double seconds) {
    double rate = flops / seconds;
    bench_report(options, &(struct bench_row){.case_name = name,
                                              .value = rate * 1e-9,
                                              .unit = "GFLOP/s",
                                              .peak_fraction = rate / bench->peak});
}

static void conv_forward_once(void *context) {
    struct kernels_bench *b = context;
    const struct conv_shape *s = &b->conv->shape;
    if (b->conv->pixels) {
        conv_forward_u8(b->pool, s, b->pixels, 1 / 255.0f, -0.5f, b->b, b->bias, true, b->c,
                        b->workspace);
    } else {
        conv_forward(b->pool, s, b->a, b->b, b->bias, true, b->c, b->workspace);
    }
}

static void conv_backward_once(void *context) {
    struct kernels_bench *b = context;
    const struct conv_shape *s = &b->conv->shape;
    if (b->conv->pixels) {
        conv_backward_u8(b->pool, s, b->pixels, 1 / 255.0f, -0.5f, b->c, b->c, b->gradient_b,
                         b->bias, b->workspace);
    } else {
        conv_backward(b->pool, s, b->a, b->c, b->c, b->b, b->gradient_a, b->gradient_b, b->bias,
                      b->workspace);
    }
}

static void bench_conv(const struct bench_options *options, struct kernels_bench *bench,
                       const struct conv_case *c) {
    char forward[64], backward[64];
    snprintf(forward, sizeof forward, "conv-%s-forward", c->name);
    snprintf(backward, sizeof backward, "conv-%s-backward", c->name);
    if (!bench_wanted(options, forward) && !bench_wanted(options, backward)) return;
    const struct conv_shape *s = &c->shape;
    size_t n_in = (size_t)s->batch * s->in_h * s->in_w * s->in_c;
    size_t n_out = (size_t)s->batch * conv_out_h(s) * conv_out_w(s) * s->out_c;
    size_t n_weights = (size_t)s->kernel * s->kernel * s->in_c * s->out_c;
    bench->conv = c;
    bench->a = MEM_ARRAY(real, n_in);
    bench->gradient_a = MEM_ARRAY(real, n_in);
    bench->b = MEM_ARRAY(real, n_weights);
    bench->gradient_b = MEM_ARRAY(real, n_weights);
    bench->c = MEM_ARRAY(real, n_out);
    bench->bias = MEM_ARRAY(real, s->out_c);
    bench->pixels = MEM_ARRAY(uint8_t, n_in);
    bench->workspace = mem_alloc(conv_workspace_bytes(s));
    fill(&bench->rng, bench->a, n_in);
    fill(&bench->rng, bench->b, n_weights);
    for (size_t i = 0; i < n_in; i++) bench->pixels[i] = (uint8_t)rng_below(&bench->rng, 256);
    double flops = conv_flops(s);
    double forward_s = bench_time(options, conv_forward_once, bench).median_s;
    if (bench_wanted(options, forward)) report(options, bench, forward, flops, forward_s);
    if (bench_wanted(options, backward)) { // reads what the forward pass left in c
        double seconds = bench_time(options, conv_backward_once, bench).median_s;
        report(options, bench, backward, (c->pixels ? 1 : 2) * flops, seconds);
    }
    mem_free(bench->a), mem_free(bench->gradient_a), mem_free(bench->b);
    mem_free(bench->gradient_b), mem_free(bench->c), mem_free(bench->bias);
    mem_free(bench->pixels), mem_free(bench->workspace);
}

static void gemm_once(void *context) {
    struct kernels_bench *b = context;
    const struct gemm_case *g = b->gemm;
    gemm_net(b->pool, g->trans_a, g->trans_b, g->m, g->n, g->k, 1, b->a, g->trans_a ? g->m : g->k,
             b->b, g->trans_b ? g->k : g->n, 0, b->c, g->n);
}

static void bench_gemm(const struct bench_options *options, struct kernels_bench *bench,
                       const struct gemm_case *g, enum gemm_precision precision) {
    char name[64];
    snprintf(name, sizeof name, "gemm%s-%dx%dx%d-%s%s", precision == GEMM_BFLOAT16 ? "-bf16" : "",
             g->m, g->n, g->k, g->trans_a ? "t" : "n", g->trans_b ? "t" : "n");
    struct rl_error err;
    if (!bench_wanted(options, name) || gemm_set_precision(precision, &err) != RL_OK) return;
    size_t n_a = (size_t)g->m * g->k, n_b = (size_t)g->n * g->k;
    bench->gemm = g;
    bench->a = MEM_ARRAY(real, n_a);
    bench->b = MEM_ARRAY(real, n_b);
    bench->c = MEM_ARRAY(real, (size_t)g->m * g->n);
    fill(&bench->rng, bench->a, n_a);
    fill(&bench->rng, bench->b, n_b);
    double seconds = bench_time(options, gemm_once, bench).median_s;
    gemm_set_precision(GEMM_FLOAT32, &err);
    report(options, bench, name, 2.0 * g->m * g->n * g->k, seconds);
    mem_free(bench->a), mem_free(bench->b), mem_free(bench->c);
}

static void adam_once(void *context) {
    struct kernels_bench *b = context;
    struct adam_hyper hyper = {.lr = 1e-4, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    struct optim_block block = {WEIGHTS, b->a, b->b, b->c, b->gradient_a, 1};
    optim_adam(b->pool, &hyper, 100, &block);
}

static void ema_once(void *context) {
    struct kernels_bench *b = context;
    optim_ema(b->pool, 0.99, WEIGHTS, b->a, b->b);
}

// Bytes that must move, each counted once in and once out.
static void bench_optim(const struct bench_options *options, struct kernels_bench *bench) {
    real **blocks[] = {&bench->a, &bench->b, &bench->c, &bench->gradient_a};
    for (int i = 0; i < 4; i++) {
        *blocks[i] = MEM_ARRAY(real, WEIGHTS);
        fill(&bench->rng, *blocks[i], WEIGHTS);
    }
    for (size_t i = 0; i < WEIGHTS; i++) bench->gradient_a[i] = (real)fabs(bench->gradient_a[i]);
    struct {
        const char *name;
        void (*run)(void *context);
        int arrays;
    } cases[] = {{"adam-4Mi", adam_once, 8}, {"ema-4Mi", ema_once, 3}};
    for (int i = 0; i < 2; i++) {
        if (!bench_wanted(options, cases[i].name)) continue;
        double seconds = bench_time(options, cases[i].run, bench).median_s;
        bench_report(options, &(struct bench_row){.case_name = cases[i].name,
                                                  .value = cases[i].arrays * sizeof(real) *
                                                           WEIGHTS / seconds * 1e-9,
                                                  .unit = "GB/s"});
    }
    for (int i = 0; i < 4; i++) mem_free(*blocks[i]);
}

enum { SIDE = 84, CHANNELS = 9 };

static const struct image_size picture = {SIDE, SIDE, CHANNELS};

static void shift_once(void *context) {
    struct kernels_bench *b = context;
    image_random_shift(b->pixels, SIDE, SIDE, CHANNELS, 4, &b->rng, b->moved);
}

static void resize_once(void *context) {
    struct kernels_bench *b = context;
    struct image_box box = {10.3f, 7.8f, 60.5f, 66.1f, true};
    image_resize(picture, b->pixels, &box, picture, b->moved);
}

static void jitter_once(void *context) {
    struct kernels_bench *b = context;
    image_colour_jitter(picture, &(struct image_jitter){0.9f, 1.2f, 0.8f}, b->moved);
}

static void grayscale_once(void *context) {
    image_grayscale(picture, ((struct kernels_bench *)context)->moved);
}

static void solarise_once(void *context) {
    image_solarise(image_bytes(picture), 128, ((struct kernels_bench *)context)->moved);
}

static void blur_once(void *context) {
    struct kernels_bench *b = context;
    image_blur(picture, 0.6f, b->pixels, b->moved);
}

static void bench_images(const struct bench_options *options, struct kernels_bench *bench) {
    static const struct {
        const char *name;
        void (*run)(void *context);
    } cases[] = {{"shift-84x84x9", shift_once},       {"resize-84x84x9", resize_once},
                 {"jitter-84x84x9", jitter_once},     {"grayscale-84x84x9", grayscale_once},
                 {"solarise-84x84x9", solarise_once}, {"blur-84x84x9", blur_once}};
    bench->pixels = MEM_ARRAY(uint8_t, image_bytes(picture));
    bench->moved = MEM_ARRAY(uint8_t, image_bytes(picture));
    for (size_t i = 0; i < image_bytes(picture); i++) {
        bench->pixels[i] = bench->moved[i] = (uint8_t)rng_below(&bench->rng, 256);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!bench_wanted(options, cases[i].name)) continue;
        double seconds = bench_time(options, cases[i].run, bench).median_s;
        bench_report(options, &(struct bench_row){cases[i].name, 1 / seconds, "images/s"});
    }
    mem_free(bench->pixels), mem_free(bench->moved);
}

enum rl_status bench_kernels(const struct bench_options *options, struct rl_error *err) {
    struct kernels_bench bench = {.rng = rng_seed(1)};
    bench.pool = pool_create((int)options->threads, err);
    if (!bench.pool) return err->code;
    bench.peak = bench_peak_flops(bench.pool);
    char peak[32];
    snprintf(peak, sizeof peak, "peak-%d", (int)options->threads);
    if (bench_wanted(options, peak)) report(options, &bench, peak, bench.peak, 1);
    for (size_t i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++) {
        bench_conv(options, &bench, &conv_cases[i]);
    }
    for (size_t i = 0; i < sizeof gemm_cases / sizeof *gemm_cases; i++) {
        bench_gemm(options, &bench, &gemm_cases[i], GEMM_FLOAT32);
        bench_gemm(options, &bench, &gemm_cases[i], GEMM_BFLOAT16); // where the CPU has it
    }
    bench_optim(options, &bench);
    bench_images(options, &bench);
    pool_destroy(bench.pool);
    return RL_OK;
}
