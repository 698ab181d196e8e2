#include "agents/agent.h"

#include "base/config.h"
#include "base/mem.h"

#define AGENT(name) extern const struct agent_ops agent_##name;
#include "agents/agents.def"
#undef AGENT

static const struct agent_ops *const agents[] = {
#define AGENT(name) &agent_##name,
#include "agents/agents.def"
#undef AGENT
};

int agent_count(void) {
    return (int)(sizeof agents / sizeof *agents);
}

const struct agent_ops *agent_at(int index) {
    RL_ASSERT(index >= 0 && index < agent_count());
    return agents[index];
}

const struct agent_ops *agent_find(const char *name) {
    for (int i = 0; i < agent_count(); i++) {
        if (text_same_name(agents[i]->name, name)) return agents[i];
    }
    return NULL;
}

static void fail_unknown(const char *name, struct rl_error *err) {
    const char *names[sizeof agents / sizeof *agents];
    for (int i = 0; i < agent_count(); i++) names[i] = agents[i]->name;
    char suggestion[128];
    text_suggestion(suggestion, sizeof suggestion, name, names, (size_t)agent_count());
    rl_fail(err, RL_ENOTFOUND, "unknown agent '%s'%s; see rlrun list agents", name, suggestion);
}

struct agent *agent_create(const char *name, const struct agent_spec *spec, struct config *config,
                           struct pool *pool, struct rl_error *err) {
    const struct agent_ops *ops = agent_find(name);
    if (!ops) {
        fail_unknown(name, err);
        return NULL;
    }
    struct agent *agent = MEM_NEW(struct agent);
    agent->ops = ops;
    agent->spec = *spec;
    if (spec->encoder) agent->spec.feature_dim = spec->encoder->out_dim;
    RL_ASSERT(agent->spec.feature_dim > 0 && spec->action_dim > 0);
    agent->pool = pool;
    agent->noise_rng = rng_fork(spec->seed, "agent/noise");
    agent->update_rng = rng_fork(spec->seed, "agent/update");
    agent->options = mem_alloc(ops->options_bytes);
    agent->state = mem_alloc(ops->state_bytes);
    if (config) {
        if (config_apply(config, &ops->opts, agent->options, err) != RL_OK) goto fail;
    } else {
        opt_set_defaults(&ops->opts, agent->options);
    }
    if (ops->create(agent, err) != RL_OK) goto fail;
    return agent;
fail:
    agent_destroy(agent);
    return NULL;
}

void agent_destroy(struct agent *agent) {
    if (!agent) return;
    agent->ops->destroy(agent);
    tape_destroy(agent->tape);
    params_release(&agent->params);
    params_release(&agent->target);
    mem_free(agent->options);
    mem_free(agent->state);
    mem_free(agent);
}

void agent_act(struct agent *agent, const struct encoder_input *input, int64_t step, bool explore,
               real *action) {
    RL_ASSERT(input->n >= 1 && input->n <= agent->schedule.batch);
    if (explore && step < agent->schedule.random_steps) {
        int count = input->n * agent->spec.action_dim;
        for (int i = 0; i < count; i++) action[i] = (real)rng_range(&agent->noise_rng, -1, 1);
        return;
    }
    agent->ops->act(agent, input, step, explore, action);
}

real agent_value(struct agent *agent, const struct encoder_input *input, const real *action) {
    RL_ASSERT(input->n == 1);
    return agent->ops->value(agent, input, action);
}

enum rl_status agent_update(struct agent *agent, const struct batch *batch, int64_t step,
                            struct metrics *metrics, struct rl_error *err) {
    RL_ASSERT(batch->n >= 1 && batch->n <= agent->schedule.batch);
    enum rl_status status = agent->ops->update(agent, batch, step, metrics, err);
    if (status == RL_OK) agent->updates++;
    return status;
}

void agent_visit(struct agent *agent, const char *prefix, struct state_visitor *visitor) {
    size_t mark = state_enter(visitor, prefix);
    state_params(visitor, "online", &agent->params);
    state_params(visitor, "target", &agent->target);
    state_rng(visitor, "noise_rng", &agent->noise_rng);
    state_rng(visitor, "update_rng", &agent->update_rng);
    state_field(visitor, agent, updates);
    agent->ops->visit(agent, visitor);
    state_leave(visitor, mark);
}
