// rlrun report RUN...|FOLDER -o report.html: one page about runs, self-contained.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/player.h"
#include "cli/run_chart.h"
#include "render/render.h"
#include "train/report.h"
#include "viewer/video.h"

// A page of 20 runs stays below 5 MB: clips get this much together, as they stand in the page
// (base64 makes 4 characters of 3 bytes).
#define CLIPS_BYTES (3.2e6 * 3 / 4)
enum { CLIP_WIDTH = 208, CLIP_HEIGHT = 156, MAX_CHARTS = 8 };

struct report_options {
    char output[OPT_STRING_BYTES], title[OPT_STRING_BYTES];
    int x, statistic;
    double clip_seconds;
    bool each;
};
static const char *const report_statistics[] = {"iqm", "mean", "median", NULL};
static const struct opt_spec specs[] = {
    OPT_ROW_STRING(struct report_options, output, "report.html", "the page; -o"),
    OPT_ROW_STRING(struct report_options, title, "Report", "its title"),
    OPT_ROW_CHOICE(struct report_options, x, "frames", run_chart_x_names, "axis of the curves"),
    OPT_ROW_CHOICE(struct report_options, statistic, "iqm", report_statistics,
                   "of the curves, over seeds"),
    OPT_ROW_REAL(struct report_options, clip_seconds, "5", 0, 60,
                 "length of each run's clip; 0 = no clips"),
    OPT_ROW_BOOL(struct report_options, each, "false",
                 "each run by itself, not grouped by setting"),
    OPT_END,
};
static const struct opt_table table = {"", specs};

// --- curves ---

struct drawn {
    struct report_chart charts[MAX_CHARTS];
    struct text texts[MAX_CHARTS]; // without PLplot
    int count;
};

static void draw_in_words(const struct run_chart *rc, struct text *out) {
    for (int c = 0; c < rc->panels[0].n_curves; c++) {
        const struct chart_curve *line = &rc->panels[0].curves[c];
        text_add(out, "%s: ", rc->legend[line->colour]);
        for (int i = 0; i < 10; i++) {
            int at = (line->count - 1) * i / 9;
            text_add(out, "%s%.4g at %.4g", i ? ", " : "", line->y[at], line->x[at]);
        }
        text_add(out, "\n");
    }
}

// A figure that no run has gives no chart.
static enum rl_status add_chart(struct drawn *drawn, const struct run_set *set,
                                const struct report_options *options, const char *key,
                                const char *x_key, const char *note, struct rl_error *err) {
    struct run_chart rc;
    struct run_chart_request request = {.kind = "",
                                        .keys = &key,
                                        .n_keys = 1,
                                        .x_key = x_key,
                                        .statistic = (enum statistic)options->statistic};
    enum rl_status status = run_chart_make(&rc, set, &request, err);
    if (status == RL_OK && rc.n_points) {
        struct report_chart *chart = &drawn->charts[drawn->count];
        *chart = (struct report_chart){.title = key, .note = note};
        if (drawn->count > 0) {
            rc.chart.width = 560;
            rc.chart.height = 320;
            rc.chart.n_legend = 0; // the first one's holds for all
        }
        if (chart_is_available()) {
            status = chart_draw(&rc.chart, CHART_FORMAT_SVG, &chart->svg, err);
        } else {
            draw_in_words(&rc, &drawn->texts[drawn->count]);
            chart->text = drawn->texts[drawn->count].data;
        }
        drawn->count++;
    }
    run_chart_release(&rc);
    return status;
}

static enum rl_status draw_charts(struct drawn *drawn, const struct run_set *set,
                                  const struct report_options *options, struct rl_error *err) {
    const char *x = run_chart_x_names[options->x];
    const struct {
        const char *key, *x, *note;
    } wanted[] = {
        {"return_mean", x, "Return of evaluation episodes."},
        {"return_mean", strcmp(x, "wall_s") ? "wall_s" : "frames", "The same on another axis."},
        {"ssl/latent_rank", x, "Effective rank of the latents: near 1 is a collapse."},
        {"ssl/std", x, "Spread of the method's outputs: near 0 is a collapse."},
        {"critic_loss", x, NULL},
        {"q_mean", x, "What the critic expects, discounted."},
    };
    enum rl_status status = RL_OK;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted) && status == RL_OK; i++) {
        status = add_chart(drawn, set, options, wanted[i].key, wanted[i].x, wanted[i].note, err);
    }
    return status;
}

// --- clips ---

struct pictures {
    uint8_t *rgb; // (count, CLIP_HEIGHT, CLIP_WIDTH, 3)
    int count;
    double per_s, episode_return;
    int64_t frame;
};

static const size_t picture_bytes = (size_t)CLIP_WIDTH * CLIP_HEIGHT * 3;

static enum rl_status play(struct player *player, double seconds, struct pictures *pictures,
                           struct rl_error *err) {
    struct render_size size = {CLIP_WIDTH, CLIP_HEIGHT};
    struct renderer *renderer =
        renderer_create(RENDER_BACKEND_SOFT, env_model(player->env), size, err);
    if (!renderer) return err->code;
    double step_s = player_step_s(player);
    int every = (int)(1 / 25.0 / step_s + 0.5); // about 25 pictures a second
    every = every < 1 ? 1 : every;
    int wanted = (int)(seconds / step_s / every);
    pictures->rgb = mem_alloc(picture_bytes * (size_t)(wanted + 1));
    pictures->per_s = 1 / (step_s * every);
    enum rl_status status = RL_OK;
    while (status == RL_OK && pictures->count <= wanted) {
        struct render_target target = {.rgb = pictures->rgb +
                                              picture_bytes * (size_t)pictures->count++};
        status = renderer_draw_camera(renderer, env_data(player->env), env_camera(player->env),
                                      &target, err);
        if (player->now.last) break;
        for (int i = 0; i < every && status == RL_OK && !player->now.last; i++) {
            status = player_step(player, err);
        }
    }
    pictures->episode_return = player->episode_return;
    pictures->frame = player->frame;
    renderer_destroy(renderer);
    return status;
}

static enum rl_status encode(const struct pictures *pictures, const char *ending, int quality,
                             struct bytes *out, struct rl_error *err) {
    struct video *video =
        video_create_bytes(ending, CLIP_WIDTH, CLIP_HEIGHT, pictures->per_s, quality, err);
    if (!video) return err->code;
    for (int i = 0; i < pictures->count; i++) {
        if (video_add(video, pictures->rgb + picture_bytes * (size_t)i, err) == RL_OK) continue;
        video_abort(video);
        return err->code;
    }
    return video_finish_bytes(video, out, err);
}

// H.264 as fine as fits into limit_bytes; where libav has none, a GIF; what does not fit is left
// out.
static enum rl_status encode_to_fit(const struct pictures *pictures, double limit_bytes,
                                    struct report_clip *clip, struct rl_error *err) {
    static const int qualities[] = {26, 32, 38, 44};
    for (int i = 0; i < 4; i++) {
        const char *ending = ".mp4";
        enum rl_status status = encode(pictures, ending, qualities[i], &clip->file, err);
        if (status == RL_EUNAVAILABLE) {
            ending = ".gif";
            status = encode(pictures, ending, 0, &clip->file, err);
        }
        if (status != RL_OK) return status;
        clip->type = ending[1] == 'm' ? "video/mp4" : "image/gif";
        if ((double)clip->file.size <= limit_bytes) return RL_OK;
        mem_free(clip->file.data);
        clip->file = (struct bytes){0};
        if (ending[1] == 'g') break;
    }
    return rl_fail(err, RL_EUNAVAILABLE, "its clip is too large; lower --clip_seconds");
}

// A run without a checkpoint, or a build without libav, is a page without that clip.
static void make_clip(const struct run_info *run, double seconds, double limit_bytes,
                      struct report_clip *clip) {
    struct player player;
    struct pictures pictures = {0};
    struct rl_error err = {0};
    enum rl_status status = player_open(&player, run->path, "", 1000, &err);
    if (status == RL_OK) {
        status = play(&player, seconds, &pictures, &err);
        if (status == RL_OK) status = encode_to_fit(&pictures, limit_bytes, clip, &err);
        snprintf(
            clip->caption, sizeof(clip->caption), "step %lld: return %.1f in the first %lld frames",
            (long long)player.checkpoint_step, pictures.episode_return, (long long)pictures.frame);
        player_close(&player);
    }
    if (status != RL_OK) log_warning("no clip of %s: %s", run->name, err.message);
    mem_free(pictures.rgb);
}

// --- the page ---

static void command_text(const struct args *args, struct text *out) {
    text_add(out, "rlrun report");
    for (int i = 0; i < args->n_words; i++) text_add(out, " %s", args->words[i]);
}

static enum rl_status write_page(const struct args *args, const struct report_options *options,
                                 const struct run_set *set, const struct drawn *drawn,
                                 const struct report_clip *clips, struct rl_error *err) {
    struct text command = {0}, page = {0};
    const char **colours = MEM_ARRAY(const char *, set->n_groups);
    for (int g = 0; g < set->n_groups; g++) colours[g] = chart_colour(g);
    command_text(args, &command);
    struct report report = {.set = set,
                            .charts = drawn->charts,
                            .n_charts = drawn->count,
                            .clips = clips,
                            .colours = colours,
                            .title = options->title,
                            .command = command.data};
    report_html(&report, &page);
    enum rl_status status = file_write_atomic(options->output, page.data, page.length, err);
    if (status == RL_OK) {
        printf("%s: %d run%s, %d setting%s, %.2f MB\n", options->output, set->n_runs,
               set->n_runs == 1 ? "" : "s", set->n_groups, set->n_groups == 1 ? "" : "s",
               (double)page.length / 1e6);
    }
    text_release(&command);
    text_release(&page);
    mem_free((void *)colours);
    return status;
}

static enum rl_status make_report(const struct args *args, const struct report_options *options,
                                  struct rl_error *err) {
    struct run_set set;
    struct drawn drawn = {0};
    if (args->n_words < 1) {
        return rl_fail(err, RL_EUSAGE, "report on what? usage: rlrun report RUN... [-o F.html]");
    }
    enum rl_status status = run_set_read(&set, args->words, args->n_words, options->each, err);
    if (status == RL_OK) status = draw_charts(&drawn, &set, options, err);
    struct report_clip *clips = MEM_ARRAY(struct report_clip, set.n_runs + 1);
    for (int i = 0; i < set.n_runs && status == RL_OK && options->clip_seconds > 0; i++) {
        make_clip(&set.runs[i], options->clip_seconds, CLIPS_BYTES / set.n_runs, &clips[i]);
    }
    if (status == RL_OK) status = write_page(args, options, &set, &drawn, clips, err);
    for (int i = 0; i < set.n_runs; i++) mem_free(clips[i].file.data);
    for (int i = 0; i < drawn.count; i++) {
        mem_free(drawn.charts[i].svg.data);
        text_release(&drawn.texts[i]);
    }
    mem_free(clips);
    run_set_release(&set);
    return status;
}

enum rl_status cmd_report(int argc, char **argv, struct rl_error *err) {
    struct report_options options;
    struct args args;
    enum rl_status status = args_read(&args, argc, argv, &table, &options, 1000, err);
    if (status == RL_OK && args.help) {
        args_print_help("report RUN...|FOLDER [-o F.html] [--clip_seconds N]", &table);
    } else if (status == RL_OK) {
        status = make_report(&args, &options, err);
    }
    args_release(&args);
    return status;
}
