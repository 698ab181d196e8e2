// rlrun plot RUN... [-o F.svg|F.png] [--key K[,K...]] [--x AXIS]: curves over seeds, in the
// terminal or as a picture.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/run_chart.h"
#include "cli/text_plot.h"

struct plot_options {
    char output[OPT_STRING_BYTES], kind[OPT_STRING_BYTES], key[OPT_STRING_BYTES];
    int x, statistic;
    int64_t width, height;
    bool each;
};
static const char *const plot_statistics[] = {"iqm", "mean", "median", NULL};
static const struct opt_spec specs[] = {
    OPT_ROW_STRING(struct plot_options, output, "",
                   "picture: .svg or .png; -o. Default: drawn in the terminal"),
    OPT_ROW_STRING(struct plot_options, kind, "",
                   "rows of metrics.jsonl: eval, train; default: whichever has the figure"),
    OPT_ROW_STRING(struct plot_options, key, "return_mean",
                   "figures, as metrics.jsonl names them, with commas: a panel each"),
    OPT_ROW_CHOICE(struct plot_options, x, "frames", run_chart_x_names, "horizontal axis"),
    OPT_ROW_CHOICE(struct plot_options, statistic, "iqm", plot_statistics, "over seeds"),
    OPT_ROW_BOOL(struct plot_options, each, "false", "a curve for each run, not for each setting"),
    OPT_ROW_INT(struct plot_options, width, "0", 0, 4000,
                "of a panel: pixels (default 720), in the terminal characters (64)"),
    OPT_ROW_INT(struct plot_options, height, "0", 0, 4000,
                "of a panel: pixels (default 400), in the terminal lines (17)"),
    OPT_END,
};
static const struct opt_table table = {"", specs};

// "a,b" in place into its parts.
static enum rl_status split_keys(char *text, const char **keys, int *count, struct rl_error *err) {
    *count = 0;
    for (char *rest = NULL, *key = strtok_r(text, ",", &rest); key;
         key = strtok_r(NULL, ",", &rest)) {
        if (*count == RUN_CHART_MAX_KEYS) {
            return rl_fail(err, RL_EUSAGE, "--key: at most %d figures", RUN_CHART_MAX_KEYS);
        }
        keys[(*count)++] = key;
    }
    return *count ? RL_OK : rl_fail(err, RL_EUSAGE, "--key names no figure");
}

static enum rl_status draw_text(const struct run_chart *rc, const struct plot_options *options,
                                struct rl_error *err) {
    struct text out = {0};
    enum rl_status status = RL_OK;
    if ((options->width && (options->width < 10 || options->width > 400)) ||
        (options->height && (options->height < 5 || options->height > 200))) {
        return rl_fail(err, RL_EUSAGE, "the terminal takes --width 10..400 and --height 5..200");
    }
    for (int k = 0; k < rc->chart.n_panels && status == RL_OK; k++) {
        const struct chart_panel *panel = &rc->panels[k];
        struct text_plot plot = {.x_label = panel->x_label,
                                 .y_label = panel->title,
                                 .n_curves = panel->n_curves,
                                 .width = options->width ? (int)options->width : 64,
                                 .height = options->height ? (int)options->height : 17};
        if (panel->n_curves > TEXT_PLOT_CURVES) {
            status = rl_fail(err, RL_EUSAGE, "%d curves; the terminal shows %d, -o F.svg shows all",
                             panel->n_curves, TEXT_PLOT_CURVES);
            break;
        }
        for (int c = 0; c < panel->n_curves; c++) {
            const struct chart_curve *line = &panel->curves[c];
            plot.series[c] = (struct metrics_series){.x = (double *)(uintptr_t)line->x,
                                                     .y = (double *)(uintptr_t)line->y,
                                                     .count = line->count};
            plot.label[c] = rc->legend[line->colour];
        }
        text_plot_draw(&plot, &out);
    }
    if (status == RL_OK) fputs(out.data, stdout);
    text_release(&out);
    return status;
}

static bool ends_with(const char *path, const char *ending) {
    size_t length = strlen(path), part = strlen(ending);
    return length > part && !strcasecmp(path + length - part, ending);
}

static enum rl_status write_picture(struct run_chart *rc, const struct plot_options *options,
                                    struct rl_error *err) {
    bool svg = ends_with(options->output, ".svg");
    struct bytes bytes;
    if (options->width) rc->chart.width = (int)options->width;
    if (options->height) rc->chart.height = (int)options->height;
    if (rc->chart.width < 240 || rc->chart.height < 160) {
        return rl_fail(err, RL_EUSAGE, "a panel of %dx%d is too small; at least 240x160",
                       rc->chart.width, rc->chart.height);
    }
    enum rl_status status =
        chart_draw(&rc->chart, svg ? CHART_FORMAT_SVG : CHART_FORMAT_PNG, &bytes, err);
    if (status == RL_OK) status = file_write_atomic(options->output, bytes.data, bytes.size, err);
    mem_free(bytes.data);
    return status;
}

static enum rl_status plot_set(const struct run_set *set, struct plot_options *options,
                               struct rl_error *err) {
    const char *keys[RUN_CHART_MAX_KEYS];
    struct run_chart_request request = {.kind = options->kind,
                                        .keys = keys,
                                        .x_key = run_chart_x_names[options->x],
                                        .statistic = (enum statistic)options->statistic};
    char given[OPT_STRING_BYTES];
    strcpy(given, options->key);
    enum rl_status status = split_keys(options->key, keys, &request.n_keys, err);
    if (status != RL_OK) return status;
    struct run_chart rc;
    status = run_chart_make(&rc, set, &request, err);
    if (status == RL_OK && rc.n_points == 0) {
        status = rl_fail(err, RL_ENOTFOUND, "no '%s' in the rows%s%s yet; --kind and --key choose",
                         given, *options->kind ? " of kind " : "", options->kind);
    }
    if (status == RL_OK) {
        status = *options->output ? write_picture(&rc, options, err) : draw_text(&rc, options, err);
    }
    run_chart_release(&rc);
    return status;
}

static enum rl_status run_plot(const struct args *args, struct plot_options *options,
                               struct rl_error *err) {
    struct run_set set;
    const char *output = options->output;
    if (args->n_words < 1) {
        return rl_fail(err, RL_EUSAGE, "plot what? usage: rlrun plot RUN... [-o F.svg|F.png]");
    }
    if (*output && !ends_with(output, ".svg") && !ends_with(output, ".png")) {
        return rl_fail(err, RL_EUSAGE, "%s: the name must end in .svg or .png", output);
    }
    enum rl_status status = run_set_read(&set, args->words, args->n_words, options->each, err);
    if (status == RL_OK) status = plot_set(&set, options, err);
    run_set_release(&set);
    return status;
}

enum rl_status cmd_plot(int argc, char **argv, struct rl_error *err) {
    struct plot_options options;
    struct args args;
    enum rl_status status = args_read(&args, argc, argv, &table, &options, 1000, err);
    if (status == RL_OK && args.help) {
        args_print_help("plot RUN...|FOLDER [-o F.svg|F.png] [--key KEY,...] [--x AXIS]", &table);
    } else if (status == RL_OK) {
        status = run_plot(&args, &options, err);
    }
    args_release(&args);
    return status;
}
