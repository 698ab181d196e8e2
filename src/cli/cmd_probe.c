// rlrun probe ENC --env E: how much of the true state (qpos, qvel) and of the reward a linear map
// reads from an encoder's frozen latents, on rollouts of random actions, beside the same encoder
// with new weights.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json_line.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "encoders/encoder.h"
#include "ssl/probe.h"
#include "train/collect.h"

#define CHUNK 32 // stacks encoded at once

struct probe_options {
    char env[OPT_STRING_BYTES];
    int64_t collect, seed;
    double ridge, test_share;
    bool json;
};
#define T struct probe_options
static const struct opt_spec specs[] = {
    OPT_ROW_STRING(T, env, "cheetah-run", "environment: DOMAIN-TASK or a path"),
    OPT_ROW_INT(T, collect, "4000", 100, 1e7, "agent steps of random actions"),
    OPT_ROW_INT(T, seed, "1001", 0, 9e15, "of the rollouts"),
    OPT_ROW_REAL(T, ridge, "1e-3", 0, 1e6, "shrinkage of the regression"),
    OPT_ROW_REAL(T, test_share, "0.3", 0.05, 0.9, "last part of the rollouts, for testing"),
    OPT_ROW_BOOL(T, json, "false", "one JSON object a line"),
    OPT_END,
};
#undef T
static const struct opt_table table = {"", specs};

static void fill_targets(const struct rollouts *rollouts, int n, int m, real *y) {
    for (int i = 0; i < n; i++) {
        const float *state = replay_obs(rollouts->replay, i);
        for (int j = 0; j + 1 < m; j++) y[(size_t)i * m + j] = state[j];
        // The reward of the action taken here; at an episode's end there is none.
        bool last = replay_is_last(rollouts->replay, i) || i + 1 == n;
        y[(size_t)i * m + m - 1] = last ? 0 : (real)replay_reward(rollouts->replay, i);
    }
}

static enum rl_status encode_all(struct encoder *encoder, const struct replay *replay, int n,
                                 real *x, struct rl_error *err) {
    const int *dim = encoder->spec.in_dim;
    size_t each = (size_t)dim[0] * dim[1] * dim[2];
    struct tape *tape = tape_create(encoder_tape_bytes(encoder, CHUNK) + (1 << 16), NULL, err);
    if (!tape) return RL_ENOMEM;
    uint8_t *pixels = mem_alloc(CHUNK * each);
    for (int begin = 0; begin < n; begin += CHUNK) {
        int count = n - begin < CHUNK ? n - begin : CHUNK;
        for (int i = 0; i < count; i++) replay_stack(replay, begin + i, pixels + i * each);
        tape_reset(tape);
        tape_set_recording(tape, false);
        struct encoder_input input = {.n = count, .pixels = pixels};
        struct tensor *z = encoder_forward(encoder, tape, &encoder->params, &input);
        memcpy(x + (size_t)begin * encoder->out_dim, z->data, z->count * sizeof(real));
    }
    mem_free(pixels);
    tape_destroy(tape);
    return RL_OK;
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

static void report(const struct probe_options *options, const char *weights, double qpos,
                   double qvel, double reward) {
    if (!options->json) {
        printf("%-10s R2 of qpos %.3f  qvel %.3f  reward %.3f\n", weights, qpos, qvel, reward);
        return;
    }
    struct text line = {0};
    json_line_begin(&line);
    json_line_string(&line, "weights", weights);
    json_line_string(&line, "env", options->env);
    json_line_real(&line, "r2_qpos", qpos);
    json_line_real(&line, "r2_qvel", qvel);
    json_line_real(&line, "r2_reward", reward);
    json_line_end(&line);
    fputs(line.data, stdout);
    text_release(&line);
}

static enum rl_status probe(struct encoder *encoder, const char *weights,
                            const struct probe_options *options, const struct rollouts *rollouts,
                            struct rl_error *err) {
    int n = (int)options->collect, d = encoder->out_dim,
        m = rollouts->n_qpos + rollouts->n_qvel + 1, n_train = (int)(n * (1 - options->test_share));
    real *x = MEM_ARRAY(real, mem_size(n, d)), *y = MEM_ARRAY(real, mem_size(n, m));
    double *r2 = MEM_ARRAY(double, m);
    enum rl_status status = encode_all(encoder, rollouts->replay, n, x, err);
    if (status == RL_OK) {
        fill_targets(rollouts, n, m, y);
        struct probe_set train = {.n = n_train, .d = d, .x = x, .y = y, .m = m};
        struct probe_set test = {.n = n - n_train,
                                 .d = d,
                                 .x = x + (size_t)n_train * d,
                                 .y = y + (size_t)n_train * m,
                                 .m = m};
        probe_regression(&train, &test, options->ridge, r2);
        report(options, weights, mean_of(r2, rollouts->n_qpos),
               mean_of(r2 + rollouts->n_qpos, rollouts->n_qvel), r2[m - 1]);
    }
    mem_free(x);
    mem_free(y);
    mem_free(r2);
    return status;
}

static enum rl_status run(const char *path, const struct probe_options *options,
                          struct env_options *env, struct rl_error *err) {
    struct encoder *encoder = encoder_load(path, err);
    if (!encoder) return err->code;
    const int *dim = encoder->spec.in_dim;
    struct rollouts rollouts = {0};
    enum rl_status status = RL_OK;
    env->pixels = true;
    if (dim[2] % 3 || dim[0] != dim[1] || dim[2] == 0)
        status = rl_fail(err, RL_EUSAGE, "%s does not read stacks of square RGB frames", path);
    env->image_size = dim[0];
    if (status == RL_OK)
        status = rollouts_collect(&rollouts, options->env, env, (int)options->collect, dim[2] / 3,
                                  (uint64_t)options->seed, err);
    if (status == RL_OK) status = probe(encoder, "trained", options, &rollouts, err);
    if (status == RL_OK) {
        struct rng rng = rng_fork((uint64_t)options->seed, "probe");
        struct encoder *other = encoder_create_like(encoder, &rng, err);
        status = other ? probe(other, "random", options, &rollouts, err) : err->code;
        encoder_destroy(other);
    }
    rollouts_release(&rollouts);
    encoder_destroy(encoder);
    return status;
}

enum rl_status cmd_probe(int argc, char **argv, struct rl_error *err) {
    const struct opt_table *tables[] = {&table, &env_opts};
    struct args args;
    struct probe_options options;
    struct env_options env;
    enum rl_status status = args_parse(&args, argc, argv, tables, 2, err);
    if (status == RL_OK && args.help) {
        args_print_help("rlrun probe FILE.safetensors --env E [--json]", &table);
        args_release(&args);
        return RL_OK;
    }
    if (status == RL_OK) status = config_apply(&args.config, &table, &options, err);
    if (status == RL_OK) status = config_apply(&args.config, &env_opts, &env, err);
    if (status == RL_OK) status = config_check_used(&args.config, NULL, 0, err);
    if (status == RL_OK && args.n_words != 1)
        status = rl_fail(err, RL_EUSAGE, "name one encoder file");
    if (status == RL_OK) status = run(args.words[0], &options, &env, err);
    args_release(&args);
    return status;
}
