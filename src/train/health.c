#include "train/health.h"

#include <math.h>

#include "base/log.h"

#define SATURATED      0.95 // share of actions
#define DESATURATED    0.85
#define VALUE_FACTOR   3 // of the largest return that is possible
#define VALUE_RECOVERS 2
#define VALUE_FLOOR    10 // smaller values are not called divergence

static void look_at_policy(struct health *health, double share, int64_t step) {
    if (share < DESATURATED) health->saturated = false;
    if (!(share > SATURATED) || health->saturated) return;
    health->saturated = true;
    log_warning("step %lld: the policy saturates: %.0f%% of its actions are at the edge of their "
                "range, where it hardly learns; a larger pre_tanh_penalty or a smaller actor_lr "
                "helps",
                (long long)step, 100 * share);
}

static void look_at_critic(struct health *health, double value, const struct health_facts *facts) {
    if (facts->gamma >= 1 || facts->reward_peak <= 0) return; // no bound is known
    double bound = facts->reward_peak / (1 - facts->gamma), size = fabs(value);
    if (size < VALUE_RECOVERS * bound) health->diverged = false;
    if (!(size > VALUE_FACTOR * bound) || size < VALUE_FLOOR || health->diverged) return;
    health->diverged = true;
    log_warning("step %lld: the critic diverges: its mean value is %.3g where no return can exceed "
                "%.3g; a smaller critic_lr or tau helps",
                (long long)facts->step, value, bound);
}

void health_look(struct health *health, const struct metrics *row,
                 const struct health_facts *facts) {
    look_at_policy(health, metrics_get(row, "saturation"), facts->step);
    look_at_critic(health, metrics_get(row, "q_mean"), facts);
    if (facts->unstable > health->unstable) {
        log_warning("step %lld: unstable physics has ended %lld more episode(s), %lld in all",
                    (long long)facts->step, (long long)(facts->unstable - health->unstable),
                    (long long)facts->unstable);
        health->unstable = facts->unstable;
    }
}
