// rlrun record RUN|--env E -o F.mp4|.gif|.png: episodes as a video, without a display.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/player.h"
#include "render/render.h"
#include "viewer/overlay.h"
#include "viewer/video.h"

enum { MAX_PLAYERS = 64, MAX_CAMERAS = 16 };

struct record_options {
    char output[OPT_STRING_BYTES], env[OPT_STRING_BYTES], model[OPT_STRING_BYTES];
    char cameras[OPT_STRING_BYTES];
    int64_t width, height, episodes, seed;
    double seconds;
    int renderer;
    bool grid, overlay;
};
static const struct opt_spec record_specs[] = {
    OPT_ROW_STRING(struct record_options, output, "clip.mp4",
                   "file: .mp4 (H.264), .gif or .png (one file a picture); -o"),
    OPT_ROW_STRING(struct record_options, env, "", "environment with random actions, not a run"),
    OPT_ROW_STRING(struct record_options, model, "", "the same for an MJCF file"),
    OPT_ROW_INT(struct record_options, width, "480", 16, 1920, "of one picture, in pixels"),
    OPT_ROW_INT(struct record_options, height, "360", 16, 1080, "of one picture, in pixels"),
    OPT_ROW_STRING(struct record_options, cameras, "",
                   "camera ids of the model, such as 0,1 (-1 = free), side by side; default: the "
                   "task's own"),
    OPT_ROW_INT(struct record_options, episodes, "1", 1, MAX_PLAYERS, "episodes"),
    OPT_ROW_BOOL(struct record_options, grid, "false", "episodes side by side, not in a row"),
    OPT_ROW_REAL(struct record_options, seconds, "0", 0, 3600,
                 "length of the video; 0 = whole episodes"),
    OPT_ROW_INT(struct record_options, seed, "1000", 0, 9e15, "of the first environment"),
    OPT_ROW_BOOL(struct record_options, overlay, "false",
                 "return, frame, Q, actions and what the policy sees"),
    OPT_ROW_CHOICE(struct record_options, renderer, "soft", render_backend_names, "renderer"),
    OPT_END,
};
static const struct opt_table record_table = {"", record_specs};

// A grid of tiles: one for each player and camera.
struct recorder {
    const struct record_options *options;
    struct player players[MAX_PLAYERS];
    struct renderer *renderers[MAX_PLAYERS];
    bool ended[MAX_PLAYERS]; // whole episodes: this one's picture stays
    int n_players, cameras[MAX_CAMERAS], n_cameras;
    int columns, rows;
    struct canvas canvas; // all tiles
    uint8_t *tile;
    struct video *video;
};

static volatile sig_atomic_t stop_requested;

static void request_stop(int signal_number) {
    (void)signal_number;
    stop_requested = 1;
}

static enum rl_status read_cameras(struct recorder *r, struct rl_error *err) {
    const char *text = r->options->cameras;
    int limit = (int)env_model(r->players[0].env)->ncam - 1;
    if (!*text) {
        r->cameras[r->n_cameras++] = env_camera(r->players[0].env);
        return RL_OK;
    }
    for (;;) {
        char *end;
        long id = strtol(text, &end, 10);
        if (end == text || (*end && *end != ',') || id < -1 || id > limit ||
            r->n_cameras == MAX_CAMERAS) {
            return rl_fail(err, RL_EUSAGE,
                           "--cameras=%s: ids from -1 (free) to %d, at most %d, with commas",
                           r->options->cameras, limit, MAX_CAMERAS);
        }
        r->cameras[r->n_cameras++] = (int)id;
        if (!*end) return RL_OK;
        text = end + 1;
    }
}

static enum rl_status open_players(struct recorder *r, const char *run, struct rl_error *err) {
    const struct record_options *options = r->options;
    const char *env_name = *options->model ? options->model : options->env;
    int count = options->grid ? (int)options->episodes : 1;
    struct render_size size = {(int)options->width, (int)options->height};
    for (int i = 0; i < count; i++) {
        struct player *player = &r->players[i];
        enum rl_status status =
            player_open(player, run, env_name, (uint64_t)(options->seed + i), err);
        if (status != RL_OK) return status;
        r->n_players++;
        r->renderers[i] = renderer_create((enum render_backend)options->renderer,
                                          env_model(player->env), size, err);
        if (!r->renderers[i]) return err->code;
    }
    return RL_OK;
}

static enum rl_status open_video(struct recorder *r, struct rl_error *err) {
    int n_tiles = r->n_players * r->n_cameras;
    while (r->columns * r->columns < n_tiles) r->columns++;
    r->rows = (n_tiles + r->columns - 1) / r->columns;
    r->canvas.width = r->columns * (int)r->options->width;
    r->canvas.height = r->rows * (int)r->options->height;
    r->canvas.rgb = mem_alloc((size_t)r->canvas.width * (size_t)r->canvas.height * 3);
    r->tile = mem_alloc((size_t)r->options->width * (size_t)r->options->height * 3);
    r->video = video_create(r->options->output, r->canvas.width, r->canvas.height,
                            1 / player_step_s(&r->players[0]), err);
    return r->video ? RL_OK : err->code;
}

static enum rl_status draw_tile(struct recorder *r, int index, struct rl_error *err) {
    const struct record_options *options = r->options;
    struct player *player = &r->players[index / r->n_cameras];
    struct render_target target = {.rgb = r->tile};
    enum rl_status status =
        renderer_draw_camera(r->renderers[index / r->n_cameras], env_data(player->env),
                             r->cameras[index % r->n_cameras], &target, err);
    if (status != RL_OK) return status;
    struct canvas tile = {(int)options->width, (int)options->height, r->tile};
    if (options->overlay) {
        const struct env_spec *spec = env_spec(player->env);
        struct overlay overlay = {.name = spec->name,
                                  .episode_return = player->episode_return,
                                  .frame = player->frame,
                                  .value = player_value(player),
                                  .action = player->action,
                                  .action_dim = spec->action_dim};
        int dim[2];
        overlay.seen = player_seen(player, dim);
        overlay.seen_height = dim[0];
        overlay.seen_width = dim[1];
        overlay_draw(&tile, &overlay);
    }
    struct canvas_rect place = {index % r->columns * tile.width, index / r->columns * tile.height,
                                tile.width, tile.height};
    canvas_picture(&r->canvas, place, tile.rgb, tile.width, tile.height);
    return RL_OK;
}

static enum rl_status draw_all(struct recorder *r, struct rl_error *err) {
    enum rl_status status = RL_OK;
    for (int i = 0; i < r->n_players * r->n_cameras && status == RL_OK; i++) {
        if (!r->ended[i / r->n_cameras]) status = draw_tile(r, i, err);
    }
    return status == RL_OK ? video_add(r->video, r->canvas.rgb, err) : status;
}

// Steps each player; false once the last episode that is wanted has ended.
static enum rl_status step_all(struct recorder *r, bool *more, struct rl_error *err) {
    bool whole = r->options->seconds == 0;
    int64_t episodes = r->options->grid ? 1 : r->options->episodes;
    *more = false;
    for (int i = 0; i < r->n_players; i++) {
        struct player *player = &r->players[i];
        r->ended[i] = r->ended[i] || (whole && player->now.last && player->episodes >= episodes);
        if (r->ended[i]) continue;
        *more = true;
        enum rl_status status = player_step(player, err);
        if (status != RL_OK) return status;
    }
    return RL_OK;
}

static enum rl_status record(struct recorder *r, const char *run, struct rl_error *err) {
    enum rl_status status = open_players(r, run, err);
    if (status == RL_OK) status = read_cameras(r, err);
    if (status == RL_OK) status = open_video(r, err);
    if (status != RL_OK) return status;
    double step_s = player_step_s(&r->players[0]);
    int64_t limit = r->options->seconds > 0 ? (int64_t)(r->options->seconds / step_s + 0.5) : -1;
    int64_t pictures = 0;
    for (bool more = true; more && status == RL_OK && pictures != limit; pictures++) {
        status = draw_all(r, err);
        if (status == RL_OK) status = step_all(r, &more, err);
        if (status == RL_OK && stop_requested) {
            status = rl_fail(err, RL_EINTERRUPT, "interrupted after %lld pictures; %s not written",
                             (long long)pictures + 1, r->options->output);
        }
    }
    if (status != RL_OK) return status;
    struct video *video = r->video;
    r->video = NULL;
    status = video_finish(video, err);
    if (status == RL_OK) {
        printf("%s: %dx%d, %lld pictures, %.2f s, return of the last episode %.1f\n",
               r->options->output, r->canvas.width, r->canvas.height, (long long)pictures,
               (double)pictures * step_s, r->players[0].episode_return);
    }
    return status;
}

static enum rl_status run_record(const struct args *args, const struct record_options *options,
                                 struct rl_error *err) {
    bool has_env = *options->env || *options->model;
    if ((args->n_words == 1) == has_env) {
        return rl_fail(err, RL_EUSAGE,
                       "record what? rlrun record RUN -o F.mp4, or rlrun record --env E -o F.mp4");
    }
    struct recorder *recorder = MEM_NEW(struct recorder);
    recorder->options = options;
    signal(SIGINT, request_stop);
    signal(SIGTERM, request_stop);
    enum rl_status status = record(recorder, args->n_words ? args->words[0] : "", err);
    video_abort(recorder->video);
    for (int i = 0; i < recorder->n_players; i++) {
        renderer_destroy(recorder->renderers[i]);
        player_close(&recorder->players[i]);
    }
    mem_free(recorder->canvas.rgb);
    mem_free(recorder->tile);
    mem_free(recorder);
    return status;
}

enum rl_status cmd_record(int argc, char **argv, struct rl_error *err) {
    struct args args;
    struct record_options options;
    enum rl_status status = args_read(&args, argc, argv, &record_table, &options, 1, err);
    if (status == RL_OK && args.help) {
        args_print_help("record RUN|--env E [-o F.mp4|.gif|.png] [--seconds N] [--overlay]",
                        &record_table);
    } else if (status == RL_OK) {
        status = run_record(&args, &options, err);
    }
    args_release(&args);
    return status;
}
