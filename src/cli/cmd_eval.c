// rlrun eval RUN [--episodes N] [--seed S] [--json]: the newest checkpoint's mean action, in its
// environment.
#include <stdio.h>

#include "base/json_line.h"
#include "cli/args.h"
#include "cli/command.h"
#include "train/evaluate.h"
#include "train/run_dir.h"

struct eval_options {
    int64_t episodes, seed;
    bool json;
};
static const struct opt_spec eval_specs[] = {
    OPT_ROW_INT(struct eval_options, episodes, "10", 1, 1000000, "episodes to run"),
    OPT_ROW_INT(struct eval_options, seed, "1000", 0, 9e15, "seed of the environment"),
    OPT_ROW_BOOL(struct eval_options, json, "false", "one JSON object"),
    OPT_END,
};
static const struct opt_table eval_table = {"", eval_specs};

static void show_episode(void *context, int64_t episode, double value) {
    (void)context;
    fprintf(stderr, "episode %lld: return %.2f\n", (long long)episode + 1, value);
}

static void print_result(const struct evaluation *result, bool json) {
    if (!json) {
        printf("return %.2f +- %.2f (min %.2f, max %.2f) over %lld episodes, %lld steps, %lld "
               "frames\n",
               result->return_mean, result->return_std, result->return_min, result->return_max,
               (long long)result->episodes, (long long)result->steps, (long long)result->frames);
        return;
    }
    struct text line = {0};
    json_line_begin(&line);
    json_line_real(&line, "return_mean", result->return_mean);
    json_line_real(&line, "return_std", result->return_std);
    json_line_real(&line, "return_min", result->return_min);
    json_line_real(&line, "return_max", result->return_max);
    json_line_int(&line, "episodes", result->episodes);
    json_line_int(&line, "steps", result->steps);
    json_line_int(&line, "frames", result->frames);
    json_line_end(&line);
    fputs(line.data, stdout);
    text_release(&line);
}

static enum rl_status run_eval(const char *word, const struct eval_options *options,
                               struct rl_error *err) {
    struct policy policy;
    struct env *env;
    struct evaluation result;
    struct run_dir run;
    enum rl_status status = run_dir_find(&run, word, err);
    if (status != RL_OK) return status;
    status = policy_load(&policy, run.path, (uint64_t)options->seed, &env, err);
    if (status != RL_OK) return status;
    status = evaluate(&policy, env, options->episodes, options->json ? NULL : show_episode, NULL,
                      NULL, &result, err);
    if (status == RL_OK) print_result(&result, options->json);
    policy_release(&policy);
    env_destroy(env);
    return status;
}

enum rl_status cmd_eval(int argc, char **argv, struct rl_error *err) {
    struct args args;
    struct eval_options options;
    enum rl_status status = args_read(&args, argc, argv, &eval_table, &options, 1, err);
    if (status == RL_OK && args.help) {
        args_print_help("eval RUN [--episodes N] [--seed S] [--json]", &eval_table);
    } else if (status == RL_OK) {
        status = args.n_words == 1
                     ? run_eval(args.words[0], &options, err)
                     : rl_fail(err, RL_EUSAGE, "usage: rlrun eval RUN [--episodes N]");
    }
    args_release(&args);
    return status;
}
