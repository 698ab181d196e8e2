// rlrun top [RUN...]: the runs under runs/ in a table, or some runs with sparklines; refreshed on a
// terminal, plain lines elsewhere.
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "base/json_line.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/run_screen.h"
#include "train/logger.h"
#include "train/metrics_file.h"
#include "train/progress.h"
#include "train/run_dir.h"

struct top_options {
    bool once, json;
    double every;
};
static const struct opt_spec specs[] = {
    OPT_ROW_BOOL(struct top_options, once, "false", "show once; the default without a terminal"),
    OPT_ROW_REAL(struct top_options, every, "2", 0.1, 3600, "seconds between looks"),
    OPT_ROW_BOOL(struct top_options, json, "false", "one JSON object a run, once"),
    OPT_END,
};
static const struct opt_table table = {"", specs};

struct run_facts {
    char name[256];
    const char *state;
    int64_t frames, steps, total_steps;
    double wall_s, episode_return, eval_return, best_return; // NaN: none yet
};

static void note_row(void *context, const struct metrics_row *row) {
    struct run_facts *facts = context;
    facts->frames = row->frames;
    facts->steps = row->steps;
    facts->wall_s = row->wall_s;
    double episode = metrics_get(&row->values, "episode_return");
    double mean = metrics_get(&row->values, "return_mean");
    if (!strcmp(row->kind, "train") && !isnan(episode)) facts->episode_return = episode;
    if (strcmp(row->kind, "eval") || isnan(mean)) return;
    facts->eval_return = mean;
    facts->best_return = fmax(facts->best_return, mean); // the other one when one is NaN
}

static int64_t total_steps(const struct run_dir *run) {
    char path[RUN_DIR_PATH_BYTES + 64];
    struct config config = {0};
    run_dir_file(run, path, RUN_DIR_CONFIG);
    int64_t steps = 0;
    if (config_add_yaml_file(&config, path, NULL) == RL_OK) {
        const char *text = config_get(&config, "", "steps");
        if (text) steps = (int64_t)strtod(text, NULL);
    }
    config_release(&config);
    return steps;
}

// False: not a run, or one that cannot be read.
static bool read_facts(const char *name, struct run_facts *facts) {
    struct run_dir run;
    char path[RUN_DIR_PATH_BYTES + 64];
    *facts = (struct run_facts){.episode_return = NAN, .eval_return = NAN, .best_return = NAN};
    int length = snprintf(facts->name, sizeof facts->name, "%s", name);
    snprintf(path, sizeof path, "runs/%s", name);
    if (length >= (int)sizeof facts->name || run_dir_find(&run, path, NULL) != RL_OK) return false;
    facts->total_steps = total_steps(&run);
    run_dir_file(&run, path, RUN_DIR_FINAL);
    facts->state = run_dir_is_busy(&run) ? "runs" : file_exists(path) ? "ended" : "stopped";
    run_dir_file(&run, path, LOGGER_METRICS_FILE);
    enum rl_status status = metrics_file_read(path, note_row, facts, NULL);
    return status == RL_OK || status == RL_ENOTFOUND;
}

static void add_number(struct text *out, double value) {
    if (isnan(value)) {
        text_add(out, " %9s", "-");
    } else {
        text_add(out, " %9.1f", value);
    }
}

static void add_row(struct text *out, const struct run_facts *facts) {
    char time[32];
    progress_format_time(time, sizeof time, facts->wall_s);
    double percent =
        facts->total_steps ? 100 * (double)facts->steps / (double)facts->total_steps : 0;
    text_add(out, "%-40s %-8s %10lld %10lld %4.0f%%", facts->name, facts->state,
             (long long)facts->frames, (long long)facts->steps, percent);
    add_number(out, facts->episode_return);
    add_number(out, facts->eval_return);
    add_number(out, facts->best_return);
    text_add(out, " %9.0f %9s\n", facts->wall_s > 0 ? (double)facts->frames / facts->wall_s : 0,
             time);
}

static void add_json(struct text *out, const struct run_facts *facts) {
    json_line_begin(out);
    json_line_string(out, "run", facts->name);
    json_line_string(out, "state", facts->state);
    json_line_int(out, "frames", facts->frames);
    json_line_int(out, "steps", facts->steps);
    json_line_int(out, "total_steps", facts->total_steps);
    json_line_real(out, "episode_return", facts->episode_return);
    json_line_real(out, "eval_return", facts->eval_return);
    json_line_real(out, "best_return", facts->best_return);
    json_line_real(out, "wall_s", facts->wall_s);
    json_line_end(out);
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static enum rl_status show_table(const struct top_options *options, bool refresh,
                                 struct rl_error *err) {
    struct dirent **entries;
    int count = scandir("runs", &entries, visible, alphasort);
    if (count < 0) return rl_fail(err, RL_ENOTFOUND, "no folder runs/ here");
    struct text out = {0};
    if (refresh) text_add(&out, "\033[H\033[J"); // to the top left, wipe
    if (!options->json)
        text_add(&out, "%-40s %-8s %10s %10s %5s %9s %9s %9s %9s %9s\n", "run", "state", "frames",
                 "steps", "done", "return", "eval", "best", "frames/s", "trained");
    for (int i = 0; i < count; i++) {
        struct run_facts facts;
        if (read_facts(entries[i]->d_name, &facts))
            (options->json ? add_json : add_row)(&out, &facts);
        free(entries[i]);
    }
    free(entries);
    if (out.length) fwrite(out.data, 1, out.length, stdout);
    text_release(&out);
    return fflush(stdout) == 0 ? RL_OK : rl_fail(err, RL_EIO, "cannot write to standard output");
}

// A locale of UTF-8 shows blocks; the same words as setlocale looks at, in its order.
static bool has_blocks(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

static enum rl_status show_runs(const struct args *args, bool refresh, struct rl_error *err) {
    struct run_screen_style style = {.width = 48, .blocks = has_blocks()};
    struct text out = {0};
    enum rl_status status = RL_OK;
    if (refresh) text_add(&out, "\033[H\033[J"); // to the top left, wipe
    for (int i = 0; i < args->n_words && status == RL_OK; i++) {
        struct run_dir run;
        status = run_dir_find(&run, args->words[i], err);
        if (status == RL_OK && i) text_add(&out, "\n");
        if (status == RL_OK) status = run_screen_add(&run, &style, &out, err);
    }
    if (status == RL_OK) fwrite(out.data, 1, out.length, stdout);
    text_release(&out);
    if (status != RL_OK || fflush(stdout) == 0) return status;
    return rl_fail(err, RL_EIO, "cannot write to standard output");
}

static enum rl_status show(const struct args *args, const struct top_options *options, bool refresh,
                           struct rl_error *err) {
    return args->n_words ? show_runs(args, refresh, err) : show_table(options, refresh, err);
}

enum rl_status cmd_top(int argc, char **argv, struct rl_error *err) {
    struct top_options options;
    struct args args;
    enum rl_status status = args_read(&args, argc, argv, &table, &options, 16, err);
    if (status == RL_OK && args.help) {
        args_print_help("top [RUN...] [--once] [--every SECONDS] [--json]", &table);
    } else if (status == RL_OK && options.json && args.n_words) {
        status = rl_fail(err, RL_EUSAGE, "--json is of the table of all runs; it takes no RUN");
    } else if (status == RL_OK) {
        const char *terminal = getenv("TERM");
        bool refresh = !options.once && !options.json && isatty(STDOUT_FILENO) && terminal &&
                       strcmp(terminal, "dumb");
        status = show(&args, &options, refresh, err);
        while (refresh && status == RL_OK) { // until Ctrl-C
            struct timespec pause = {(time_t)options.every, (long)(fmod(options.every, 1) * 1e9)};
            nanosleep(&pause, NULL);
            status = show(&args, &options, refresh, err);
        }
    }
    args_release(&args);
    return status;
}
