#include "train/parts.h"

#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"

#define TABLE_LIMIT 128

// A part without options has no table.
static size_t add_table(const struct opt_table **tables, size_t count, size_t max,
                        const struct opt_table *table) {
    if (table->specs && count < max) tables[count++] = table;
    return count;
}

size_t parts_tables(const struct opt_table **tables, size_t max) {
    const struct opt_table *own[] = {&run_opts,  &env_opts,     &replay_opts,
                                     &loop_opts, &explore_opts, &ssl_opts};
    size_t n = 0;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) n = add_table(tables, n, max, own[i]);
    for (int i = 0; i < agent_count(); i++) n = add_table(tables, n, max, &agent_at(i)->opts);
    for (int i = 0; i < encoder_count(); i++) n = add_table(tables, n, max, &encoder_at(i)->opts);
    for (int i = 0; i < ssl_count(); i++) n = add_table(tables, n, max, &ssl_at(i)->opts);
    return n;
}

// --- what --encoder means ---

static enum rl_status unknown_encoder(const char *name, struct rl_error *err) {
    const char *names[TABLE_LIMIT];
    size_t count = 0;
    names[count++] = "state";
    for (int i = 0; i < encoder_count(); i++) names[count++] = encoder_at(i)->name;
    for (int i = 0; i < ssl_count(); i++) names[count++] = ssl_at(i)->name;
    char suggestion[128];
    text_suggestion(suggestion, sizeof suggestion, name, names, count);
    return rl_fail(err, RL_EUSAGE,
                   "unknown encoder '%.100s'%s; see 'rlrun list encoders' and 'rlrun list ssl'",
                   name, suggestion);
}

static bool is_file(const char *name) {
    return strchr(name, '/') || strstr(name, ".safetensors");
}

// "state", "ARCH" (end to end), "SSL" (= cnn+SSL), "ARCH+SSL", "ARCH+none" (untrained),
// "FILE[+SSL]".
static enum rl_status parse_encoder(struct parts *parts, struct rl_error *err) {
    char arch[OPT_STRING_BYTES], *method = "";
    strcpy(arch, parts->run.encoder);
    char *plus = strrchr(arch, '+');
    if (plus) *plus = '\0', method = plus + 1;
    if (!plus && !strcmp(arch, "state")) {
        parts->features = FEATURE_KIND_STATE;
        return RL_OK;
    }
    if (!plus && ssl_find(arch)) {
        method = strcpy(parts->ssl_name, ssl_find(arch)->name);
        strcpy(arch, "cnn");
        plus = arch;
    }
    bool file = is_file(arch);
    if (!file && (!encoder_find(arch) || encoder_find(arch)->vector_input))
        return unknown_encoder(arch, err);
    if (*method && strcmp(method, "none") && !ssl_find(method)) return unknown_encoder(method, err);
    bool joint = parts->loop.mode == ENCODER_MODE_JOINT;
    parts->features = (plus || file) && !joint ? FEATURE_KIND_LATENTS : FEATURE_KIND_PIXELS;
    if (*method && strcmp(method, "none") && !parts->run.freeze) {
        snprintf(parts->ssl_name, sizeof parts->ssl_name, "%s", ssl_find(method)->name);
    }
    snprintf(parts->encoder_name, sizeof parts->encoder_name, "%s",
             file ? "" : encoder_find(arch)->name);
    return RL_OK;
}

enum rl_status parts_read_options(struct parts *parts, const char *agent, struct config *config,
                                  struct rl_error *err) {
    *parts = (struct parts){0};
    enum rl_status status = config_apply(config, &run_opts, &parts->run, err);
    if (status == RL_OK) status = config_apply(config, &env_opts, &parts->env, err);
    if (status == RL_OK) status = config_apply(config, &replay_opts, &parts->replay, err);
    if (status == RL_OK) status = config_apply(config, &loop_opts, &parts->loop, err);
    if (status == RL_OK) status = config_apply(config, &explore_opts, &parts->explore, err);
    if (status != RL_OK) return status;
    const char *name = agent && *agent ? agent : parts->run.agent;
    const struct agent_ops *ops = agent_find(name);
    if (!ops)
        return rl_fail(err, RL_EUSAGE, "unknown agent '%.60s'; see 'rlrun list agents'", name);
    snprintf(parts->run.agent, sizeof parts->run.agent, "%s", ops->name);
    snprintf(parts->agent_name, sizeof parts->agent_name, "%s", ops->name);
    status = parse_encoder(parts, err);
    parts->env.pixels = parts->features != FEATURE_KIND_STATE;
    return status;
}

// --- creation ---

static enum rl_status create_encoder(struct parts *parts, struct config *config,
                                     struct rl_error *err) {
    const struct loop_options *loop = &parts->loop;
    struct encoder_spec spec = {
        .in_dim = {parts->stack_dim[0], parts->stack_dim[1], parts->stack_dim[2]},
        .latent_dim = parts->features == FEATURE_KIND_LATENTS ? (int)loop->latent_dim : 0,
    };
    if (*parts->encoder_name) {
        struct rng rng = rng_fork((uint64_t)parts->run.seed, "encoder");
        parts->encoder = encoder_create(parts->encoder_name, &spec, config, &rng, err);
        return parts->encoder ? RL_OK : err->code;
    }
    char path[OPT_STRING_BYTES];
    strcpy(path, parts->run.encoder);
    char *plus = strrchr(path, '+');
    if (plus) *plus = '\0';
    parts->encoder = encoder_load(path, err);
    if (!parts->encoder) return err->code;
    snprintf(parts->encoder_name, sizeof parts->encoder_name, "%s", parts->encoder->ops->name);
    const int *have = parts->encoder->spec.in_dim;
    if (memcmp(have, spec.in_dim, sizeof spec.in_dim)) {
        return rl_fail(err, RL_EUSAGE, "%s takes %dx%dx%d pixels, this run gives %dx%dx%d", path,
                       have[0], have[1], have[2], spec.in_dim[0], spec.in_dim[1], spec.in_dim[2]);
    }
    return RL_OK;
}

static enum rl_status create_ssl(struct parts *parts, struct config *config, int action_dim,
                                 struct pool *pool, struct rl_error *err) {
    struct ssl_spec spec = {.action_dim = action_dim,
                            .index_count = parts->replay.capacity,
                            .seed = (uint64_t)parts->run.seed};
    parts->ssl = ssl_create(parts->ssl_name, &spec, parts->encoder, config, pool, err);
    return parts->ssl ? RL_OK : err->code;
}

static enum rl_status create_agent(struct parts *parts, struct config *config, int action_dim,
                                   struct pool *pool, struct rl_error *err) {
    struct agent_spec spec = {
        .feature_dim = parts->feature_dim,
        .action_dim = action_dim,
        .encoder = parts->features == FEATURE_KIND_PIXELS ? parts->encoder : NULL,
        .seed = (uint64_t)parts->run.seed,
    };
    parts->agent = agent_create(parts->agent_name, &spec, config, pool, err);
    if (!parts->agent) return err->code;
    if (spec.encoder) {
        struct optimizer_hyper hyper = optimizer_adam(parts->agent->schedule.encoder_lr);
        optimizer_init(&parts->encoder_optimizer, &parts->encoder->params, hyper);
    }
    return RL_OK;
}

// Options of a method, an architecture or an agent that this run does not use are still checked; on
// the command line they are an error.
static enum rl_status check_unused(const struct config *config, struct rl_error *err) {
    const struct opt_table *tables[TABLE_LIMIT];
    size_t count = parts_tables(tables, TABLE_LIMIT);
    return config_check_used(config, tables, count, err);
}

enum rl_status parts_create(struct parts *parts, struct config *config, const struct env_spec *env,
                            bool acting_only, struct pool *agent_pool, struct pool *ssl_pool,
                            struct rl_error *err) {
    enum rl_status status = RL_OK;
    if (parts->features == FEATURE_KIND_STATE) {
        parts->feature_dim = env->obs_dim;
    } else {
        memcpy(parts->stack_dim, env->frame_dim, sizeof parts->stack_dim);
        parts->stack_dim[2] *= (int)parts->loop.frame_stack;
        status = create_encoder(parts, config, err);
    }
    if (status == RL_OK && parts->features == FEATURE_KIND_LATENTS) {
        parts->latent_dim = parts->encoder->out_dim;
        parts->feature_dim = parts->latent_dim * (int)parts->loop.latent_stack;
        snapshot_init(&parts->snapshot, parts->encoder, parts->loop.latent_clip);
    }
    if (status == RL_OK && *parts->ssl_name && !acting_only) {
        status = create_ssl(parts, config, env->action_dim, ssl_pool, err);
    }
    if (status == RL_OK) status = create_agent(parts, config, env->action_dim, agent_pool, err);
    if (status == RL_OK && !acting_only) status = check_unused(config, err);
    return status;
}

size_t parts_stack_bytes(const struct parts *parts) {
    const int *dim = parts->stack_dim;
    return (size_t)dim[0] * (size_t)dim[1] * (size_t)dim[2];
}

void parts_release(struct parts *parts) {
    if (parts->features == FEATURE_KIND_LATENTS) snapshot_release(&parts->snapshot);
    if (parts->encoder_optimizer.params) optimizer_release(&parts->encoder_optimizer);
    agent_destroy(parts->agent);
    ssl_destroy(parts->ssl);
    encoder_destroy(parts->encoder);
    *parts = (struct parts){0};
}

void parts_visit_policy(struct parts *parts, struct state_visitor *visitor) {
    agent_visit(parts->agent, "agent", visitor);
    if (parts->features == FEATURE_KIND_LATENTS)
        snapshot_visit(&parts->snapshot, "snapshot", visitor);
    if (parts->encoder) state_params(visitor, "encoder", &parts->encoder->params);
}

void parts_visit_training(struct parts *parts, struct state_visitor *visitor) {
    if (parts->ssl) ssl_visit(parts->ssl, "ssl", visitor);
    if (parts->encoder_optimizer.params) {
        optimizer_visit(&parts->encoder_optimizer, "encoder_optimizer", visitor);
    }
}

void parts_dump(const struct parts *parts, struct text *out) {
    opt_dump_yaml(&run_opts, &parts->run, out);
    opt_dump_yaml(&env_opts, &parts->env, out);
    opt_dump_yaml(&replay_opts, &parts->replay, out);
    opt_dump_yaml(&loop_opts, &parts->loop, out);
    opt_dump_yaml(&explore_opts, &parts->explore, out);
    opt_dump_yaml(&parts->agent->ops->opts, parts->agent->options, out);
    if (parts->encoder) opt_dump_yaml(&parts->encoder->ops->opts, parts->encoder->options, out);
    if (!parts->ssl) return;
    opt_dump_yaml(&ssl_opts, &parts->ssl->common, out);
    opt_dump_yaml(&parts->ssl->ops->opts, parts->ssl->options, out);
}
