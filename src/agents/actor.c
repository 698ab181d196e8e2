#include "agents/actor.h"

#include <math.h>

#include "agents/core.h"

struct actor actor_add(struct agent *agent, int n_out, struct init init, struct init last) {
    const struct agent_options *o = agent->options;
    int features = agent->spec.feature_dim, width = agent_trunk_dim(agent);
    struct net_spec spec = {
        .in = width ? width : features,
        .hidden = (int)o->hidden,
        .layers = (int)o->layers,
        .out = n_out,
        .init = init,
        .last = last,
    };
    struct actor actor;
    actor.trunk = trunk_add(&agent->params, "actor.trunk", features, width, init);
    actor.policy = net_add(&agent->params, "actor.policy", &spec);
    return actor;
}

struct tensor *actor_forward(struct agent *agent, const struct actor *actor,
                             const struct params *params, struct tensor *features) {
    features = trunk(agent->tape, params, &actor->trunk, features);
    return net(agent->tape, params, &actor->policy, features);
}

size_t actor_row_reals(const struct actor *actor) {
    // A squashed Gaussian takes some twenty tensors of the output's width.
    size_t out = (size_t)actor->policy.layers[actor->policy.n_layers - 1].out;
    return net_row_reals(&actor->policy) + trunk_row_reals(&actor->trunk) + 40 * (out + 8);
}

double actor_saturation(const struct tensor *action) {
    size_t count = 0;
    for (size_t i = 0; i < action->count; i++) count += fabs((double)action->data[i]) > 0.99;
    return (double)count / (double)action->count;
}
