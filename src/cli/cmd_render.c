// rlrun render --env E [--state F [--row N]] -o F.png; rlrun render --sheet -o F.png
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/png_file.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/render_sheet.h"
#include "envs/env.h"
#include "nn/safetensors.h"
#include "render/render.h"

enum kind { KIND_RGB, KIND_GRAY, KIND_DEPTH, KIND_SEGMENTATION };
static const char *const kind_names[] = {"rgb", "gray", "depth", "segmentation", NULL};

struct render_options {
    char env[OPT_STRING_BYTES], state[OPT_STRING_BYTES], output[OPT_STRING_BYTES];
    int64_t row, seed, width, height, camera;
    int renderer, kind;
    bool sheet;
};
static const struct opt_spec specs[] = {
    OPT_ROW_STRING(struct render_options, env, "", "environment, or a path to an MJCF file"),
    OPT_ROW_STRING(struct render_options, state, "",
                   "safetensors file with qpos and, if wanted, qvel, act, time; empty: a reset"),
    OPT_ROW_INT(struct render_options, row, "0", 0, 1e9, "row of the state file's tensors"),
    OPT_ROW_INT(struct render_options, seed, "1", 0, 9e15, "seed of the reset"),
    OPT_ROW_STRING(struct render_options, output, "", "PNG file to write (-o)"),
    OPT_ROW_INT(struct render_options, width, "84", 16, 1920, "pixels"),
    OPT_ROW_INT(struct render_options, height, "84", 16, 1080, "pixels"),
    OPT_ROW_INT(struct render_options, camera, "-1", -1, 1e6, "camera id; -1 = the task's own"),
    OPT_ROW_CHOICE(struct render_options, renderer, "soft", render_backend_names, "who draws"),
    OPT_ROW_CHOICE(struct render_options, kind, "rgb", kind_names, "what is drawn"),
    OPT_ROW_BOOL(struct render_options, sheet, "false",
                 "every task of the suite, ours above MuJoCo's, differences at the right"),
    OPT_END,
};
static const struct opt_table table = {"", specs};

// One row of a tensor into a state vector of the model; missing tensors leave it.
static enum rl_status set_vector(const struct render_options *options, const struct st_file *file,
                                 const char *key, mjtNum *out, int count, bool required,
                                 struct rl_error *err) {
    const struct st_tensor *tensor = st_find(file, key);
    if (!tensor && !required) return RL_OK;
    if (!tensor) return rl_fail(err, RL_EFORMAT, "%s: no tensor '%s'", options->state, key);
    if (tensor->count < (options->row + 1) * count) {
        return rl_fail(err, RL_EFORMAT, "%s: '%s' has %lld numbers; row %lld needs %lld",
                       options->state, key, (long long)tensor->count, (long long)options->row,
                       (long long)((options->row + 1) * count));
    }
    for (int i = 0; i < count; i++) {
        out[i] = st_get(tensor, options->row * count + i);
        if (!isfinite(out[i])) {
            return rl_fail(err, RL_ENUMERIC, "%s: '%s' is not finite", options->state, key);
        }
    }
    return RL_OK;
}

static enum rl_status load_state(const struct render_options *options, struct env *env,
                                 struct rl_error *err) {
    const mjModel *model = env_model(env);
    mjData *data = env_data(env);
    struct st_file file;
    enum rl_status status = st_read(options->state, &file, err);
    if (status != RL_OK) return status;
    status = set_vector(options, &file, "qpos", data->qpos, (int)model->nq, true, err);
    if (status == RL_OK) {
        status = set_vector(options, &file, "qvel", data->qvel, (int)model->nv, false, err);
    }
    if (status == RL_OK) {
        status = set_vector(options, &file, "act", data->act, (int)model->na, false, err);
    }
    if (status == RL_OK) status = set_vector(options, &file, "time", &data->time, 1, false, err);
    st_release(&file);
    if (status == RL_OK) mj_forward(model, data);
    return status;
}

static uint8_t depth_gray(float depth, float nearest, float farthest) {
    float share = farthest > nearest ? (depth - nearest) / (farthest - nearest) : 0;
    return (uint8_t)lroundf(255 * (1 - fminf(share, 1)));
}

// Depth from white (the nearest) to black; objects in colours far apart.
static void picture_of(const struct render_options *options, const float *depth,
                       const int32_t *segmentation, size_t pixels, uint8_t *out) {
    float nearest = INFINITY, farthest = 0;
    for (size_t i = 0; depth && i < pixels; i++) nearest = fminf(nearest, depth[i]);
    farthest = 4 * nearest;
    for (size_t i = 0; i < pixels; i++) {
        if (options->kind == KIND_DEPTH) {
            out[i] = depth_gray(depth[i], nearest, farthest);
            continue;
        }
        uint32_t id = (uint32_t)segmentation[2 * i] * 37 + (uint32_t)segmentation[2 * i + 1] * 101;
        uint32_t hash = (id + 1) * 2654435761u;
        for (int k = 0; k < 3; k++) {
            bool something = segmentation[2 * i] >= 0;
            out[3 * i + (size_t)k] = (uint8_t)(something ? 55 + (hash >> (8 * k) & 255) % 200 : 0);
        }
    }
}

static enum rl_status draw_picture(const struct render_options *options, struct env *env,
                                   struct rl_error *err) {
    struct render_size size = {(int)options->width, (int)options->height};
    size_t pixels = (size_t)size.width * (size_t)size.height;
    struct renderer *renderer =
        renderer_create((enum render_backend)options->renderer, env_model(env), size, err);
    if (!renderer) return err->code;
    uint8_t *picture = MEM_ARRAY(uint8_t, pixels * 3);
    float *depth = MEM_ARRAY(float, pixels);
    int32_t *segmentation = MEM_ARRAY(int32_t, pixels * 2);
    struct render_target target = {0};
    if (options->kind == KIND_RGB) target.rgb = picture;
    if (options->kind == KIND_GRAY) target.gray = picture;
    if (options->kind == KIND_DEPTH) target.depth = depth;
    if (options->kind == KIND_SEGMENTATION) target.segmentation = segmentation;
    int camera = options->camera >= 0 ? (int)options->camera : env_camera(env);
    enum rl_status status = renderer_draw_camera(renderer, env_data(env), camera, &target, err);
    bool gray = options->kind == KIND_GRAY || options->kind == KIND_DEPTH;
    if (status == RL_OK) {
        if (options->kind >= KIND_DEPTH) {
            picture_of(options, depth, segmentation, pixels, picture);
        }
        status = png_write(options->output, picture, size.width, size.height, gray ? 1 : 3, err);
    }
    mem_free(picture);
    mem_free(depth);
    mem_free(segmentation);
    renderer_destroy(renderer);
    return status;
}

static enum rl_status render_state(const struct render_options *options, struct rl_error *err) {
    struct env_options env_options;
    struct time_step step;
    opt_set_defaults(&env_opts, &env_options);
    env_options.pixels = false;
    struct env *env = env_create(options->env, &env_options, (uint64_t)options->seed, err);
    if (!env) return err->code;
    enum rl_status status = env_reset(env, &step, err);
    if (status == RL_OK && options->state[0]) status = load_state(options, env, err);
    if (status == RL_OK) status = draw_picture(options, env, err);
    env_destroy(env);
    return status;
}

enum rl_status cmd_render(int argc, char **argv, struct rl_error *err) {
    struct args args;
    struct render_options options;
    enum rl_status status = args_read(&args, argc, argv, &table, &options, 0, err);
    bool help = status == RL_OK && args.help;
    args_release(&args);
    if (status != RL_OK) return status;
    if (help) {
        args_print_help("render --env E [--state F [--row N]] -o F.png | --sheet -o F.png", &table);
        return RL_OK;
    }
    if (!options.output[0]) {
        return rl_fail(err, RL_EUSAGE, "render needs a file to write: -o F.png");
    }
    if (options.sheet) {
        return render_sheet(options.output, (int)options.width, (uint64_t)options.seed, err);
    }
    if (!options.env[0]) return rl_fail(err, RL_EUSAGE, "render needs --env E (or --sheet)");
    return render_state(&options, err);
}
