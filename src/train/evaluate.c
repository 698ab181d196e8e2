#include "train/evaluate.h"

#include <math.h>

static enum rl_status run_episode(struct policy *policy, struct env *env, const volatile int *stop,
                                  struct evaluation *result, double *episode_return,
                                  struct rl_error *err) {
    struct time_step step;
    double action[AGENT_MAX_ACTIONS];
    enum rl_status status = env_reset(env, &step, err);
    for (*episode_return = 0; status == RL_OK && !step.last;) {
        if (stop && *stop) return rl_fail(err, RL_EINTERRUPT, "interrupted");
        policy_observe(policy, &step);
        policy_act(policy, action);
        status = env_step(env, action, &step, err);
        if (status != RL_OK) break;
        *episode_return += step.reward;
        result->steps++;
        result->frames += step.frames;
    }
    return status;
}

enum rl_status evaluate(struct policy *policy, struct env *env, int64_t episodes,
                        void (*on_episode)(void *context, int64_t episode, double value),
                        void *context, const volatile int *stop, struct evaluation *result,
                        struct rl_error *err) {
    *result =
        (struct evaluation){.episodes = episodes, .return_min = INFINITY, .return_max = -INFINITY};
    double sum = 0, square = 0;
    for (int64_t i = 0; i < episodes; i++) {
        double value;
        enum rl_status status = run_episode(policy, env, stop, result, &value, err);
        if (status != RL_OK) return status;
        if (on_episode) on_episode(context, i, value);
        sum += value;
        square += value * value;
        result->return_min = fmin(result->return_min, value);
        result->return_max = fmax(result->return_max, value);
    }
    double n = (double)episodes;
    result->return_mean = sum / n;
    result->return_std = sqrt(fmax(0, square / n - result->return_mean * result->return_mean));
    return RL_OK;
}
