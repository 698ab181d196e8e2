// rlrun plot RUN... [--key K] [--kind KIND] [--x frames|steps|updates|wall_s] [--width N] [--height
// N]
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/command.h"
#include "cli/text_plot.h"
#include "train/logger.h"
#include "train/run_dir.h"

struct plot_options {
    char kind[OPT_STRING_BYTES], key[OPT_STRING_BYTES];
    int x;
    int64_t width, height;
};
static const char *const x_names[] = {"frames", "steps", "updates", "wall_s", NULL};
static const struct opt_spec specs[] = {
    OPT_ROW_STRING(struct plot_options, kind, "eval", "rows of metrics.jsonl: eval, train"),
    OPT_ROW_STRING(struct plot_options, key, "return_mean", "figure, as metrics.jsonl names it"),
    OPT_ROW_CHOICE(struct plot_options, x, "frames", x_names, "horizontal axis"),
    OPT_ROW_INT(struct plot_options, width, "64", 10, 400, "characters across"),
    OPT_ROW_INT(struct plot_options, height, "17", 5, 200, "lines"),
    OPT_END,
};
static const struct opt_table table = {"", specs};

static enum rl_status read_curves(struct text_plot *plot, const struct args *args,
                                  const struct plot_options *options, struct rl_error *err) {
    int points = 0;
    for (int i = 0; i < args->n_words; i++) {
        struct run_dir run;
        char path[RUN_DIR_PATH_BYTES + 64];
        enum rl_status status = run_dir_find(&run, args->words[i], err);
        if (status != RL_OK) return status;
        run_dir_file(&run, path, LOGGER_METRICS_FILE);
        status = metrics_file_series(path, options->kind, options->key, x_names[options->x],
                                     &plot->series[i], err);
        if (status != RL_OK) return status;
        plot->label[i] = args->words[i];
        plot->n_curves = i + 1;
        points += plot->series[i].count;
    }
    if (points) return RL_OK;
    return rl_fail(err, RL_ENOTFOUND, "no '%s' in rows of kind '%s' yet; --kind and --key choose",
                   options->key, options->kind);
}

static enum rl_status draw(const struct args *args, const struct plot_options *options,
                           struct rl_error *err) {
    struct text_plot plot = {
        .x_label = x_names[options->x],
        .y_label = options->key,
        .width = (int)options->width,
        .height = (int)options->height,
    };
    enum rl_status status = read_curves(&plot, args, options, err);
    if (status == RL_OK) {
        struct text text = {0};
        text_plot_draw(&plot, &text);
        fputs(text.data, stdout);
        text_release(&text);
    }
    for (int i = 0; i < TEXT_PLOT_CURVES; i++) metrics_series_release(&plot.series[i]);
    return status;
}

enum rl_status cmd_plot(int argc, char **argv, struct rl_error *err) {
    struct plot_options options;
    struct args args;
    enum rl_status status = args_read(&args, argc, argv, &table, &options, TEXT_PLOT_CURVES, err);
    if (status == RL_OK && args.help) {
        args_print_help("plot RUN... [--kind KIND] [--key KEY] [--x AXIS]", &table);
    } else if (status == RL_OK && args.n_words < 1) {
        status = rl_fail(err, RL_EUSAGE, "plot what? usage: rlrun plot RUN...");
    } else if (status == RL_OK) {
        status = draw(&args, &options, err);
    }
    args_release(&args);
    return status;
}
