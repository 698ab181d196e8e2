// rlrun pretrain METHOD --env E -o F: an encoder learns from rollouts of random actions, without an
// agent.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "ssl/ssl.h"
#include "train/collect.h"

struct pretrain_options {
    char env[OPT_STRING_BYTES], encoder[OPT_STRING_BYTES], output[OPT_STRING_BYTES];
    int64_t collect, steps, seed, threads, latent_dim, frame_stack, log_every;
};
#define T struct pretrain_options
static const struct opt_spec specs[] = {
    OPT_ROW_STRING(T, env, "cheetah-run", "environment: DOMAIN-TASK or a path"),
    OPT_ROW_STRING(T, encoder, "cnn", "architecture: see 'rlrun list encoders'"),
    OPT_ROW_STRING(T, output, "encoder.safetensors", "file to write"),
    OPT_ROW_INT(T, collect, "5000", 100, 1e8, "agent steps of random actions to learn from"),
    OPT_ROW_INT(T, steps, "1000", 1, 1e9, "SSL steps"),
    OPT_ROW_INT(T, seed, "1", 0, 9e15, "of everything random"),
    OPT_ROW_INT(T, threads, "1", 1, 256, "threads"),
    OPT_ROW_INT(T, latent_dim, "50", 1, 65536, "width of the latents"),
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

static enum rl_status learn(struct ssl *ssl, const struct pretrain_options *options,
                            const struct replay *replay, struct rl_error *err) {
    struct ssl_source source = {.replay = replay, .window = replay_window(replay)};
    if (!replay_has_transition(replay, source.window))
        return rl_fail(err, RL_EUSAGE, "--collect %lld gives no transition",
                       (long long)options->collect);
    struct metrics metrics;
    metrics_clear(&metrics);
    for (int64_t i = 0; i < options->steps; i++) {
        enum rl_status status = ssl_update(ssl, &source, &metrics, err);
        if (status != RL_OK) return status;
        if (ssl->step % options->log_every && ssl->step != options->steps) continue;
        print_row(ssl, &metrics);
        metrics_clear(&metrics);
    }
    return RL_OK;
}

static enum rl_status create_and_learn(const char *method, struct config *config,
                                       const struct pretrain_options *options,
                                       const struct rollouts *rollouts, struct rl_error *err) {
    const struct env_spec *facts = env_spec(rollouts->env);
    struct encoder_spec spec = {.in_dim = {facts->frame_dim[0], facts->frame_dim[1],
                                           facts->frame_dim[2] * (int)options->frame_stack},
                                .latent_dim = (int)options->latent_dim};
    struct rng rng = rng_fork((uint64_t)options->seed, "encoder");
    struct ssl_spec own = {.action_dim = facts->action_dim,
                           .index_count = options->collect,
                           .seed = (uint64_t)options->seed};
    struct pool *pool = pool_create((int)options->threads, err);
    if (!pool) return err->code;
    struct encoder *encoder = encoder_create(options->encoder, &spec, config, &rng, err);
    struct ssl *ssl = encoder ? ssl_create(method, &own, encoder, config, pool, err) : NULL;
    enum rl_status status = ssl ? config_check_used(config, NULL, 0, err) : err->code;
    if (status == RL_OK) status = learn(ssl, options, rollouts->replay, err);
    if (status == RL_OK) status = encoder_save(encoder, &encoder->params, options->output, err);
    ssl_destroy(ssl);
    encoder_destroy(encoder);
    pool_destroy(pool);
    return status;
}

enum rl_status cmd_pretrain(int argc, char **argv, struct rl_error *err) {
    const struct opt_table *tables[] = {&table, &env_opts, &ssl_opts};
    struct args args;
    struct pretrain_options options;
    struct env_options env;
    enum rl_status status = args_parse(&args, argc, argv, tables, 3, err);
    if (status == RL_OK && args.help) {
        args_print_help("rlrun pretrain METHOD --env E [-o F] [--ssl.key=value ...]", &table);
        args_release(&args);
        return RL_OK;
    }
    if (status == RL_OK) status = config_apply(&args.config, &table, &options, err);
    if (status == RL_OK) status = config_apply(&args.config, &env_opts, &env, err);
    if (status == RL_OK && args.n_words != 1)
        status = rl_fail(err, RL_EUSAGE, "name one SSL method: see 'rlrun list ssl'");
    struct rollouts rollouts = {0};
    if (status == RL_OK) {
        env.pixels = true;
        status = rollouts_collect(&rollouts, options.env, &env, (int)options.collect,
                                  (int)options.frame_stack, (uint64_t)options.seed, err);
    }
    if (status == RL_OK)
        status = create_and_learn(args.words[0], &args.config, &options, &rollouts, err);
    rollouts_release(&rollouts);
    args_release(&args);
    return status;
}
