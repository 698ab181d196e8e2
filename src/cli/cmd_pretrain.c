// rlrun pretrain METHOD --env E | --data F -o F: an encoder learns from rollouts of random actions,
// from recorded ones, or from pictures, without an agent.
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/command.h"
#include "nn/weights.h"
#include "replay/dataset.h"
#include "ssl/ssl.h"
#include "train/collect.h"

struct pretrain_options {
    char env[OPT_STRING_BYTES], data[OPT_STRING_BYTES], encoder[OPT_STRING_BYTES],
        output[OPT_STRING_BYTES], heads[OPT_STRING_BYTES];
    int64_t collect, steps, seed, threads, latent_dim, frame_stack, log_every;
};
#define T struct pretrain_options
static const struct opt_spec specs[] = {
    OPT_ROW_STRING(T, env, "cheetah-run", "environment: DOMAIN-TASK or a path"),
    OPT_ROW_STRING(T, data, "",
                   "instead: a file of 'rlrun collect', or pictures (.npy, .npz, IDX, a folder)"),
    OPT_ROW_STRING(T, encoder, "cnn", "architecture: see 'rlrun list encoders'"),
    OPT_ROW_STRING(T, output, "encoder.safetensors", "file to write"),
    OPT_ROW_STRING(T, heads, "",
                   "file for the method's heads too (probe --heads); empty: not kept"),
    OPT_ROW_INT(T, collect, "5000", 100, 1e8, "agent steps of random actions to learn from"),
    OPT_ROW_INT(T, steps, "1000", 1, 1e9, "SSL steps"),
    OPT_ROW_INT(T, seed, "1", 0, 9e15, "of everything random"),
    OPT_ROW_INT(T, threads, "1", 1, 256, "threads"),
    OPT_ROW_INT(T, latent_dim, "50", 0, 65536,
                "width of the latents; 0 = the encoder's own features, not projected"),
    OPT_ROW_INT(T, frame_stack, "3", 1, 16, "frames in the encoder's input"),
    OPT_ROW_INT(T, log_every, "100", 1, 1e9, "SSL steps between printed rows"),
    OPT_END,
};
#undef T
static const struct opt_table table = {"", specs};

static void print_row(const struct ssl *ssl, const struct metrics *metrics) {
    printf("step %lld", (long long)ssl->step);
    for (int i = 0; i < metrics->count; i++)
        printf("  %s %.4g", metrics->name[i], metrics_mean(metrics, i));
    printf("\n");
    fflush(stdout);
}

// What there is to learn from: rollouts, or pictures.
struct material {
    struct rollouts rollouts;
    struct dataset pictures;
    int in_dim[3], action_dim;
    int64_t count; // of samples with an index
    struct ssl_source source;
};

static enum rl_status load_rollouts(struct material *material,
                                    const struct pretrain_options *options,
                                    const struct env_options *env, struct rl_error *err) {
    struct rollouts_spec spec = {.env = options->env,
                                 .options = env,
                                 .steps = (int)options->collect,
                                 .frame_stack = (int)options->frame_stack,
                                 .seed = (uint64_t)options->seed};
    enum rl_status status = rollouts_open(&material->rollouts, options->data, &spec, err);
    if (status != RL_OK) return status;
    const struct replay *replay = material->rollouts.replay;
    const struct replay_spec *facts = replay_spec(replay);
    rollouts_in_dim(&material->rollouts, material->in_dim);
    material->action_dim = facts->action_dim;
    material->count = facts->capacity;
    material->source = (struct ssl_source){.replay = replay, .window = replay_window(replay)};
    if (!replay_has_transition(replay, material->source.window))
        return rl_fail(err, RL_EUSAGE, "%lld rollout steps give no transition",
                       (long long)replay_end(replay));
    return RL_OK;
}

// Only the part for training is seen here.
static enum rl_status load_pictures(struct material *material, const char *path,
                                    struct rl_error *err) {
    struct dataset *set = &material->pictures;
    enum rl_status status = dataset_load(path, set, err);
    if (status != RL_OK) return status;
    material->in_dim[0] = set->h;
    material->in_dim[1] = set->w;
    material->in_dim[2] = set->c;
    material->count = set->n_train;
    material->source = (struct ssl_source){.images = set->images, .count = set->n_train};
    return RL_OK;
}

static enum rl_status learn(struct ssl *ssl, const struct pretrain_options *options,
                            const struct ssl_source *source, struct rl_error *err) {
    struct metrics metrics;
    metrics_clear(&metrics);
    for (int64_t i = 0; i < options->steps; i++) {
        enum rl_status status = ssl_update(ssl, source, &metrics, err);
        if (status != RL_OK) return status;
        if (ssl->step % options->log_every && ssl->step != options->steps) continue;
        print_row(ssl, &metrics);
        metrics_clear(&metrics);
    }
    return RL_OK;
}

static enum rl_status save(const struct ssl *ssl, const struct encoder *encoder,
                           const struct pretrain_options *options, struct rl_error *err) {
    enum rl_status status = encoder_save(encoder, &encoder->params, options->output, err);
    if (status != RL_OK || !options->heads[0]) return status;
    struct weights_block block = {"", (struct params *)&ssl->heads};
    const char *meta[] = {"method", ssl->ops->name};
    return weights_save(options->heads, &block, 1, meta, 1, err);
}

static enum rl_status create_and_learn(const char *method, struct config *config,
                                       const struct pretrain_options *options,
                                       const struct material *material, struct rl_error *err) {
    struct encoder_spec spec = {.latent_dim = (int)options->latent_dim};
    memcpy(spec.in_dim, material->in_dim, sizeof spec.in_dim);
    struct rng rng = rng_fork((uint64_t)options->seed, "encoder");
    struct ssl_spec own = {.action_dim = material->action_dim,
                           .index_count = material->count,
                           .seed = (uint64_t)options->seed};
    struct pool *pool = pool_create((int)options->threads, err);
    if (!pool) return err->code;
    struct encoder *encoder = encoder_create(options->encoder, &spec, config, &rng, err);
    struct ssl *ssl = encoder ? ssl_create(method, &own, encoder, config, pool, err) : NULL;
    enum rl_status status = ssl ? config_check_used(config, NULL, 0, err) : err->code;
    if (status == RL_OK) status = learn(ssl, options, &material->source, err);
    if (status == RL_OK) status = save(ssl, encoder, options, err);
    ssl_destroy(ssl);
    encoder_destroy(encoder);
    pool_destroy(pool);
    return status;
}

static enum rl_status run(const char *method, struct config *config,
                          const struct pretrain_options *options, const struct env_options *env,
                          struct rl_error *err) {
    struct material material = {0};
    bool pictures = options->data[0] && !rollouts_is_file(options->data);
    enum rl_status status = pictures ? load_pictures(&material, options->data, err)
                                     : load_rollouts(&material, options, env, err);
    if (status == RL_OK && pictures && !config_get(config, "ssl", "augment"))
        config_add(config, "ssl", "augment", "crop", "pretrain --data", false);
    if (status == RL_OK) status = create_and_learn(method, config, options, &material, err);
    rollouts_release(&material.rollouts);
    dataset_free(&material.pictures);
    return status;
}

enum rl_status cmd_pretrain(int argc, char **argv, struct rl_error *err) {
    const struct opt_table *tables[] = {&table, &env_opts, &ssl_opts};
    struct args args;
    struct pretrain_options options;
    struct env_options env;
    enum rl_status status = args_parse(&args, argc, argv, tables, 3, err);
    if (status == RL_OK && args.help) {
        args_print_help("pretrain METHOD [--env E | --data F] [-o F] [--ssl.key=value ...]",
                        &table);
        args_release(&args);
        return RL_OK;
    }
    if (status == RL_OK) status = config_apply(&args.config, &table, &options, err);
    if (status == RL_OK) status = config_apply(&args.config, &env_opts, &env, err);
    if (status == RL_OK && args.n_words != 1)
        status = rl_fail(err, RL_EUSAGE, "name one SSL method: see 'rlrun list ssl'");
    if (status == RL_OK) status = run(args.words[0], &args.config, &options, &env, err);
    args_release(&args);
    return status;
}
