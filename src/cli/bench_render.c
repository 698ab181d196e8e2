// Frames a second of the software renderer (thread CPU time, scene update included) beside MuJoCo's
// own renderer through EGL (process CPU time: Mesa draws on threads of its own), same model, states
// and quality; and the whole pixel step of cheetah.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench.h"
#include "envs/env.h"
#include "render/render.h"

enum { SIZE = 84, STATES = 8, STACK = 3, FRAME_BYTES = SIZE * SIZE * 3 };

static const struct {
    const char *name, *env;
} cases[] = {
    {"cheetah-84", "cheetah-run"},       {"walker-84", "walker-walk"},
    {"cartpole-84", "cartpole-swingup"}, {"humanoid-84", "humanoid-walk"},
    {"quadruped-84", "quadruped-walk"},
};

struct draw_context {
    struct renderer *renderer;
    struct env *env;
    struct render_target target;
    enum rl_status status;
    struct rl_error err;
};

static void draw(void *context) {
    struct draw_context *c = context;
    enum rl_status status = renderer_draw_camera(c->renderer, env_data(c->env), env_camera(c->env),
                                                 &c->target, &c->err);
    if (status != RL_OK) c->status = status;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return values[count / 2];
}

static double process_cpu_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void random_action(struct rng *rng, int count, double *action) {
    for (int i = 0; i < count; i++) action[i] = rng_range(rng, -1, 1);
}

// Moves the environment on, to another state worth drawing.
static enum rl_status advance(struct env *env, struct rng *rng, int steps, struct rl_error *err) {
    double action[64];
    struct time_step step;
    for (int i = 0; i < steps; i++) {
        random_action(rng, env_spec(env)->action_dim, action);
        if (env_step(env, action, &step, err) != RL_OK) return err->code;
        if (step.last && env_reset(env, &step, err) != RL_OK) return err->code;
    }
    return RL_OK;
}

static struct env *make_env(const char *name, bool pixels, struct rl_error *err) {
    struct env_options options;
    struct time_step step;
    opt_set_defaults(&env_opts, &options);
    options.pixels = pixels;
    options.image_size = SIZE;
    options.action_repeat = 1;
    struct env *env = env_create(name, &options, 1, err);
    if (!env) return NULL;
    if (env_reset(env, &step, err) == RL_OK) return env;
    env_destroy(env);
    return NULL;
}

// Seconds a frame of both renderers over several states; peer_s = 0 without EGL.
static enum rl_status time_states(const struct bench_options *options, struct draw_context *ours,
                                  struct draw_context *peer, double *ours_s, double *peer_s,
                                  struct rl_error *err) {
    double times[STATES], peer_times[STATES];
    struct bench_options each = *options;
    each.seconds = options->seconds / STATES / 2;
    struct rng rng = rng_seed(3);
    for (int i = 0; i < STATES; i++) {
        if (advance(ours->env, &rng, 10, err) != RL_OK) return err->code;
        times[i] = bench_cpu_seconds(&each, draw, ours);
        if (!peer->renderer) continue;
        draw(peer);
        double start_s = process_cpu_s(), end_wall_s = clock_now_s() + each.seconds;
        int frames = 0;
        do {
            draw(peer);
            frames++;
        } while (clock_now_s() < end_wall_s);
        peer_times[i] = (process_cpu_s() - start_s) / frames;
    }
    if (ours->status != RL_OK) return rl_fail(err, ours->status, "%s", ours->err.message);
    if (peer->status != RL_OK) return rl_fail(err, peer->status, "%s", peer->err.message);
    *ours_s = median(times, STATES);
    *peer_s = peer->renderer ? median(peer_times, STATES) : 0;
    return RL_OK;
}

static enum rl_status bench_scene(const struct bench_options *options, const char *case_name,
                                  const char *env_name, struct rl_error *err) {
    static uint8_t rgb[FRAME_BYTES], peer_rgb[FRAME_BYTES];
    struct render_size size = {SIZE, SIZE};
    struct env *env = make_env(env_name, false, err);
    if (!env) return err->code;
    struct draw_context ours = {.env = env, .target.rgb = rgb};
    struct draw_context peer = {.env = env, .target.rgb = peer_rgb};
    struct rl_error no_peer;
    double ours_s = 0, peer_s = 0;
    ours.renderer = renderer_create(RENDER_BACKEND_SOFT, env_model(env), size, err);
    peer.renderer = renderer_create(RENDER_BACKEND_EGL, env_model(env), size, &no_peer);
    enum rl_status status =
        ours.renderer ? time_states(options, &ours, &peer, &ours_s, &peer_s, err) : err->code;
    if (status == RL_OK) {
        struct bench_row row = {case_name, 1 / ours_s, "frames/s"};
        if (peer_s > 0) row.peer = "mujoco-egl", row.peer_value = 1 / peer_s;
        bench_report(options, &row);
    }
    renderer_destroy(ours.renderer);
    renderer_destroy(peer.renderer);
    env_destroy(env);
    return status;
}

struct step_context {
    struct env *env;
    struct rng rng;
    uint8_t stack[STACK][FRAME_BYTES]; // a ring
    int newest;
    enum rl_status status;
    struct rl_error err;
};

// One control step from pixels: physics, scene update, picture, frame stack.
static void pixel_step(void *context) {
    struct step_context *c = context;
    double action[64];
    struct time_step step;
    random_action(&c->rng, env_spec(c->env)->action_dim, action);
    enum rl_status status = env_step(c->env, action, &step, &c->err);
    if (status == RL_OK && step.last) status = env_reset(c->env, &step, &c->err);
    if (status != RL_OK) {
        c->status = status;
        return;
    }
    c->newest = (c->newest + 1) % STACK;
    memcpy(c->stack[c->newest], step.frame, FRAME_BYTES);
}

static enum rl_status bench_pixel_step(const struct bench_options *options, const char *case_name,
                                       struct rl_error *err) {
    static struct step_context context;
    context = (struct step_context){.rng = rng_seed(5)};
    context.env = make_env("cheetah-run", true, err);
    if (!context.env) return err->code;
    double each_s = bench_cpu_seconds(options, pixel_step, &context);
    env_destroy(context.env);
    if (context.status != RL_OK) return rl_fail(err, context.status, "%s", context.err.message);
    bench_report(options, &(struct bench_row){case_name, 1 / each_s, "frames/s"});
    return RL_OK;
}

enum rl_status bench_render(const struct bench_options *options, struct rl_error *err) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!bench_wanted(options, cases[i].name)) continue;
        enum rl_status status = bench_scene(options, cases[i].name, cases[i].env, err);
        if (status != RL_OK) return status;
    }
    if (!bench_wanted(options, "cheetah-pixel-step")) return RL_OK;
    return bench_pixel_step(options, "cheetah-pixel-step", err);
}
