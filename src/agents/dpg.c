#include "agents/dpg.h"

#include <string.h>

#include "base/mem.h"

static struct dpg *state_of(const struct agent *agent) {
    return agent->state;
}

static double scheduled_std(const struct agent_options *o, int64_t step) {
    return schedule_linear(o->noise_from, o->noise_to, o->noise_steps, step);
}

enum rl_status dpg_create(struct agent *agent, const struct dpg_rule *rule, struct rl_error *err) {
    const struct agent_options *o = agent->options;
    struct dpg *dpg = state_of(agent);
    dpg->rule = rule;
    agent_set_schedule(agent);
    dpg->actor = actor_add(agent, agent->spec.action_dim, rule->init, rule->last);
    dpg->critic = critic_add(agent, rule->init, rule->last);
    // The passes of the critic's loss stay on the tape under those of the actor's.
    size_t row_reals = actor_row_reals(&dpg->actor) + 2 * critic_row_reals(&dpg->critic);
    enum rl_status status = agent_finish(agent, row_reals, err);
    if (status != RL_OK) return status;
    learner_init(&dpg->actor_learner, agent, "actor", o->actor_lr, 0);
    learner_init(&dpg->critic_learner, agent, "critic", o->critic_lr, o->critic_decay);
    ou_noise_init(&dpg->ou, agent->spec.action_dim);
    dpg->target = MEM_ARRAY(real, o->batch);
    return RL_OK;
}

void dpg_destroy(struct agent *agent) {
    struct dpg *dpg = state_of(agent);
    learner_release(&dpg->actor_learner);
    learner_release(&dpg->critic_learner);
    ou_noise_release(&dpg->ou);
    mem_free(dpg->target);
}

void dpg_visit(struct agent *agent, struct state_visitor *visitor) {
    struct dpg *dpg = state_of(agent);
    learner_visit(&dpg->actor_learner, visitor);
    learner_visit(&dpg->critic_learner, visitor);
    ou_noise_visit(&dpg->ou, visitor);
}

// Adds the step's exploration noise to n mean actions.
static void explore_around(struct agent *agent, int n, int64_t step, real *action) {
    const struct agent_options *o = agent->options;
    struct dpg *dpg = state_of(agent);
    int dim = agent->spec.action_dim;
    const real *noise = dpg->ou.x;
    if (o->noise == NOISE_OU) {
        RL_ASSERT(n == 1); // the process belongs to one environment
        ou_noise_step(&dpg->ou, o->ou_theta, &agent->noise_rng);
    } else {
        real *normals = ARENA_ARRAY(tape_arena(agent->tape), real, n * dim);
        noise_normals(agent, &agent->noise_rng, "explore", normals, (size_t)(n * dim));
        noise = normals;
    }
    real std = (real)scheduled_std(o, step), limit = (real)dpg->rule->limit;
    for (int i = 0; i < n * dim; i++) {
        real x = action[i] + std * noise[i];
        action[i] = x < -limit ? -limit : x > limit ? limit : x;
    }
}

void dpg_act(struct agent *agent, const struct encoder_input *input, int64_t step, bool explore,
             real *action) {
    struct dpg *dpg = state_of(agent);
    struct tape *tape = agent->tape;
    tape_reset(tape);
    tape_set_recording(tape, false);
    struct tensor *features = agent_features(agent, input);
    struct tensor *mean =
        op_tanh(tape, actor_forward(agent, &dpg->actor, &agent->params, features));
    memcpy(action, mean->data, mean->count * sizeof *action);
    if (explore) explore_around(agent, input->n, step, action);
    tape_reset(tape);
}

real dpg_value(struct agent *agent, const struct encoder_input *input, const real *action) {
    return critic_value(agent, &state_of(agent)->critic, input, action);
}

// Bootstrapped targets into dpg->target. Nothing of it stays on the tape.
static void compute_target(struct agent *agent, const struct batch *batch, double std) {
    const struct agent_options *o = agent->options;
    struct dpg *dpg = state_of(agent);
    struct tape *tape = agent->tape;
    double limit = dpg->rule->limit;
    tape_reset(tape);
    tape_set_recording(tape, false);
    struct encoder_input input = batch_next(batch);
    struct tensor *next = agent_features(agent, &input);
    const struct params *actor = dpg->rule->online_target ? &agent->params : &agent->target;
    struct tensor *action = op_tanh(tape, actor_forward(agent, &dpg->actor, actor, next));
    if (std > 0) {
        struct tensor *noise = noise_clipped(agent, "target", batch->n, std, o->target_noise_clip);
        action = op_clamp(tape, op_add(tape, action, noise), -limit, limit);
    }
    tap_see(agent, "next_action", action->data, action->count);
    critic_target(agent, &dpg->critic, batch, next, action, NULL, dpg->target);
    tape_reset(tape);
}

static enum rl_status update_actor(struct agent *agent, struct tensor *features, double std,
                                   struct metrics *metrics, struct rl_error *err) {
    const struct agent_options *o = agent->options;
    struct dpg *dpg = state_of(agent);
    struct tape *tape = agent->tape;
    double limit = dpg->rule->limit;
    struct tensor *output = actor_forward(agent, &dpg->actor, &agent->params, features);
    struct tensor *action = op_tanh(tape, output);
    tap_see(agent, "policy_action", action->data, action->count);
    metrics_add(metrics, "saturation", actor_saturation(action));
    if (dpg->rule->sampled_policy) {
        // The cut is ignored by the gradient, so that actions at the edge can still come back.
        struct tensor *noise =
            noise_clipped(agent, "actor", action->dim[0], std, o->target_noise_clip);
        action = op_clamp_through(tape, op_add(tape, action, noise), -limit, limit);
        tap_see(agent, "sampled_action", action->data, action->count);
    }
    // The critic only conducts the gradient: no work on its weights.
    struct params frozen = params_frozen(&agent->params);
    int n_q = dpg->rule->min_q ? dpg->critic.n_q : 1;
    struct critic_values values =
        critic_forward(agent, &dpg->critic, &frozen, n_q, features, action);
    struct tensor *loss = op_affine(tape, op_mean(tape, critic_min(agent, values)), -1, 0);
    if (o->pre_tanh_penalty > 0) {
        struct tensor *size = op_mean(tape, op_square(tape, output));
        loss = op_add(tape, loss, op_affine(tape, size, o->pre_tanh_penalty, 0));
    }
    tap_see(agent, "actor_loss", loss->data, 1);
    metrics_add(metrics, "actor_loss", (double)loss->data[0]);
    tape_backward(tape, loss);
    return learner_step(&dpg->actor_learner, agent, metrics, err);
}

enum rl_status dpg_update(struct agent *agent, const struct batch *batch, int64_t step,
                          struct metrics *metrics, struct rl_error *err) {
    const struct agent_options *o = agent->options;
    struct dpg *dpg = state_of(agent);
    double std = dpg->rule->sampled_policy ? scheduled_std(o, step) : o->target_noise;
    compute_target(agent, batch, std);

    struct encoder_input input = batch_obs(batch);
    struct tensor *features = agent_features(agent, &input);
    tap_see(agent, "features", features->data, features->count);
    struct tensor *loss = critic_loss(agent, &dpg->critic, batch, features, dpg->target, metrics);
    tape_backward(agent->tape, loss);
    enum rl_status status = learner_step(&dpg->critic_learner, agent, metrics, err);
    if (status != RL_OK || agent->updates % o->policy_delay != 0) return status;

    features = op_detach(agent->tape, features); // the actor leaves the encoder alone
    status = update_actor(agent, features, std, metrics, err);
    if (status != RL_OK) return status;
    learner_average(&dpg->critic_learner, agent, o->tau);
    if (!dpg->rule->online_target) learner_average(&dpg->actor_learner, agent, o->tau);
    return RL_OK;
}
