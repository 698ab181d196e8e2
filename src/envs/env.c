#include "envs/env.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "envs/custom.h"
#include "envs/env_impl.h"

static const struct opt_spec specs[] = {
    OPT_ROW_INT(struct env_options, action_repeat, "0", 0, 64,
                "frames a step repeats its action; 0 = the task's recommended value"),
    OPT_ROW_INT(struct env_options, image_size, "84", 16, 1080,
                "height and width of a frame in pixels"),
    OPT_ROW_INT(struct env_options, camera, "-1", -1, 255,
                "camera id of the model; -1 = the task's own"),
    OPT_ROW_CHOICE(struct env_options, renderer, "soft", render_backend_names,
                   "who draws the frames"),
    OPT_ROW_BOOL(struct env_options, pixels, "true", "draw frames; false = states only"),
    OPT_END,
};
const struct opt_table env_opts = {"env", specs};

// --- creation ---

static enum rl_status resolve_names(struct env *env, struct rl_error *err) {
    const struct domain_name *names = env->domain->names;
    for (int i = 0; names && names[i].name; i++) {
        RL_ASSERT(i < PHYSICS_MAX_NAMES);
        int id = mj_name2id(env->physics.model, names[i].type, names[i].name);
        if (id < 0 && !names[i].optional) {
            return rl_fail(err, RL_EMODEL, "%s: the model has no %s named '%s'",
                           env->domain->model_file, mju_type2Str(names[i].type), names[i].name);
        }
        env->physics.id[i] = id;
    }
    return RL_OK;
}

static void make_action_range(struct env *env) {
    const mjModel *model = env->physics.model;
    int count = env->spec.action_dim;
    env->ctrl_mid = MEM_ARRAY(double, count);
    env->ctrl_half = MEM_ARRAY(double, count);
    for (int i = 0; i < count; i++) {
        const double *range = model->actuator_ctrlrange + 2 * i;
        bool limited = model->actuator_ctrllimited[i];
        env->ctrl_mid[i] = limited ? (range[0] + range[1]) / 2 : 0;
        env->ctrl_half[i] = limited ? (range[1] - range[0]) / 2 : 1;
    }
}

static void make_spec(struct env *env, const struct env_options *options) {
    const struct task *task = env->physics.task;
    const mjModel *model = env->physics.model;
    struct env_spec *spec = &env->spec;
    snprintf(spec->name, sizeof spec->name, "%s-%s", env->domain->name, task->name);
    double physics_s = model->opt.timestep;
    double control_s = task->control_timestep_s > 0 ? task->control_timestep_s : physics_s;
    int substeps = task->n_substeps ? task->n_substeps : (int)lround(control_s / physics_s);
    env->physics.n_substeps = substeps > 0 ? substeps : 1;
    spec->control_timestep_s = physics_s * env->physics.n_substeps;
    spec->episode_frames = task->episode_frames
                               ? task->episode_frames
                               : (int)ceil(task->time_limit_s / spec->control_timestep_s);
    spec->action_repeat =
        options->action_repeat ? (int)options->action_repeat : task->action_repeat;
    spec->action_dim = model->nu;
    spec->reward_max_per_frame = env->domain->reward_max;
    struct obs count = {0};
    env->domain->observe(&env->physics, &count);
    spec->obs_dim = count.count;
    env->obs = MEM_ARRAY(double, spec->obs_dim);
}

static enum rl_status make_renderer(struct env *env, const struct env_options *options,
                                    struct rl_error *err) {
    const mjModel *model = env->physics.model;
    env->camera = options->camera >= 0 ? (int)options->camera : env->domain->camera;
    if (env->camera >= model->ncam) {
        if (options->camera >= 0) {
            return rl_fail(err, RL_EUSAGE, "env.camera %d: %s has cameras 0 to %d", env->camera,
                           env->spec.name, (int)model->ncam - 1);
        }
        env->camera = -1; // a model of the user's without cameras: look at its centre
    }
    if (!options->pixels) return RL_OK;
    int size = (int)options->image_size;
    env->renderer = renderer_create((enum render_backend)options->renderer, model,
                                    (struct render_size){size, size}, err);
    if (!env->renderer) return err ? err->code : RL_EUNAVAILABLE;
    env->spec.frame_dim[0] = env->spec.frame_dim[1] = size;
    env->spec.frame_dim[2] = 3;
    env->frame = MEM_ARRAY(uint8_t, 3 * size * size);
    return RL_OK;
}

struct edit {
    const struct domain *domain;
    const struct task *task;
    bool plain; // nobody will look: textures as small as they can be
};

static bool edit_model(mjSpec *spec, const void *context) {
    const struct edit *edit = context;
    mjsElement *at = edit->plain ? mjs_firstElement(spec, mjOBJ_TEXTURE) : NULL;
    for (; at; at = mjs_nextElement(spec, at)) {
        mjsTexture *texture = mjs_asTexture(at);
        if (texture->builtin != mjBUILTIN_NONE) texture->width = texture->height = 8;
    }
    return !edit->domain->edit || edit->domain->edit(spec, edit->task);
}

static enum rl_status load(struct env *env, bool plain, struct rl_error *err) {
    char path[4096];
    const struct task *task = env->physics.task;
    const char *file = task->model_file ? task->model_file : env->domain->model_file;
    if (*file == '/') {
        snprintf(path, sizeof path, "%s", file);
    } else {
        char folder[4096];
        file_join(folder, sizeof folder, file_data_dir(), "assets");
        file_join(path, sizeof path, folder, file);
    }
    const struct edit edit = {env->domain, task, plain};
    env->physics.model = mj_load_file(path, edit_model, &edit, err);
    if (!env->physics.model) return err ? err->code : RL_EMODEL;
    env->physics.data = mj_make_data(env->physics.model, err);
    return env->physics.data ? RL_OK : RL_ENOMEM;
}

static enum rl_status setup(struct env *env, const struct env_options *options, bool plain,
                            struct rl_error *err) {
    enum rl_status status = load(env, plain, err);
    if (status == RL_OK) status = resolve_names(env, err);
    if (status == RL_OK && env->domain->bind) status = env->domain->bind(&env->physics, err);
    if (status != RL_OK) return status;
    make_spec(env, options);
    make_action_range(env);
    env->scratch = MEM_ARRAY(double, mj_stateSize(env->physics.model, mjSTATE_INTEGRATION));
    return make_renderer(env, options, err);
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), n = strlen(end);
    return length > n && !strcmp(text + length - n, end);
}

// A known name, or a path to a model or a plug-in.
static enum rl_status find_domain(const char *name, const struct domain **domain,
                                  const struct task **task, struct rl_error *err) {
    bool model = ends_with(name, ".xml"), plugin = ends_with(name, ".so");
    if (!model && !plugin) return domain_find(name, domain, task, err);
    *domain = model ? custom_domain(name, err) : plugin_domain(name, err);
    if (!*domain) return err->code;
    *task = (*domain)->tasks;
    return RL_OK;
}

static struct env *create(const char *name, const struct env_options *options, uint64_t seed,
                          bool plain, struct rl_error *err) {
    struct rl_error own;
    if (!err) err = &own;
    const struct domain *domain;
    const struct task *task;
    if (find_domain(name, &domain, &task, err) != RL_OK) return NULL;
    struct env *env = MEM_NEW(struct env);
    env->domain = domain;
    env->physics.task = task;
    env->physics.context = domain->context;
    env->physics.rng = rng_fork(seed, "env");
    if (setup(env, options, plain, err) != RL_OK) {
        env_destroy(env);
        return NULL;
    }
    return env;
}

struct env *env_create(const char *name, const struct env_options *options, uint64_t seed,
                       struct rl_error *err) {
    return create(name, options, seed, false, err);
}

enum rl_status env_describe(const char *name, struct env_spec *spec, struct rl_error *err) {
    struct env_options options;
    opt_set_defaults(&env_opts, &options);
    options.pixels = false;
    struct rl_error own;
    if (!err) err = &own;
    struct env *env = create(name, &options, 1, true, err);
    if (!env) return err->code;
    *spec = env->spec;
    env_destroy(env);
    return RL_OK;
}

void env_destroy(struct env *env) {
    if (!env) return;
    renderer_destroy(env->renderer);
    mj_deleteData(env->physics.data);
    mj_deleteModel(env->physics.model);
    mem_free(env->frame);
    mem_free(env->obs);
    mem_free(env->ctrl_mid);
    mem_free(env->ctrl_half);
    mem_free(env->scratch);
    if (env->domain->release) env->domain->release(env->physics.context);
    mem_free(env);
}

// --- episodes ---

static void observe(struct env *env) {
    struct obs obs = {.out = env->obs};
    env->domain->observe(&env->physics, &obs);
    RL_ASSERT(obs.count == env->spec.obs_dim);
}

static enum rl_status draw(struct env *env, struct rl_error *err) {
    if (!env->renderer) return RL_OK;
    const struct render_target target = {.rgb = env->frame};
    return renderer_draw_camera(env->renderer, env->physics.data, env->camera, &target, err);
}

static void restart_body(void *context) {
    struct env *env = context;
    physics_settle(&env->physics);
    if (env->domain->begin) env->domain->begin(&env->physics);
    observe(env);
}

static void reset_body(void *context) {
    struct env *env = context;
    struct physics *physics = &env->physics;
    memset(physics->memory, 0, sizeof physics->memory);
    physics_reset(physics);
    env->domain->reset(physics);
    restart_body(env);
}

// A task's own code may give what is no number.
static enum rl_status check_numbers(const struct env *env, const struct time_step *step,
                                    struct rl_error *err) {
    if (!isfinite(step->reward) || !isfinite(step->discount)) {
        return rl_fail(err, RL_ENUMERIC, "%s: the reward is %g and the discount %g at frame %d",
                       env->spec.name, step->reward, step->discount, env->frames);
    }
    for (int i = 0; i < env->spec.obs_dim; i++) {
        if (isfinite(step->obs[i])) continue;
        return rl_fail(err, RL_ENUMERIC, "%s: observation[%d] is %g at frame %d", env->spec.name, i,
                       step->obs[i], env->frames);
    }
    return RL_OK;
}

static enum rl_status start(struct env *env, void (*body)(void *), struct time_step *step,
                            struct rl_error *err) {
    enum rl_status status = mj_guard(body, env, err);
    if (status != RL_OK) return rl_fail_context(err, "%s", env->spec.name);
    mj_clear_warnings(env->physics.data);
    env->frames = 0;
    env->running = true;
    *step = (struct time_step){.obs = env->obs, .frame = env->frame, .discount = 1, .first = true};
    status = check_numbers(env, step, err);
    return status == RL_OK ? draw(env, err) : status;
}

enum rl_status env_reset(struct env *env, struct time_step *step, struct rl_error *err) {
    return start(env, reset_body, step, err);
}

enum rl_status env_restart(struct env *env, struct time_step *step, struct rl_error *err) {
    return start(env, restart_body, step, err);
}

static enum rl_status set_action(struct env *env, const double *action, struct rl_error *err) {
    for (int i = 0; i < env->spec.action_dim; i++) {
        if (!isfinite(action[i])) {
            return rl_fail(err, RL_ENUMERIC,
                           "%s: action[%d] is %g at frame %d; actions must be finite",
                           env->spec.name, i, action[i], env->frames);
        }
        double clipped = fmin(fmax(action[i], -1), 1);
        env->physics.data->ctrl[i] = env->ctrl_mid[i] + env->ctrl_half[i] * clipped;
    }
    return RL_OK;
}

struct advance {
    struct env *env;
    struct time_step *step;
};

static void plain_step(struct physics *physics) {
    for (int i = 0; i < physics->n_substeps; i++) mj_step(physics->model, physics->data);
    mj_rnePostConstraint(physics->model, physics->data); // contact forces for observations
}

// One frame; true when the episode goes on.
static bool advance_frame(struct env *env, struct time_step *step) {
    struct physics *physics = &env->physics;
    if (env->domain->stepping == STEPPING_SUITE) {
        physics_step(physics, physics->n_substeps);
    } else {
        plain_step(physics);
    }
    step->frames++;
    env->frames++;
    if (mj_has_warnings(physics->data)) {
        env->unstable++;
        step->discount = 0;
        return false;
    }
    step->reward += env->domain->reward(physics);
    if (env->domain->terminated && env->domain->terminated(physics)) {
        step->discount = 0;
        return false;
    }
    return env->frames < env->spec.episode_frames;
}

static void step_body(void *context) {
    struct advance *advance = context;
    struct env *env = advance->env;
    struct time_step *step = advance->step;
    bool going = true;
    while (going && step->frames < env->spec.action_repeat) going = advance_frame(env, step);
    step->last = !going;
    // After an explosion MuJoCo has reset the state: the last good observation stays.
    if (!mj_has_warnings(env->physics.data)) observe(env);
}

enum rl_status env_step(struct env *env, const double *action, struct time_step *step,
                        struct rl_error *err) {
    RL_ASSERT(env->running);
    enum rl_status status = set_action(env, action, err);
    if (status != RL_OK) return status;
    *step = (struct time_step){.obs = env->obs, .frame = env->frame, .discount = 1};
    struct advance advance = {env, step};
    mj_clear_warnings(env->physics.data);
    status = mj_guard(step_body, &advance, err);
    if (status != RL_OK) {
        env->running = false;
        return rl_fail_context(err, "%s, frame %d", env->spec.name, env->frames);
    }
    if (step->last) env->running = false;
    status = check_numbers(env, step, err);
    if (status != RL_OK) return status;
    return mj_has_warnings(env->physics.data) ? RL_OK : draw(env, err);
}

enum rl_status env_draw(struct env *env, const uint8_t **frame, struct rl_error *err) {
    if (!env->renderer) {
        return rl_fail(err, RL_EUNAVAILABLE, "%s was made without pixels", env->spec.name);
    }
    *frame = env->frame;
    return draw(env, err);
}

// --- readings ---

const struct env_spec *env_spec(const struct env *env) {
    return &env->spec;
}

void env_seed(struct env *env, uint64_t seed) {
    env->physics.rng = rng_fork(seed, "env");
}

int64_t env_unstable_count(const struct env *env) {
    return env->unstable;
}

mjModel *env_model(struct env *env) {
    return env->physics.model;
}

mjData *env_data(struct env *env) {
    return env->physics.data;
}

int env_camera(const struct env *env) {
    return env->camera;
}

const double *env_observe(struct env *env) {
    observe(env);
    return env->obs;
}

double env_reward(struct env *env) {
    return env->domain->reward(&env->physics);
}
