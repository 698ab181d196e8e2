// The policy's network shared by all agents, behind an optional trunk. Parameters: actor.trunk.0,
// actor.trunk.1, actor.policy.0, ... as in DrQ-v2.
#pragma once

#include "agents/agent.h"
#include "agents/net.h"

struct actor {
    struct trunk trunk;
    struct net policy;
};

// n_out outputs, before any squashing. Reads options hidden, layers, trunk.
struct actor actor_add(struct agent *agent, int n_out, struct init init, struct init last);
struct tensor *actor_forward(struct agent *agent, const struct actor *actor,
                             const struct params *params, struct tensor *features);
size_t actor_row_reals(const struct actor *actor); // with its squashing and noise

// Fraction of action values at the edge of their range, |a| > 0.99: little gradient flows there.
double actor_saturation(const struct tensor *action);
