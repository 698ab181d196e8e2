// rlrun view RUN|--env E: a window in which the policy acts.
#include <signal.h>
#include <stdio.h>

#include "cli/args.h"
#include "cli/command.h"
#include "cli/player.h"
#include "viewer/window.h"

struct view_options {
    char env[OPT_STRING_BYTES], model[OPT_STRING_BYTES], screenshots[OPT_STRING_BYTES];
    int64_t width, height, seed;
    double seconds;
    bool paused;
};
static const struct opt_spec view_specs[] = {
    OPT_ROW_STRING(struct view_options, env, "", "environment with random actions, not a run"),
    OPT_ROW_STRING(struct view_options, model, "", "the same for an MJCF file"),
    OPT_ROW_INT(struct view_options, width, "960", 64, 16384, "of the window, in pixels"),
    OPT_ROW_INT(struct view_options, height, "720", 64, 16384, "of the window, in pixels"),
    OPT_ROW_INT(struct view_options, seed, "1000", 0, 9e15, "of the environment"),
    OPT_ROW_REAL(struct view_options, seconds, "0", 0, 1e9,
                 "close after so long; 0 = when you close it"),
    OPT_ROW_BOOL(struct view_options, paused, "false", "begin paused"),
    OPT_ROW_STRING(struct view_options, screenshots, ".", "folder for screenshots (key P)"),
    OPT_END,
};
static const struct opt_table view_table = {"", view_specs};

static volatile int stop_requested;

static void request_stop(int signal_number) {
    (void)signal_number;
    stop_requested = 1;
}

static enum rl_status step(void *context, struct rl_error *err) {
    return player_step(context, err);
}

static enum rl_status reset(void *context, struct rl_error *err) {
    return player_reset(context, err);
}

static enum rl_status refresh(void *context, struct rl_error *err) {
    return player_refresh(context, err);
}

static void figures(void *context, struct window_figures *out) {
    struct player *player = context;
    int dim[2];
    *out = (struct window_figures){.episode_return = player->episode_return,
                                   .frame = player->frame,
                                   .episode = player->episodes,
                                   .value = player_value(player),
                                   .action = player->action,
                                   .action_dim = env_spec(player->env)->action_dim,
                                   .seen = player_seen(player, dim)};
    out->seen_height = dim[0];
    out->seen_width = dim[1];
    if (player->has_policy) {
        snprintf(out->policy, sizeof(out->policy), "%s, step %lld",
                 player->policy.parts->agent_name, (long long)player->checkpoint_step);
    } else {
        snprintf(out->policy, sizeof(out->policy), "random");
    }
}

static enum rl_status show(struct player *player, const struct view_options *options,
                           struct rl_error *err) {
    struct window_source source = {.context = player,
                                   .name = env_spec(player->env)->name,
                                   .model = env_model(player->env),
                                   .data = env_data(player->env),
                                   .camera = env_camera(player->env),
                                   .step_s = player_step_s(player),
                                   .step = step,
                                   .reset = reset,
                                   .refresh = refresh,
                                   .figures = figures};
    struct window_options window = {.width = (int)options->width,
                                    .height = (int)options->height,
                                    .seconds = options->seconds,
                                    .paused = options->paused,
                                    .screenshots = options->screenshots,
                                    .stop = &stop_requested};
    signal(SIGINT, request_stop);
    signal(SIGTERM, request_stop);
    return window_run(&source, &window, err);
}

static enum rl_status run_view(const struct args *args, const struct view_options *options,
                               struct rl_error *err) {
    bool has_env = *options->env || *options->model;
    if ((args->n_words == 1) == has_env) {
        return rl_fail(err, RL_EUSAGE, "view what? rlrun view RUN, or rlrun view --env E");
    }
    struct player player;
    const char *env_name = *options->model ? options->model : options->env;
    enum rl_status status = player_open(&player, args->n_words ? args->words[0] : "", env_name,
                                        (uint64_t)options->seed, err);
    if (status != RL_OK) return status;
    status = show(&player, options, err);
    player_close(&player);
    return status;
}

enum rl_status cmd_view(int argc, char **argv, struct rl_error *err) {
    struct args args;
    struct view_options options;
    enum rl_status status = args_read(&args, argc, argv, &view_table, &options, 1, err);
    if (status == RL_OK && args.help) {
        args_print_help("view RUN|--env E [--seconds N]", &view_table);
    } else if (status == RL_OK) {
        status = run_view(&args, &options, err);
    }
    args_release(&args);
    return status;
}
