#include "agents/core.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define TRUNK_DIM   50                  // DrQ-v2's feature_dim
#define FIXED_BYTES ((size_t)512 << 10) // tensor heads and backward contexts

void agent_set_schedule(struct agent *agent) {
    const struct agent_options *o = agent->options;
    agent->schedule = (struct agent_schedule){
        .batch = o->batch,
        .n_step = o->n_step,
        .gamma = o->gamma,
        .random_steps = o->random_steps,
        .updates_per_step = o->updates_per_step,
        .encoder_lr = o->encoder_lr,
    };
}

int agent_trunk_dim(const struct agent *agent) {
    const struct agent_options *o = agent->options;
    if (o->trunk >= 0) return (int)o->trunk;
    return agent->spec.encoder ? TRUNK_DIM : 0;
}

enum rl_status agent_finish(struct agent *agent, size_t row_reals, struct rl_error *err) {
    struct rng rng = rng_fork(agent->spec.seed, "agent/weights");
    params_finish(&agent->params, true, &rng);
    params_clone(&agent->target, &agent->params);
    size_t rows = (size_t)agent->schedule.batch + 16; // 16: small batches still align each tensor
    size_t bytes = rows * row_reals * sizeof(real) + FIXED_BYTES;
    struct encoder *encoder = agent->spec.encoder;
    if (encoder) bytes += encoder_tape_bytes(encoder, (int)agent->schedule.batch);
    agent->tape = tape_create(bytes, agent->pool, err);
    return agent->tape ? RL_OK : RL_ENOMEM;
}

struct tensor *agent_features(struct agent *agent, const struct encoder_input *input) {
    struct encoder *encoder = agent->spec.encoder;
    if (encoder) return encoder_forward(encoder, agent->tape, &encoder->params, input);
    return tape_input_2d(agent->tape, input->rows, input->n, agent->spec.feature_dim);
}

void learner_init(struct learner *learner, struct agent *agent, const char *name, double lr,
                  double l2) {
    const struct params *all = &agent->params;
    size_t length = strlen(name);
    struct params *block = &learner->params;
    block->items = MEM_ARRAY(struct param_item, all->n_items);
    size_t begin = all->count, end = 0;
    for (int i = 0; i < all->n_items; i++) {
        const struct param_item *item = &all->items[i];
        if (strncmp(item->name, name, length) != 0 || item->name[length] != '.') continue;
        RL_ASSERT(end == 0 || block->items[block->n_items - 1].offset < item->offset);
        if (item->offset < begin) begin = item->offset;
        end = item->offset + item->count;
        block->items[block->n_items++] = *item;
    }
    RL_ASSERT(begin < end);
    for (int i = 0; i < block->n_items; i++) block->items[i].offset -= begin;
    block->count = end - begin;
    block->value = all->value + begin;
    block->grad = all->grad + begin;
    learner->name = name;
    struct optimizer_hyper hyper = optimizer_adam(lr);
    hyper.decay = l2;
    hyper.clip_norm = ((const struct agent_options *)agent->options)->clip_norm;
    optimizer_init(&learner->optimizer, block, hyper);
}

void learner_release(struct learner *learner) {
    if (!learner->params.items) return;
    optimizer_release(&learner->optimizer);
    mem_free(learner->params.items);
    *learner = (struct learner){0};
}

enum rl_status learner_step(struct learner *learner, struct agent *agent, struct metrics *metrics,
                            struct rl_error *err) {
    if (agent->tap) agent->tap->gradient(agent->tap->context, &learner->params);
    gradient_average(agent->sync, &learner->params);
    double norm;
    if (optimizer_step(&learner->optimizer, agent->pool, 1.0, &norm, err) != RL_OK) {
        return rl_fail_context(err, "update %lld of %s", (long long)agent->updates,
                               agent->ops->name);
    }
    char name[METRICS_NAME_BYTES];
    snprintf(name, sizeof name, "%s_grad_norm", learner->name);
    metrics_add(metrics, name, norm);
    return RL_OK;
}

void learner_average(const struct learner *learner, struct agent *agent, double tau) {
    const struct params *block = &learner->params;
    real *target = agent->target.value + (block->value - agent->params.value);
    optim_ema(agent->pool, 1.0 - tau, block->count, block->value, target);
}

void learner_visit(struct learner *learner, struct state_visitor *visitor) {
    optimizer_visit(&learner->optimizer, learner->name, visitor);
}

struct params params_frozen(const struct params *params) {
    struct params frozen = *params;
    frozen.grad = NULL;
    return frozen;
}
