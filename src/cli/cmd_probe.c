// rlrun probe ENC...: what frozen features are good for. On pictures with labels: nearest
// neighbours, a linear classifier, and fine-tuning with few labels; on rollouts: how much of the
// true state (qpos, qvel) and of the reward a linear map reads. Beside them the same encoder with
// new weights, and raw pixels.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_line.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/probe_material.h"
#include "cli/probe_pictures.h"
#include "ssl/features.h"
#include "ssl/finetune.h"
#include "ssl/probe.h"

#define MAX_SHARES 4

struct probe_options {
    char env[OPT_STRING_BYTES], data[OPT_STRING_BYTES], finetune[OPT_STRING_BYTES],
        heads[OPT_STRING_BYTES], pictures[OPT_STRING_BYTES];
    int64_t collect, seed, knn, epochs, finetune_steps, head_layers, threads;
    double ridge, test_share, temperature, finetune_lr;
    bool yardsticks, json;
};
#define T struct probe_options
static const struct opt_spec specs[] = {
    OPT_ROW_STRING(T, env, "cheetah-run", "environment: DOMAIN-TASK or a path"),
    OPT_ROW_STRING(T, data, "", "instead: a file of 'rlrun collect', or pictures with labels"),
    OPT_ROW_INT(T, collect, "4000", 100, 1e7, "agent steps of random actions"),
    OPT_ROW_INT(T, seed, "1001", 0, 9e15, "of everything random"),
    OPT_ROW_INT(T, threads, "1", 1, 256, "threads"),
    OPT_ROW_REAL(T, test_share, "0.3", 0.05, 0.9,
                 "for testing: the last part of rollouts, drawn pictures if the data has no parts"),
    OPT_ROW_REAL(T, ridge, "1e-3", 0, 1e6, "rollouts: shrinkage of the regression"),
    OPT_ROW_INT(T, knn, "20", 1, 1000, "pictures: neighbours that vote"),
    OPT_ROW_REAL(T, temperature, "0.07", 1e-3, 100, "pictures: of their votes"),
    OPT_ROW_INT(T, epochs, "30", 1, 10000, "pictures: of the linear classifier"),
    OPT_ROW_STRING(T, finetune, "0.01,0.1",
                   "pictures: shares of the labels to fine-tune with; empty: do not"),
    OPT_ROW_INT(T, finetune_steps, "400", 1, 1e9, "steps of fine-tuning, 128 pictures each"),
    OPT_ROW_REAL(T, finetune_lr, "5e-4", 1e-9, 10, "Adam's rate of fine-tuning"),
    OPT_ROW_STRING(T, heads, "", "file of 'rlrun pretrain --heads' to keep layers of"),
    OPT_ROW_INT(T, head_layers, "0", 0, 4, "layers of the projector kept for fine-tuning"),
    OPT_ROW_BOOL(T, yardsticks, "true", "also new weights and raw pixels"),
    OPT_ROW_STRING(T, pictures, "", "folder for pictures of the latents; empty: none"),
    OPT_ROW_BOOL(T, json, "false", "one JSON object a line"),
    OPT_END,
};
#undef T
static const struct opt_table table = {"", specs};

// --- output: one row for each encoder ---

struct row {
    const struct probe_options *options;
    struct text line;
};

static void row_begin(struct row *row, const struct probe_options *options, const char *weights) {
    *row = (struct row){.options = options};
    if (options->json) {
        json_line_begin(&row->line);
        json_line_string(&row->line, "weights", weights);
        json_line_string(&row->line, "data", options->data[0] ? options->data : options->env);
    } else {
        text_add(&row->line, "%-16s", weights);
    }
}

static void row_add(struct row *row, const char *name, double value) {
    if (row->options->json)
        json_line_real(&row->line, name, value);
    else
        text_add(&row->line, "  %s %.3f", name, value);
}

static void row_end(struct row *row) {
    if (row->options->json)
        json_line_end(&row->line);
    else
        text_add(&row->line, "\n");
    fputs(row->line.data, stdout);
    fflush(stdout);
    text_release(&row->line);
}

// --- rollouts ---

static void fill_targets(const struct rollouts *rollouts, int n, int m, real *y) {
    for (int i = 0; i < n; i++) {
        const float *state = replay_obs(rollouts->replay, i);
        for (int j = 0; j + 1 < m; j++) y[(size_t)i * m + j] = state[j];
        // The reward of the action taken here; at an episode's end there is none.
        bool last = replay_is_last(rollouts->replay, i) || i + 1 == n;
        y[(size_t)i * m + m - 1] = last ? 0 : (real)replay_reward(rollouts->replay, i);
    }
}

static double mean_of(const double *values, int count) {
    double sum = 0;
    int used = 0;
    for (int i = 0; i < count; i++) {
        if (isnan(values[i])) continue;
        sum += values[i];
        used++;
    }
    return used ? sum / used : NAN;
}

static void probe_states(const struct probe_options *options, const struct probe_material *material,
                         int d, const real *x, struct row *row) {
    const struct rollouts *rollouts = &material->rollouts;
    int n = (int)material->n, m = rollouts->n_qpos + rollouts->n_qvel + 1,
        n_train = (int)(n * (1 - options->test_share));
    real *y = MEM_ARRAY(real, mem_size(n, m));
    double *r2 = MEM_ARRAY(double, m);
    fill_targets(rollouts, n, m, y);
    struct probe_set train = {.n = n_train, .d = d, .x = x, .y = y, .m = m};
    struct probe_set test = {.n = n - n_train,
                             .d = d,
                             .x = x + (size_t)n_train * d,
                             .y = y + (size_t)n_train * m,
                             .m = m};
    probe_regression(&train, &test, options->ridge, r2);
    row_add(row, "r2_qpos", mean_of(r2, rollouts->n_qpos));
    row_add(row, "r2_qvel", mean_of(r2 + rollouts->n_qpos, rollouts->n_qvel));
    row_add(row, "r2_reward", r2[m - 1]);
    mem_free(y);
    mem_free(r2);
}

// --- pictures ---

static enum rl_status probe_classes(const struct probe_options *options, const struct dataset *set,
                                    int d, const real *x, struct pool *pool, struct row *row,
                                    struct rl_error *err) {
    int64_t begin = set->n_train + set->n_valid;
    struct probe_set train = {
        .n = (int)set->n_train, .d = d, .x = x, .label = set->label, .n_classes = set->n_classes};
    struct probe_set test = {.n = (int)(set->n - begin),
                             .d = d,
                             .x = x + (size_t)begin * d,
                             .label = set->label + begin,
                             .n_classes = set->n_classes};
    double linear;
    row_add(row, "knn", probe_knn(&train, &test, (int)options->knn, options->temperature, pool));
    enum rl_status status =
        probe_linear(&train, &test, (int)options->epochs, (uint64_t)options->seed, &linear, err);
    if (status == RL_OK) row_add(row, "linear", linear);
    return status;
}

static enum rl_status read_shares(const struct probe_options *options, double *shares, int *count,
                                  struct rl_error *err) {
    const char *at = options->finetune;
    for (*count = 0; *at; at += *at == ',') {
        char *end;
        double share = strtod(at, &end);
        if (end == at || (*end && *end != ',') || !(share > 0 && share <= 1) ||
            *count == MAX_SHARES)
            return rl_fail(err, RL_EUSAGE,
                           "--finetune '%s': up to %d shares in 0..1 with commas between",
                           options->finetune, MAX_SHARES);
        shares[(*count)++] = share;
        at = end;
    }
    return RL_OK;
}

static enum rl_status probe_few_labels(const struct probe_options *options,
                                       const struct dataset *set, struct encoder *encoder,
                                       bool trained, struct pool *pool, struct row *row,
                                       struct rl_error *err) {
    double shares[MAX_SHARES], accuracy;
    int count;
    enum rl_status status = read_shares(options, shares, &count, err);
    for (int i = 0; i < count && status == RL_OK; i++) {
        struct finetune_options few = {.share = shares[i],
                                       .steps = (int)options->finetune_steps,
                                       .batch = 128,
                                       .lr = options->finetune_lr,
                                       .head_lr = 1e-3,
                                       .heads = options->heads,
                                       .head_layers = trained ? (int)options->head_layers : 0,
                                       .seed = (uint64_t)options->seed};
        status = finetune(encoder, set, &few, pool, &accuracy, err);
        char name[32];
        snprintf(name, sizeof name, "finetune_%g", shares[i]);
        if (status == RL_OK) row_add(row, name, accuracy);
    }
    return status;
}

// --- one row ---

static enum rl_status draw(const struct probe_options *options,
                           const struct probe_material *material, struct encoder *encoder,
                           const char *name, const real *x, struct pool *pool,
                           struct rl_error *err) {
    if (!options->pictures[0]) return RL_OK;
    const struct dataset *set = &material->set;
    struct probe_pictures pictures = {.dir = options->pictures,
                                      .name = name,
                                      .encoder = encoder,
                                      .source = &material->source,
                                      .n = material->n < 10000 ? material->n : 10000,
                                      .x = x,
                                      .label = set->label,
                                      .pool = pool};
    double *value = MEM_ARRAY(double, pictures.n);
    for (int64_t i = 0; i < pictures.n && !set->label; i++)
        value[i] = i + 1 < material->n && !replay_is_last(material->rollouts.replay, i)
                       ? replay_reward(material->rollouts.replay, i)
                       : 0;
    pictures.value = value;
    enum rl_status status = probe_pictures_draw(&pictures, err);
    mem_free(value);
    return status;
}

static enum rl_status probe(const struct probe_options *options,
                            const struct probe_material *material, struct encoder *encoder,
                            const char *name, bool trained, struct pool *pool,
                            struct rl_error *err) {
    struct row row;
    int d = encoder->out_dim;
    real *x = mem_try_alloc(mem_size((size_t)material->n * sizeof(real), (size_t)d), name, err);
    if (!x) return RL_ENOMEM;
    enum rl_status status =
        features_encode(encoder, &material->source, 0, material->n, pool, x, err);
    row_begin(&row, options, name);
    if (status == RL_OK && material->rollouts.replay) {
        probe_states(options, material, d, x, &row);
    } else if (status == RL_OK) {
        status = probe_classes(options, &material->set, d, x, pool, &row, err);
        if (status == RL_OK)
            status = probe_few_labels(options, &material->set, encoder, trained, pool, &row, err);
    }
    if (status == RL_OK) row_end(&row);
    text_release(&row.line);
    if (status == RL_OK) status = draw(options, material, encoder, name, x, pool, err);
    mem_free(x);
    return status;
}

static enum rl_status probe_pixels(const struct probe_options *options,
                                   const struct probe_material *material, struct pool *pool,
                                   struct rl_error *err) {
    const struct dataset *set = &material->set;
    size_t d = (size_t)set->h * set->w * set->c, count = mem_size((size_t)set->n, d);
    real *x = mem_try_alloc(mem_size(count, sizeof(real)), "pixels as features", err);
    if (!x) return RL_ENOMEM;
    for (size_t i = 0; i < count; i++) x[i] = (real)set->images[i] / 255;
    struct row row;
    row_begin(&row, options, "pixels");
    enum rl_status status = probe_classes(options, set, (int)d, x, pool, &row, err);
    if (status == RL_OK) row_end(&row);
    text_release(&row.line);
    mem_free(x);
    return status;
}

// --- the command ---

static enum rl_status check_fit(const struct encoder *encoder, const char *path,
                                const struct probe_material *material, struct rl_error *err) {
    const int *dim = encoder->spec.in_dim, *in = material->in_dim;
    if (!encoder->ops->vector_input && !memcmp(dim, in, sizeof material->in_dim)) return RL_OK;
    return rl_fail(err, RL_EUSAGE, "%s reads pictures of %dx%dx%d, the data has %dx%dx%d", path,
                   dim[0], dim[1], dim[2], in[0], in[1], in[2]);
}

static enum rl_status probe_random(const struct probe_options *options,
                                   const struct probe_material *material,
                                   const struct encoder *like, struct pool *pool,
                                   struct rl_error *err) {
    struct rng rng = rng_fork((uint64_t)options->seed, "probe");
    struct encoder *other = encoder_create_like(like, &rng, err);
    enum rl_status status =
        other ? probe(options, material, other, "random", false, pool, err) : err->code;
    encoder_destroy(other);
    return status;
}

// The first encoder decides what the data must look like.
static enum rl_status load_material(struct probe_material *material,
                                    const struct probe_options *options, struct env_options *env,
                                    const struct encoder *first, struct rl_error *err) {
    struct probe_material_spec spec = {.data = options->data,
                                       .env = options->env,
                                       .options = env,
                                       .collect = (int)options->collect,
                                       .frame_stack = first->spec.in_dim[2] / 3,
                                       .test_share = options->test_share,
                                       .seed = (uint64_t)options->seed};
    if (spec.frame_stack < 1 || spec.frame_stack > 16) spec.frame_stack = 1; // not of rollouts
    env->image_size = first->spec.in_dim[0];
    return probe_material_load(material, &spec, err);
}

static enum rl_status run(const char *const *paths, int n_paths,
                          const struct probe_options *options, struct env_options *env,
                          struct rl_error *err) {
    struct probe_material material = {0};
    struct pool *pool = pool_create((int)options->threads, err);
    enum rl_status status = pool ? RL_OK : err->code;
    for (int i = 0; i < n_paths && status == RL_OK; i++) {
        struct encoder *encoder = probe_encoder_load(paths[i], err);
        status = encoder ? RL_OK : err->code;
        if (status == RL_OK && i == 0)
            status = load_material(&material, options, env, encoder, err);
        if (status == RL_OK) status = check_fit(encoder, paths[i], &material, err);
        char name[128];
        probe_encoder_name(paths[i], name, sizeof name);
        if (status == RL_OK) status = probe(options, &material, encoder, name, true, pool, err);
        if (status == RL_OK && i + 1 == n_paths && options->yardsticks) {
            status = probe_random(options, &material, encoder, pool, err);
            if (status == RL_OK && material.set.n)
                status = probe_pixels(options, &material, pool, err);
        }
        encoder_destroy(encoder);
    }
    probe_material_release(&material);
    pool_destroy(pool);
    return status;
}

enum rl_status cmd_probe(int argc, char **argv, struct rl_error *err) {
    const struct opt_table *tables[] = {&table, &env_opts};
    struct args args;
    struct probe_options options;
    struct env_options env;
    enum rl_status status = args_parse(&args, argc, argv, tables, 2, err);
    if (status == RL_OK && args.help) {
        args_print_help("probe ENC.safetensors|RUN ... [--env E | --data F] [--json]", &table);
        args_release(&args);
        return RL_OK;
    }
    if (status == RL_OK) status = config_apply(&args.config, &table, &options, err);
    if (status == RL_OK) status = config_apply(&args.config, &env_opts, &env, err);
    if (status == RL_OK) status = config_check_used(&args.config, NULL, 0, err);
    if (status == RL_OK && args.n_words < 1)
        status = rl_fail(err, RL_EUSAGE, "name encoder files, or folders of runs");
    if (status == RL_OK && options.head_layers && !options.heads[0])
        status = rl_fail(err, RL_EUSAGE, "--head_layers %lld needs --heads F",
                         (long long)options.head_layers);
    if (status == RL_OK) status = run(args.words, args.n_words, &options, &env, err);
    args_release(&args);
    return status;
}
