#include "agents/critic.h"

#include <math.h>

#include "agents/core.h"

struct critic critic_add(struct agent *agent, struct init init, struct init last) {
    const struct agent_options *o = agent->options;
    struct critic critic = {.n_q = o->clipped_double_q ? 2 : 1};
    critic.trunk = trunk_add(&agent->params, "critic.trunk", agent->spec.feature_dim,
                             agent_trunk_dim(agent), init);
    int features = critic.trunk.dim ? critic.trunk.dim : agent->spec.feature_dim;
    struct net_spec spec = {
        .in = features + agent->spec.action_dim,
        .hidden = (int)o->hidden,
        .layers = (int)o->layers,
        .out = 1,
        .layer_norm = o->critic_layer_norm,
        .init = init,
        .last = last,
    };
    critic.q[0] = net_add(&agent->params, "critic.Q1", &spec);
    if (critic.n_q == 2) critic.q[1] = net_add(&agent->params, "critic.Q2", &spec);
    return critic;
}

size_t critic_row_reals(const struct critic *critic) {
    size_t input = 4 * (size_t)critic->q[0].layers[0].in; // joined input, its gradient, the action
    return input + trunk_row_reals(&critic->trunk) +
           (size_t)critic->n_q * (net_row_reals(&critic->q[0]) + 16);
}

struct critic_values critic_forward(struct agent *agent, const struct critic *critic,
                                    const struct params *params, int n_q, struct tensor *features,
                                    struct tensor *action) {
    struct tape *tape = agent->tape;
    const struct agent_tap *tap = agent->tap;
    if (tap) action = op_affine(tape, action, tap->action_scale, tap->action_shift);
    features = trunk(tape, params, &critic->trunk, features);
    struct tensor *x = op_concat(tape, features, action);
    struct critic_values values = {0};
    for (int i = 0; i < n_q; i++) values.q[i] = net(tape, params, &critic->q[i], x);
    return values;
}

struct tensor *critic_min(struct agent *agent, struct critic_values values) {
    return values.q[1] ? op_min(agent->tape, values.q[0], values.q[1]) : values.q[0];
}

real critic_value(struct agent *agent, const struct critic *critic,
                  const struct encoder_input *input, const real *action) {
    struct tape *tape = agent->tape;
    tape_reset(tape);
    tape_set_recording(tape, false);
    struct tensor *row = tape_input_2d(tape, action, 1, agent->spec.action_dim);
    real value = critic_min(agent, critic_forward(agent, critic, &agent->params, critic->n_q,
                                                  agent_features(agent, input), row))
                     ->data[0];
    tape_reset(tape);
    return value;
}

void critic_target(struct agent *agent, const struct critic *critic, const struct batch *batch,
                   struct tensor *next, struct tensor *action, const struct tensor *bonus,
                   real *target) {
    const struct critic_values values =
        critic_forward(agent, critic, &agent->target, critic->n_q, next, action);
    const struct tensor *q = critic_min(agent, values);
    for (int i = 0; i < batch->n; i++) {
        real value = bonus ? q->data[i] - bonus->data[i] : q->data[i];
        target[i] = batch->reward[i] + batch->discount[i] * value;
    }
    tap_see(agent, "target", target, (size_t)batch->n);
}

static double mean(const real *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)x[i];
    return sum / n;
}

// mean(weight * (q - target)^2); the weights of prioritised replay are rare, so that the common
// case is one operation.
static struct tensor *square_error(struct tape *tape, struct tensor *q, struct tensor *target,
                                   struct tensor *weight) {
    if (!weight) return op_mse(tape, q, target);
    struct tensor *square = op_square(tape, op_sub(tape, q, target));
    return op_mean(tape, op_mul(tape, square, weight));
}

static void td_errors(const struct critic_values *values, const real *target, int n, real *out) {
    for (int i = 0; i < n; i++) {
        out[i] = (real)fabs((double)(target[i] - values->q[0]->data[i]));
        if (!values->q[1]) continue;
        real other = (real)fabs((double)(target[i] - values->q[1]->data[i]));
        if (other > out[i]) out[i] = other;
    }
}

struct tensor *critic_loss(struct agent *agent, const struct critic *critic,
                           const struct batch *batch, struct tensor *features, const real *target,
                           struct metrics *metrics) {
    struct tape *tape = agent->tape;
    int n = batch->n;
    struct tensor *action = tape_input_2d(tape, batch->action, n, agent->spec.action_dim);
    struct tensor *y = tape_input_2d(tape, target, n, 1);
    struct tensor *weight = batch->weight ? tape_input_2d(tape, batch->weight, n, 1) : NULL;
    struct critic_values values =
        critic_forward(agent, critic, &agent->params, critic->n_q, features, action);
    tap_see(agent, "q1", values.q[0]->data, (size_t)n);
    struct tensor *loss = square_error(tape, values.q[0], y, weight);
    if (critic->n_q == 2) {
        tap_see(agent, "q2", values.q[1]->data, (size_t)n);
        loss = op_add(tape, loss, square_error(tape, values.q[1], y, weight));
    }
    if (batch->td_error) td_errors(&values, target, n, batch->td_error);
    tap_see(agent, "critic_loss", loss->data, 1);
    metrics_add(metrics, "critic_loss", (double)loss->data[0]);
    metrics_add(metrics, "q_mean", mean(values.q[0]->data, n));
    metrics_add(metrics, "target_q", mean(target, n));
    return loss;
}
