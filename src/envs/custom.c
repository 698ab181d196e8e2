// Any MJCF model as an environment. The YAML beside it:
//   task:         name, time_limit_s, control_timestep_s, action_repeat, camera, combine (sum,
//   product) reset:        joints (keep, random), noise observe:      quantities: names separated
//   by spaces reward.NAME:  quantity, shape (tolerance, value), lower, upper, margin, sigmoid,
//   value_at_margin, weight end.NAME:     quantity, lower, upper: outside them the episode ends
#include "envs/custom.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"
#include "envs/quantity.h"
#include "envs/rewards.h"

#define MAX_TERMS      32
#define MAX_QUANTITIES 64

enum { COMBINE_SUM, COMBINE_PRODUCT };
enum { JOINTS_KEEP, JOINTS_RANDOM };
enum { SHAPE_TOLERANCE, SHAPE_VALUE };
static const char *const combine_names[] = {"sum", "product", NULL};
static const char *const joints_names[] = {"keep", "random", NULL};
static const char *const shape_names[] = {"tolerance", "value", NULL};

struct task_options {
    char name[OPT_STRING_BYTES];
    double time_limit_s, control_timestep_s;
    int64_t action_repeat, camera;
    int combine;
};
static const struct opt_spec task_specs[] = {
    OPT_ROW_STRING(struct task_options, name, "task", "name of the task"),
    OPT_ROW_REAL(struct task_options, time_limit_s, "10", 1e-6, 1e6, "length of an episode"),
    OPT_ROW_REAL(struct task_options, control_timestep_s, "0", 0, 1e3,
                 "length of a frame; 0 = the model's"),
    OPT_ROW_INT(struct task_options, action_repeat, "2", 1, 64, "frames a step"),
    OPT_ROW_INT(struct task_options, camera, "0", 0, 255, "camera of the pixels"),
    OPT_ROW_CHOICE(struct task_options, combine, "sum", combine_names,
                   "how reward terms make the reward"),
    OPT_END,
};

struct reset_options {
    int joints;
    double noise;
};
static const struct opt_spec reset_specs[] = {
    OPT_ROW_CHOICE(struct reset_options, joints, "keep", joints_names,
                   "as in the model, or random in range"),
    OPT_ROW_REAL(struct reset_options, noise, "0", 0, 1e3,
                 "uniform noise on hinges, sliders and velocities"),
    OPT_END,
};

struct observe_options {
    char quantities[OPT_STRING_BYTES];
};
static const struct opt_spec observe_specs[] = {
    OPT_ROW_STRING(struct observe_options, quantities, "qpos qvel",
                   "quantities, separated by spaces"),
    OPT_END,
};

struct term_options {
    char quantity[OPT_STRING_BYTES];
    int shape, sigmoid;
    double lower, upper, margin, value_at_margin, weight;
};
static const struct opt_spec term_specs[] = {
    OPT_ROW_STRING(struct term_options, quantity, "", "what is judged"),
    OPT_ROW_CHOICE(struct term_options, shape, "tolerance", shape_names,
                   "tolerance in [0, 1], or the number"),
    OPT_ROW_REAL(struct term_options, lower, "-1e300", -1e300, 1e300, "1 from here"),
    OPT_ROW_REAL(struct term_options, upper, "1e300", -1e300, 1e300, "to here"),
    OPT_ROW_REAL(struct term_options, margin, "0", 0, 1e300,
                 "distance at which value_at_margin is left"),
    OPT_ROW_CHOICE(struct term_options, sigmoid, "gaussian", sigmoid_names, "how it falls"),
    OPT_ROW_REAL(struct term_options, value_at_margin, "0.1", 1e-9, 0.999999, "left at the margin"),
    OPT_ROW_REAL(struct term_options, weight, "1", -1e6, 1e6,
                 "factor of a sum, exponent of a product"),
    OPT_END,
};

struct end_options {
    char quantity[OPT_STRING_BYTES];
    double lower, upper;
};
static const struct opt_spec end_specs[] = {
    OPT_ROW_STRING(struct end_options, quantity, "", "what is watched"),
    OPT_ROW_REAL(struct end_options, lower, "-1e300", -1e300, 1e300,
                 "the episode goes on from here"),
    OPT_ROW_REAL(struct end_options, upper, "1e300", -1e300, 1e300, "to here"),
    OPT_END,
};

struct term {
    char section[OPT_STRING_BYTES];
    struct term_options options;
    struct quantity quantity;
};
struct end {
    char section[OPT_STRING_BYTES];
    struct end_options options;
    struct quantity quantity;
};

struct custom {
    struct domain domain;
    struct task tasks[2];
    char model[4096], yaml[4096], name[64];
    struct task_options task;
    struct reset_options reset;
    struct observe_options observe;
    struct term terms[MAX_TERMS];
    struct end ends[MAX_TERMS];
    struct quantity observed[MAX_QUANTITIES];
    int n_terms, n_ends, n_observed;
};

// --- reading ---

static enum rl_status read_term(struct custom *custom, struct config *config, const char *section,
                                struct rl_error *err) {
    struct term *term = &custom->terms[custom->n_terms];
    if (custom->n_terms == MAX_TERMS) {
        return rl_fail(err, RL_EUSAGE, "%s: more than %d reward terms", custom->yaml, MAX_TERMS);
    }
    snprintf(term->section, sizeof term->section, "%s", section);
    custom->n_terms++;
    return config_apply(config, &(struct opt_table){term->section, term_specs}, &term->options,
                        err);
}

static enum rl_status read_end(struct custom *custom, struct config *config, const char *section,
                               struct rl_error *err) {
    struct end *end = &custom->ends[custom->n_ends];
    if (custom->n_ends == MAX_TERMS) {
        return rl_fail(err, RL_EUSAGE, "%s: more than %d endings", custom->yaml, MAX_TERMS);
    }
    snprintf(end->section, sizeof end->section, "%s", section);
    custom->n_ends++;
    return config_apply(config, &(struct opt_table){end->section, end_specs}, &end->options, err);
}

// Sections named reward.NAME and end.NAME, in the order of the file.
static enum rl_status read_terms(struct custom *custom, struct config *config,
                                 struct rl_error *err) {
    enum rl_status status = RL_OK;
    for (size_t i = 0; i < config->count && status == RL_OK; i++) {
        const struct config_entry *entry = &config->entries[i];
        if (entry->used) continue; // of a section that was read
        if (!strncmp(entry->section, "reward.", 7))
            status = read_term(custom, config, entry->section, err);
        if (!strncmp(entry->section, "end.", 4))
            status = read_end(custom, config, entry->section, err);
    }
    return status;
}

static enum rl_status read_config(struct custom *custom, struct config *config,
                                  struct rl_error *err) {
    static const struct opt_table task_table = {"task", task_specs};
    static const struct opt_table reset_table = {"reset", reset_specs};
    static const struct opt_table observe_table = {"observe", observe_specs};
    const struct opt_table *const tables[] = {&task_table, &reset_table, &observe_table};
    enum rl_status status = config_add_yaml_file(config, custom->yaml, err);
    if (status == RL_OK) status = config_apply(config, &task_table, &custom->task, err);
    if (status == RL_OK) status = config_apply(config, &reset_table, &custom->reset, err);
    if (status == RL_OK) status = config_apply(config, &observe_table, &custom->observe, err);
    if (status == RL_OK) status = read_terms(custom, config, err);
    if (status == RL_OK) status = config_check_used(config, tables, 3, err);
    if (status == RL_OK && custom->n_terms == 0) {
        status = rl_fail(err, RL_EUSAGE, "%s: no reward; add a section reward.NAME", custom->yaml);
    }
    return status;
}

// --- the domain's functions ---

static enum rl_status bind(struct physics *physics, struct rl_error *err) {
    struct custom *custom = physics->context;
    const mjModel *model = physics->model;
    enum rl_status status = RL_OK;
    char origin[4200], list[OPT_STRING_BYTES], *rest = list;
    for (int i = 0; i < custom->n_terms && status == RL_OK; i++) {
        struct term *term = &custom->terms[i];
        snprintf(origin, sizeof origin, "%s: %.64s", custom->yaml, term->section);
        status = quantity_parse(term->options.quantity, model, origin, &term->quantity, err);
        if (status == RL_OK && quantity_count(&term->quantity, model) != 1) {
            return rl_fail(err, RL_EUSAGE, "%s: '%s' is not one number; add .x or .0", origin,
                           term->options.quantity);
        }
    }
    for (int i = 0; i < custom->n_ends && status == RL_OK; i++) {
        struct end *end = &custom->ends[i];
        snprintf(origin, sizeof origin, "%s: %.64s", custom->yaml, end->section);
        status = quantity_parse(end->options.quantity, model, origin, &end->quantity, err);
        if (status == RL_OK && quantity_count(&end->quantity, model) != 1) {
            return rl_fail(err, RL_EUSAGE, "%s: '%s' is not one number; add .x or .0", origin,
                           end->options.quantity);
        }
    }
    snprintf(origin, sizeof origin, "%s: observe", custom->yaml);
    strcpy(list, custom->observe.quantities);
    custom->n_observed = 0;
    for (char *word; status == RL_OK && (word = strtok_r(rest, " ", &rest));) {
        if (custom->n_observed == MAX_QUANTITIES) {
            return rl_fail(err, RL_EUSAGE, "%s: more than %d quantities", origin, MAX_QUANTITIES);
        }
        status = quantity_parse(word, model, origin, &custom->observed[custom->n_observed++], err);
    }
    return status;
}

static void release(void *context) {
    mem_free(context);
}

static void reset(struct physics *physics) {
    const struct custom *custom = physics->context;
    const mjModel *model = physics->model;
    double noise = custom->reset.noise;
    if (custom->reset.joints == JOINTS_RANDOM) physics_randomize_joints(physics);
    if (noise == 0) return;
    for (int joint = 0; joint < model->njnt; joint++) {
        if (model->jnt_type[joint] != mjJNT_HINGE && model->jnt_type[joint] != mjJNT_SLIDE)
            continue;
        physics->data->qpos[model->jnt_qposadr[joint]] += rng_range(&physics->rng, -noise, noise);
    }
    for (int i = 0; i < model->nv; i++)
        physics->data->qvel[i] = rng_range(&physics->rng, -noise, noise);
}

static void observe(const struct physics *physics, struct obs *obs) {
    const struct custom *custom = physics->context;
    for (int i = 0; i < custom->n_observed; i++) quantity_add(&custom->observed[i], physics, obs);
}

static double reward(struct physics *physics) {
    const struct custom *custom = physics->context;
    bool product = custom->task.combine == COMBINE_PRODUCT;
    double total = product ? 1 : 0;
    for (int i = 0; i < custom->n_terms; i++) {
        const struct term_options *o = &custom->terms[i].options;
        double value = quantity_value(&custom->terms[i].quantity, physics);
        if (o->shape == SHAPE_TOLERANCE) {
            value = tolerance(value, o->lower, o->upper, o->margin, (enum sigmoid)o->sigmoid,
                              o->value_at_margin);
        }
        if (product)
            total *= pow(value, o->weight);
        else
            total += o->weight * value;
    }
    return total;
}

static bool terminated(const struct physics *physics) {
    const struct custom *custom = physics->context;
    for (int i = 0; i < custom->n_ends; i++) {
        double value = quantity_value(&custom->ends[i].quantity, physics);
        if (value < custom->ends[i].options.lower || value > custom->ends[i].options.upper)
            return true;
    }
    return false;
}

// "dir/arm.xml" -> yaml "dir/arm.yaml", name "arm".
static void name_files(struct custom *custom, const char *path) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    if (!realpath(path, custom->model)) snprintf(custom->model, sizeof custom->model, "%s", path);
    snprintf(custom->yaml, sizeof custom->yaml, "%.*s.yaml", (int)(dot - path), path);
    const char *base = slash ? slash + 1 : path;
    snprintf(custom->name, sizeof custom->name, "%.*s",
             (int)(dot - base) < 40 ? (int)(dot - base) : 40, base);
}

const struct domain *custom_domain(const char *path, struct rl_error *err) {
    struct custom *custom = MEM_NEW(struct custom);
    struct config config = {0};
    name_files(custom, path);
    enum rl_status status = RL_OK;
    if (!file_exists(path))
        status = rl_fail(err, RL_ENOTFOUND, "%s: no such model file", path);
    else if (!file_exists(custom->yaml))
        status = rl_fail(err, RL_ENOTFOUND, "%s: no such file; it names the reward of %s",
                         custom->yaml, path);
    else
        status = read_config(custom, &config, err);
    config_release(&config);
    if (status != RL_OK) {
        mem_free(custom);
        return NULL;
    }
    custom->task.name[39] = 0;
    custom->tasks[0] = (struct task){.name = custom->task.name,
                                     .time_limit_s = custom->task.time_limit_s,
                                     .control_timestep_s = custom->task.control_timestep_s,
                                     .action_repeat = (int)custom->task.action_repeat,
                                     .model_file = custom->model};
    custom->domain = (struct domain){.name = custom->name,
                                     .tasks = custom->tasks,
                                     .context = custom,
                                     .camera = (int)custom->task.camera,
                                     .bind = bind,
                                     .release = release,
                                     .reset = reset,
                                     .observe = observe,
                                     .reward = reward,
                                     .terminated = terminated};
    return &custom->domain;
}
