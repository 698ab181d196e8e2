// rlrun stats SCORES.csv [OTHER.csv] [--profile N] [--json]: rliable's statistics of a table of
// scores, whoever made it. First line: the tasks' names; then a line a run, a score a task, empty
// or "nan" where a run failed.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_line.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "train/statistics.h"

#define FILE_LIMIT_BYTES (64 << 20)
#define PROFILE_MAX      1000

struct stats_options {
    double confidence, gap_target;
    int64_t resamples, seed, profile;
    bool json;
};
static const struct opt_spec specs[] = {
    OPT_ROW_REAL(struct stats_options, confidence, "0.95", 0.01, 0.9999, "of the intervals"),
    OPT_ROW_REAL(struct stats_options, gap_target, "1", -1e9, 1e9,
                 "score from which there is no optimality gap"),
    OPT_ROW_INT(struct stats_options, resamples, "50000", 100, 10000000, "of the bootstrap"),
    OPT_ROW_INT(struct stats_options, seed, "0", 0, 9e15, "of the bootstrap"),
    OPT_ROW_INT(struct stats_options, profile, "0", 0, PROFILE_MAX,
                "performance profile at this many thresholds from 0 to gap_target"),
    OPT_ROW_BOOL(struct stats_options, json, "false", "one JSON object a line"),
    OPT_END,
};
static const struct opt_table table = {"", specs};

struct score_file {
    double *value; // (runs, tasks), owned
    int runs, tasks;
    size_t capacity;
};

static int count_fields(const char *line) {
    int fields = 1;
    for (; *line; line++) fields += *line == ',';
    return fields;
}

static enum rl_status add_row(struct score_file *file, char *line, const char *path, int number,
                              struct rl_error *err) {
    if (count_fields(line) != file->tasks)
        return rl_fail(err, RL_EFORMAT, "%s:%d: %d scores where the first line names %d tasks",
                       path, number, count_fields(line), file->tasks);
    size_t used = (size_t)file->runs * (size_t)file->tasks, needed = used + (size_t)file->tasks;
    if (needed > file->capacity) {
        file->value =
            mem_grow(file->value, file->capacity * sizeof(double), 2 * needed * sizeof(double));
        file->capacity = 2 * needed;
    }
    for (int task = 0; task < file->tasks; task++) {
        char *comma = strchr(line, ','), *end;
        if (comma) *comma = '\0';
        double value = strtod(line, &end);
        end += strspn(end, " \t");
        if (*end || isinf(value))
            return rl_fail(err, RL_EFORMAT, "%s:%d: '%.40s' is not a score", path, number, line);
        file->value[used + (size_t)task] = end == line ? NAN : value;
        line = comma + 1;
    }
    file->runs++;
    return RL_OK;
}

static enum rl_status read_scores(struct score_file *file, const char *path, struct rl_error *err) {
    struct bytes bytes = {0};
    enum rl_status status = file_read(path, FILE_LIMIT_BYTES, &bytes, err);
    if (status != RL_OK) return status;
    int number = 0;
    char *rest = (char *)bytes.data;
    for (char *line; status == RL_OK && (line = strsep(&rest, "\n"));) {
        line[strcspn(line, "\r")] = '\0';
        if (++number == 1) {
            file->tasks = count_fields(line);
        } else if (*line || (file->tasks == 1 && rest && *rest)) {
            status = add_row(file, line, path, number, err);
        }
    }
    mem_free(bytes.data);
    if (status == RL_OK && !file->runs)
        status = rl_fail(err, RL_EFORMAT,
                         "%s: a line of task names and lines of scores are expected", path);
    return status;
}

static void print_estimate(const struct stats_options *options, const char *name, double tau,
                           struct estimate estimate) {
    if (!options->json) {
        char label[64];
        snprintf(label, sizeof label, isnan(tau) ? "%s" : "%s above %.4g", name, tau);
        printf("%-26s %12.6g  [%.6g, %.6g]\n", label, estimate.value, estimate.low, estimate.high);
        return;
    }
    struct text line = {0};
    json_line_begin(&line);
    json_line_string(&line, "statistic", name);
    if (!isnan(tau)) json_line_real(&line, "tau", tau);
    json_line_real(&line, "value", estimate.value);
    json_line_real(&line, "low", estimate.low);
    json_line_real(&line, "high", estimate.high);
    json_line_end(&line);
    fputs(line.data, stdout);
    text_release(&line);
}

static void print_profile(const struct scores *scores, const struct stats_options *options,
                          const struct bootstrap *bootstrap) {
    static struct estimate profile[PROFILE_MAX];
    double tau[PROFILE_MAX] = {0};
    int count = (int)options->profile;
    for (int i = 0; i < count; i++)
        tau[i] = count > 1 ? options->gap_target * i / (count - 1) : options->gap_target;
    statistics_profile(scores, tau, count, bootstrap, profile);
    for (int i = 0; i < count; i++) print_estimate(options, "profile", tau[i], profile[i]);
}

static enum rl_status stats(const struct args *args, const struct stats_options *options,
                            struct rl_error *err) {
    struct score_file file[2] = {0};
    enum rl_status status = RL_OK;
    for (int i = 0; i < args->n_words && status == RL_OK; i++)
        status = read_scores(&file[i], args->words[i], err);
    struct bootstrap bootstrap = {options->confidence, options->gap_target, options->resamples,
                                  (uint64_t)options->seed};
    struct scores scores[2];
    for (int i = 0; i < 2; i++)
        scores[i] = (struct scores){file[i].value, file[i].runs, file[i].tasks};
    if (status == RL_OK && args->n_words == 2 && scores[0].tasks != scores[1].tasks)
        status = rl_fail(err, RL_EUSAGE, "%s has %d tasks and %s %d: the same are expected",
                         args->words[0], scores[0].tasks, args->words[1], scores[1].tasks);
    for (int s = 0; s < STATISTIC_COUNT && status == RL_OK; s++)
        print_estimate(options, statistic_names[s], NAN,
                       statistics_estimate(s, &scores[0], &bootstrap));
    if (status == RL_OK && options->profile) print_profile(&scores[0], options, &bootstrap);
    if (status == RL_OK && args->n_words == 2)
        print_estimate(options, "improvement", NAN,
                       statistics_improvement(&scores[0], &scores[1], &bootstrap));
    for (int i = 0; i < 2; i++) mem_free(file[i].value);
    return status;
}

enum rl_status cmd_stats(int argc, char **argv, struct rl_error *err) {
    struct stats_options options;
    struct args args;
    enum rl_status status = args_read(&args, argc, argv, &table, &options, 2, err);
    if (status == RL_OK && args.help) {
        args_print_help("stats SCORES.csv [OTHER.csv] [--profile N] [--json]", &table);
    } else if (status == RL_OK && args.n_words < 1) {
        status =
            rl_fail(err, RL_EUSAGE, "stats of what? usage: rlrun stats SCORES.csv [OTHER.csv]");
    } else if (status == RL_OK) {
        status = stats(&args, &options, err);
    }
    args_release(&args);
    return status;
}
