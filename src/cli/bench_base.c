// The base layer: random numbers and metric rows must cost nothing beside an update.
#include "base/json_line.h"
#include "base/rng.h"
#include "cli/bench.h"

#define DRAWS 1000

struct base_bench {
    struct rng rng;
    double sum;
    struct text line;
};

static void draw_normals(void *context) {
    struct base_bench *bench = context;
    for (int i = 0; i < DRAWS; i++) bench->sum += rng_normal(&bench->rng);
}

static void write_row(void *context) {
    struct base_bench *bench = context;
    bench->line.length = 0;
    json_line_begin(&bench->line);
    for (int i = 0; i < 32; i++) json_line_real(&bench->line, "critic_loss", 0.1 * i + bench->sum);
    json_line_end(&bench->line);
}

enum rl_status bench_base(const struct bench_options *options, struct rl_error *err) {
    (void)err;
    struct base_bench bench = {.rng = rng_seed(1)};
    if (bench_wanted(options, "normal draw")) {
        double each_s = bench_cpu_seconds(options, draw_normals, &bench) / DRAWS;
        bench_report(options, &(struct bench_row){"normal draw", each_s * 1e9, "ns"});
    }
    if (bench_wanted(options, "metrics row of 32")) {
        double each_s = bench_cpu_seconds(options, write_row, &bench);
        bench_report(options, &(struct bench_row){"metrics row of 32", each_s * 1e6, "us"});
    }
    text_release(&bench.line);
    return RL_OK;
}
