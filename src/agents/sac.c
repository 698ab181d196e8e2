// SAC (Haarnoja 2018, https://arxiv.org/abs/1812.05905): a squashed Gaussian policy that is paid
// for its entropy, at a temperature alpha that is learned so that the entropy stays near its
// target.
//   a = tanh(x), x = mu(s) + sigma(s) eps;  log pi = log N(x; mu, sigma) - sum log(1 - a^2)
//   target       y = r + discount * (min_i Q_i'(s', a') - alpha log pi(a'|s'))
//   actor        minimise alpha log pi(a|s) - min_i Q_i(s, a)
//   temperature  minimise -alpha (log pi(a|s) + target entropy) over log alpha
// Every policy_delay updates there are policy_delay actor steps, each with a temperature step on
// actions of the new policy; target critics move in every update.
#include <math.h>
#include <string.h>

#include "agents/actor.h"
#include "agents/core.h"
#include "agents/critic.h"
#include "agents/noise.h"
#include "base/mem.h"

// log sigma = LOW + (HIGH - LOW) (1 + tanh(output)) / 2.
#define LOG_STD_LOW  -5.0
#define LOG_STD_HIGH 2.0
#define LOG_EPS      1e-6                   // inside the logarithm of 1 - a^2
#define HALF_LOG_TAU 0.91893853320467274178 // log(2 pi) / 2

static const struct opt_spec specs[] = {
    AGENT_ROW_BATCH("256"),
    AGENT_ROW_N_STEP("1"),
    AGENT_ROW_GAMMA("0.99"),
    AGENT_ROW_TAU("0.005"),
    AGENT_ROW_HIDDEN("256"),
    AGENT_ROW_LAYERS("2"),
    AGENT_ROW_TRUNK("-1"),
    AGENT_ROW_ACTOR_LR("3e-4"),
    AGENT_ROW_CRITIC_LR("1e-3"),
    AGENT_ROW_ENCODER_LR("1e-3"),
    AGENT_ROW_POLICY_DELAY("2"),
    AGENT_ROW_RANDOM_STEPS("5000"),
    AGENT_ROW_UPDATES_PER_STEP("1"),
    AGENT_ROW_CLIP_NORM("0"),
    AGENT_ROW_CRITIC_DECAY("0"),
    AGENT_ROW_CRITIC_LAYER_NORM("false"),
    AGENT_ROW_CLIPPED_DOUBLE_Q("true"),
    OPT_ROW_BOOL(struct agent_options, learn_alpha, "true", "learn the temperature"),
    AGENT_REAL(alpha_init, "1", 1e-8, 1000, "temperature at the start, or for ever"),
    AGENT_REAL(alpha_lr, "1e-3", 0, 1, "Adam's rate for the log of the temperature"),
    AGENT_REAL(target_entropy, "-1", -100, 100, "wanted entropy in nats, an action dimension"),
    OPT_END,
};

struct sac {
    struct actor actor;
    struct critic critic;
    struct learner actor_learner, critic_learner, temperature_learner;
    int log_alpha; // parameter id
    real *target;  // (batch)
};

static enum rl_status sac_create(struct agent *agent, struct rl_error *err) {
    const struct agent_options *o = agent->options;
    struct sac *sac = agent->state;
    struct init init = {INIT_FAN_IN, 0};
    agent_set_schedule(agent);
    sac->actor = actor_add(agent, 2 * agent->spec.action_dim, init, init);
    sac->critic = critic_add(agent, init, init);
    sac->log_alpha = params_add(&agent->params, "temperature.log_alpha", 1, (int[]){1},
                                (struct init){INIT_CONSTANT, log(o->alpha_init)}, 0, 0);
    size_t row_reals = actor_row_reals(&sac->actor) + 2 * critic_row_reals(&sac->critic);
    enum rl_status status = agent_finish(agent, row_reals, err);
    if (status != RL_OK) return status;
    learner_init(&sac->actor_learner, agent, "actor", o->actor_lr, 0);
    learner_init(&sac->critic_learner, agent, "critic", o->critic_lr, o->critic_decay);
    learner_init(&sac->temperature_learner, agent, "temperature", o->alpha_lr, 0);
    sac->target = MEM_ARRAY(real, o->batch);
    return RL_OK;
}

static void sac_destroy(struct agent *agent) {
    struct sac *sac = agent->state;
    learner_release(&sac->actor_learner);
    learner_release(&sac->critic_learner);
    learner_release(&sac->temperature_learner);
    mem_free(sac->target);
}

static void sac_visit(struct agent *agent, struct state_visitor *visitor) {
    struct sac *sac = agent->state;
    learner_visit(&sac->actor_learner, visitor);
    learner_visit(&sac->critic_learner, visitor);
    learner_visit(&sac->temperature_learner, visitor);
}

static real alpha_of(const struct agent *agent) {
    const struct sac *sac = agent->state;
    size_t at = agent->params.items[sac->log_alpha].offset;
    return (real)exp((double)agent->params.value[at]);
}

struct sample {
    struct tensor *action, *log_pi; // (n, action_dim), (n, 1)
};

// log pi of a = tanh(mean + std * noise). The normal's density at its own sample depends on the
// noise and log std only.
static struct tensor *log_density(struct agent *agent, struct tensor *action,
                                  struct tensor *log_std, const struct tensor *noise) {
    struct tape *tape = agent->tape;
    struct tensor *constant = tape_new(tape, 2, noise->dim, false);
    for (size_t i = 0; i < noise->count; i++) {
        constant->data[i] = (real)-0.5 * noise->data[i] * noise->data[i] - (real)HALF_LOG_TAU;
    }
    // d a / d x, in the units that the critic sees.
    double scale = agent->tap ? agent->tap->action_scale : 1;
    struct tensor *slope = op_affine(tape, op_square(tape, action), -scale, scale + LOG_EPS);
    struct tensor *normal = op_sub(tape, constant, log_std);
    return op_sum_columns(tape, op_sub(tape, normal, op_log(tape, slope)));
}

// An action of the online policy for each row. rng or the test's tap gives the noise.
static struct sample sample_policy(struct agent *agent, struct tensor *features, struct rng *rng,
                                   const char *name) {
    struct sac *sac = agent->state;
    struct tape *tape = agent->tape;
    int dim = agent->spec.action_dim;
    struct tensor *output = actor_forward(agent, &sac->actor, &agent->params, features);
    struct tensor *mean = op_columns(tape, output, 0, dim);
    struct tensor *squashed = op_tanh(tape, op_columns(tape, output, dim, dim));
    double half = (LOG_STD_HIGH - LOG_STD_LOW) / 2;
    struct tensor *log_std = op_affine(tape, squashed, half, LOG_STD_LOW + half);
    struct tensor *noise = tape_new(tape, 2, mean->dim, false);
    noise_normals(agent, rng, name, noise->data, noise->count);
    struct tensor *spread = op_mul(tape, op_exp(tape, log_std), noise);
    struct tensor *action = op_tanh(tape, op_add(tape, mean, spread));
    return (struct sample){action, log_density(agent, action, log_std, noise)};
}

static void sac_act(struct agent *agent, const struct encoder_input *input, int64_t step,
                    bool explore, real *action) {
    (void)step; // the policy's own spread explores; there is no schedule
    struct sac *sac = agent->state;
    struct tape *tape = agent->tape;
    tape_reset(tape);
    tape_set_recording(tape, false);
    struct tensor *features = agent_features(agent, input), *chosen;
    if (explore) {
        chosen = sample_policy(agent, features, &agent->noise_rng, "explore").action;
    } else {
        struct tensor *output = actor_forward(agent, &sac->actor, &agent->params, features);
        chosen = op_tanh(tape, op_columns(tape, output, 0, agent->spec.action_dim));
    }
    memcpy(action, chosen->data, chosen->count * sizeof *action);
    tape_reset(tape);
}

static real sac_value(struct agent *agent, const struct encoder_input *input, const real *action) {
    const struct sac *sac = agent->state;
    return critic_value(agent, &sac->critic, input, action);
}

static void compute_target(struct agent *agent, const struct batch *batch) {
    struct sac *sac = agent->state;
    struct tape *tape = agent->tape;
    tape_reset(tape);
    tape_set_recording(tape, false);
    struct encoder_input input = batch_next(batch);
    struct tensor *next = agent_features(agent, &input);
    struct sample sample = sample_policy(agent, next, &agent->update_rng, "target");
    tap_see(agent, "next_action", sample.action->data, sample.action->count);
    struct tensor *bonus = op_affine(tape, sample.log_pi, (double)alpha_of(agent), 0);
    critic_target(agent, &sac->critic, batch, next, sample.action, bonus, sac->target);
    tape_reset(tape);
}

static double mean_of(const struct tensor *x) {
    double sum = 0;
    for (size_t i = 0; i < x->count; i++) sum += (double)x->data[i];
    return sum / (double)x->count;
}

static enum rl_status update_actor(struct agent *agent, struct tensor *features,
                                   struct metrics *metrics, struct rl_error *err) {
    struct sac *sac = agent->state;
    struct tape *tape = agent->tape;
    struct sample sample = sample_policy(agent, features, &agent->update_rng, "actor");
    tap_see(agent, "policy_action", sample.action->data, sample.action->count);
    tap_see(agent, "log_pi", sample.log_pi->data, sample.log_pi->count);
    // The critic only conducts the gradient: no work on its weights.
    struct params frozen = params_frozen(&agent->params);
    struct tensor *q = critic_min(agent, critic_forward(agent, &sac->critic, &frozen,
                                                        sac->critic.n_q, features, sample.action));
    struct tensor *cost = op_affine(tape, sample.log_pi, (double)alpha_of(agent), 0);
    struct tensor *loss = op_mean(tape, op_sub(tape, cost, q));
    tap_see(agent, "actor_loss", loss->data, 1);
    metrics_add(metrics, "actor_loss", (double)loss->data[0]);
    metrics_add(metrics, "saturation", actor_saturation(sample.action));
    metrics_add(metrics, "entropy", -mean_of(sample.log_pi));
    tape_backward(tape, loss);
    return learner_step(&sac->actor_learner, agent, metrics, err);
}

static enum rl_status update_temperature(struct agent *agent, struct tensor *features,
                                         struct metrics *metrics, struct rl_error *err) {
    const struct agent_options *o = agent->options;
    struct sac *sac = agent->state;
    struct tape *tape = agent->tape;
    tape_set_recording(tape, false);
    struct sample sample = sample_policy(agent, features, &agent->update_rng, "temperature");
    double excess = mean_of(sample.log_pi) + o->target_entropy * agent->spec.action_dim;
    tape_set_recording(tape, true);
    struct tensor *alpha = op_exp(tape, tape_param(tape, &agent->params, sac->log_alpha));
    struct tensor *loss = op_affine(tape, alpha, -excess, 0);
    tap_see(agent, "temperature_loss", loss->data, 1);
    metrics_add(metrics, "alpha", (double)alpha->data[0]);
    tape_backward(tape, loss);
    return learner_step(&sac->temperature_learner, agent, metrics, err);
}

static enum rl_status sac_update(struct agent *agent, const struct batch *batch, int64_t step,
                                 struct metrics *metrics, struct rl_error *err) {
    (void)step;
    const struct agent_options *o = agent->options;
    struct sac *sac = agent->state;
    compute_target(agent, batch);

    struct encoder_input input = batch_obs(batch);
    struct tensor *features = agent_features(agent, &input);
    struct tensor *loss = critic_loss(agent, &sac->critic, batch, features, sac->target, metrics);
    tape_backward(agent->tape, loss);
    enum rl_status status = learner_step(&sac->critic_learner, agent, metrics, err);

    features = op_detach(agent->tape, features); // the actor leaves the encoder alone
    bool due = agent->updates % o->policy_delay == 0;
    for (int64_t i = 0; status == RL_OK && due && i < o->policy_delay; i++) {
        size_t mark = tape_arena(agent->tape)->used_bytes;
        status = update_actor(agent, features, metrics, err);
        if (status == RL_OK && o->learn_alpha) {
            status = update_temperature(agent, features, metrics, err);
        }
        arena_reset(tape_arena(agent->tape), mark); // backward left no record of the round
    }
    if (status == RL_OK) learner_average(&sac->critic_learner, agent, o->tau);
    return status;
}

const struct agent_ops agent_sac = {
    .name = "sac",
    .summary = "soft actor-critic with a learned temperature",
    .paper = "Haarnoja 2018, arXiv:1812.05905",
    .opts = {"sac", specs},
    .options_bytes = sizeof(struct agent_options),
    .state_bytes = sizeof(struct sac),
    .create = sac_create,
    .act = sac_act,
    .value = sac_value,
    .update = sac_update,
    .visit = sac_visit,
    .destroy = sac_destroy,
};
