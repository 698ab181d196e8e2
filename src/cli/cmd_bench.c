// rlrun bench NAME|all [--json] [--seconds S] [--threads N] [--filter TEXT]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_line.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/command.h"
#include "math/peak.h"

#define MAX_REPETITIONS 1000
#define MIN_REPETITIONS 5

static const struct bench benches[] = {
#define BENCH(name, summary) {#name, summary, bench_##name},
#include "cli/bench.def"
#undef BENCH
};

int bench_count(void) {
    return (int)(sizeof benches / sizeof *benches);
}

const struct bench *bench_at(int index) {
    return &benches[index];
}

static double ratio_of(const struct bench_row *row) {
    return row->lower_is_better ? row->peer_value / row->value : row->value / row->peer_value;
}

static void report_json(const struct bench_options *options, const struct bench_row *row) {
    struct text line = {0};
    json_line_begin(&line);
    json_line_string(&line, "bench", options->bench);
    json_line_string(&line, "case", row->case_name);
    json_line_real(&line, "value", row->value);
    json_line_string(&line, "unit", row->unit);
    if (row->peer) {
        json_line_string(&line, "peer", row->peer);
        json_line_real(&line, "peer_value", row->peer_value);
        json_line_real(&line, "ratio", ratio_of(row));
    }
    if (row->peak_fraction > 0) json_line_real(&line, "peak_fraction", row->peak_fraction);
    if (row->best > 0) json_line_real(&line, "best", row->best);
    json_line_end(&line);
    fputs(line.data, stdout);
    text_release(&line);
}

void bench_report(const struct bench_options *options, const struct bench_row *row) {
    if (options->json) {
        report_json(options, row);
    } else {
        printf("%-8s %-40s %12.5g %-10s", options->bench, row->case_name, row->value, row->unit);
        if (row->peer) printf("  %s %.5g (x%.2f)", row->peer, row->peer_value, ratio_of(row));
        if (row->peak_fraction > 0) printf("  %.0f%% of peak", 100 * row->peak_fraction);
        printf("\n");
    }
    fflush(stdout);
}

bool bench_wanted(const struct bench_options *options, const char *case_name) {
    return strstr(case_name, options->filter) != NULL;
}

static double time_calls(double (*clock_s)(void), void (*run)(void *context), void *context,
                         int64_t calls) {
    double start_s = clock_s();
    for (int64_t i = 0; i < calls; i++) run(context);
    return clock_s() - start_s;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct bench_time time_by(double (*clock_s)(void), double seconds,
                                 void (*run)(void *context), void *context) {
    int64_t calls = 1;
    run(context); // touches memory and starts threads
    while (time_calls(clock_s, run, context, calls) < 1e-3) calls *= 2;
    double samples[MAX_REPETITIONS], end_s = clock_now_s() + seconds;
    int count = 0;
    while (count < MAX_REPETITIONS && (count < MIN_REPETITIONS || clock_now_s() < end_s)) {
        samples[count++] = time_calls(clock_s, run, context, calls) / (double)calls;
    }
    qsort(samples, (size_t)count, sizeof *samples, compare_doubles);
    return (struct bench_time){samples[count / 2], samples[0]};
}

double bench_cpu_seconds(const struct bench_options *options, void (*run)(void *context),
                         void *context) {
    return time_by(clock_thread_cpu_s, options->seconds, run, context).median_s;
}

struct bench_time bench_time(const struct bench_options *options, void (*run)(void *context),
                             void *context) {
    double (*clock_s)(void) = options->threads == 1 ? clock_thread_cpu_s : clock_now_s;
    return time_by(clock_s, options->seconds, run, context);
}

#define PEAK_BURNS 64 // of one task: long beside the waking of a thread

struct peak_run {
    struct pool *pool;
    int64_t operations; // of one thread
};

static void peak_task(void *context, int task) {
    struct peak_run *run = context;
    int64_t operations = 0;
    for (int i = 0; i < PEAK_BURNS; i++) operations += peak_burn();
    if (task == 0) run->operations = operations;
}

static void burn(void *context) {
    struct peak_run *run = context;
    pool_run(run->pool, pool_thread_count(run->pool), peak_task, run);
}

// The fastest repetition: nothing but other programs makes one slower.
double bench_peak_flops(struct pool *pool) {
    struct peak_run run = {.pool = pool};
    int n_threads = pool_thread_count(pool);
    double (*clock_s)(void) = n_threads == 1 ? clock_thread_cpu_s : clock_now_s;
    double best_s = time_by(clock_s, 0.1, burn, &run).best_s;
    return (double)(run.operations * n_threads) / best_s;
}

// --- the command ---

struct command_options {
    bool json;
    double seconds;
    int64_t threads;
    char filter[OPT_STRING_BYTES];
};
static const struct opt_spec specs[] = {
    OPT_ROW_BOOL(struct command_options, json, "false", "one JSON object a line"),
    OPT_ROW_REAL(struct command_options, seconds, "1", 0, 3600, "time for each case"),
    OPT_ROW_INT(struct command_options, threads, "1", 1, 256, "threads that a case may use"),
    OPT_ROW_STRING(struct command_options, filter, "", "only cases whose name holds this text"),
    OPT_END,
};
static const struct opt_table table = {"", specs};

static enum rl_status run_named(const char *word, const struct command_options *given,
                                struct rl_error *err) {
    struct bench_options options = {
        .json = given->json,
        .seconds = given->seconds,
        .threads = given->threads,
        .filter = given->filter,
    };
    const char *names[64];
    size_t n_names = 0;
    bool all = !strcmp(word, "all"), found = all;
    for (int i = 0; i < bench_count(); i++) {
        options.bench = benches[i].name;
        if (n_names < 64) names[n_names++] = benches[i].name;
        if (!all && !text_same_name(benches[i].name, word)) continue;
        found = true;
        enum rl_status status = benches[i].run(&options, err);
        if (status != RL_OK) return status;
    }
    if (found) return RL_OK;
    char suggestion[128];
    text_suggestion(suggestion, sizeof suggestion, word, names, n_names);
    return rl_fail(err, RL_EUSAGE, "unknown benchmark '%s'%s; see rlrun list benches", word,
                   suggestion);
}

static void print_help(void) {
    args_print_help("bench NAME|all [--json] [--seconds S] [--threads N] [--filter TEXT]", &table);
    printf("\nBenchmarks:\n");
    for (int i = 0; i < bench_count(); i++) {
        printf("  %-10s %s\n", benches[i].name, benches[i].summary);
    }
}

enum rl_status cmd_bench(int argc, char **argv, struct rl_error *err) {
    struct command_options options;
    struct args args;
    enum rl_status status = args_read(&args, argc, argv, &table, &options, 1, err);
    if (status == RL_OK && args.help) {
        print_help();
    } else if (status == RL_OK && args.n_words < 1) {
        status = rl_fail(err, RL_EUSAGE, "bench what? see rlrun list benches, or say 'all'");
    } else if (status == RL_OK) {
        status = run_named(args.words[0], &options, err);
    }
    args_release(&args);
    return status;
}
