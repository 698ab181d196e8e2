// The action-value function shared by all agents: one Q, or twins whose smaller value is the target
// (clipped double Q-learning, Fujimoto 2018), behind an optional trunk. Parameters: critic.trunk.0,
// critic.trunk.1, critic.Q1.0, ... as in DrQ-v2.
#pragma once

#include "agents/agent.h"
#include "agents/net.h"

struct critic {
    struct trunk trunk;
    struct net q[2];
    int n_q;
};

// Reads options hidden, layers, trunk, clipped_double_q, critic_layer_norm.
struct critic critic_add(struct agent *agent, struct init init, struct init last);
size_t critic_row_reals(const struct critic *critic);

struct critic_values {
    struct tensor *q[2]; // (n, 1) each; q[1] NULL when only one was asked for
};
// The first n_q of its values for rows of features and actions, by the given block of weights.
struct critic_values critic_forward(struct agent *agent, const struct critic *critic,
                                    const struct params *params, int n_q, struct tensor *features,
                                    struct tensor *action);
struct tensor *critic_min(struct agent *agent, struct critic_values values);

// The same for one input and action (action_dim), with the online weights. Resets the tape.
real critic_value(struct agent *agent, const struct critic *critic,
                  const struct encoder_input *input, const real *action);

// y = reward + discount * (min Q_target(next, action) - bonus) into target (n); bonus (n, 1) may be
// NULL: SAC's alpha log pi. Call with the tape's recording off.
void critic_target(struct agent *agent, const struct critic *critic, const struct batch *batch,
                   struct tensor *next, struct tensor *action, const struct tensor *bonus,
                   real *target);

// sum over Qs of mean(weight * (Q - target)^2) with the online weights; fills batch->td_error and
// adds critic_loss, q_mean and target_q.
struct tensor *critic_loss(struct agent *agent, const struct critic *critic,
                           const struct batch *batch, struct tensor *features, const real *target,
                           struct metrics *metrics);
