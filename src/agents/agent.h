// Agents: off-policy actor-critic learners. An agent sees feature rows: a task's own state, latents
// of a published encoder, or (end to end) the features of an encoder that its critic loss trains.
// Adding one: src/agents/NAME.c with `const struct agent_ops agent_NAME`, and AGENT(NAME) in
// agents.def.
#pragma once

#include <stdint.h>

#include "base/metrics.h"
#include "base/opt.h"
#include "encoders/encoder.h"
#include "nn/optimizer.h"

#define AGENT_MAX_ACTIONS 64 // widest action that anything of ours has

struct config;

// n transitions. Features or pixels, as agent_spec says.
struct batch {
    int n;
    const real *obs, *next_obs;          // (n, feature_dim)
    const uint8_t *pixels, *next_pixels; // (n, H, W, C), already augmented
    const real *action;                  // (n, action_dim) in [-1, 1]
    const real *reward;                  // (n) n-step return
    const real *discount; // (n) gamma^n, 0 where the task ended: multiplies the bootstrap
    const real *weight;   // (n) importance weights of prioritised replay, or NULL = 1
    real *td_error; // (n) written when not NULL: |target - Q|, the larger of twins, for priorities
};

struct agent_spec {
    int feature_dim, action_dim;
    struct encoder
        *encoder;  // end to end: trained by the critic's gradient; NULL: features are given
    uint64_t seed; // weights and noise: streams "agent/..." are forked from it
};

// What the trainer needs to know from any agent's options.
struct agent_schedule {
    int64_t batch, n_step;
    double gamma;
    int64_t random_steps;    // agent steps of uniform actions first
    double updates_per_step; // gradient updates an agent step
    double encoder_lr;       // end to end: Adam's rate for the encoder
};

struct agent;

struct agent_ops {
    const char *name, *summary, *paper;
    struct opt_table opts; // section = name
    size_t options_bytes, state_bytes;
    enum rl_status (*create)(struct agent *agent, struct rl_error *err);
    // One action from one feature row (or stack of pixels when end to end). explore: with the noise
    // scheduled for agent step `step`; otherwise the mean action. Writes (action_dim) in [-1, 1].
    void (*act)(struct agent *agent, const struct encoder_input *input, int64_t step, bool explore,
                real *action);
    // One gradient update. Adds to encoder->params.grad when end to end; the caller steps that
    // optimizer.
    enum rl_status (*update)(struct agent *agent, const struct batch *batch, int64_t step,
                             struct metrics *metrics, struct rl_error *err);
    // The smallest of the online critics' values of one row and action: what a viewer shows.
    real (*value)(struct agent *agent, const struct encoder_input *input, const real *action);
    void (*visit)(struct agent *agent, struct state_visitor *visitor);
    void (*destroy)(struct agent *agent);
};

struct agent_tap; // core.h: how a golden test gives an update its random numbers

struct agent {
    const struct agent_ops *ops;
    struct agent_spec spec;
    struct agent_schedule schedule; // set by create from its options
    void *options, *state;
    struct params params; // actor, critic, temperature: online
    struct params target; // same layout; the agent moves the parts that it uses
    struct tape *tape;
    struct pool *pool;
    struct rng noise_rng;             // exploration
    struct rng update_rng;            // target smoothing, sampled actions
    int64_t updates;                  // done so far
    const struct gradient_sync *sync; // other ranks; NULL: none
    struct agent_tap *tap;            // NULL outside of tests
};

// Keeps spec->encoder and pool. config may be NULL (defaults). NULL + err.
struct agent *agent_create(const char *name, const struct agent_spec *spec, struct config *config,
                           struct pool *pool, struct rl_error *err);
void agent_destroy(struct agent *agent); // NULL is fine
// input->n rows (at most schedule.batch) give as many actions. While exploring, actions are uniform
// in the first schedule.random_steps agent steps.
void agent_act(struct agent *agent, const struct encoder_input *input, int64_t step, bool explore,
               real *action);
// What the agent expects of an action for one row: its critics' smallest Q, with online weights.
real agent_value(struct agent *agent, const struct encoder_input *input, const real *action);
// batch->n may be at most schedule.batch. Metrics: critic_loss, q_mean, target_q, critic_grad_norm;
// when the actor is stepped also actor_loss, actor_grad_norm, saturation (fraction of the policy's
// actions with |a| > 0.99). RL_ENUMERIC names the tensor whose gradient is not finite.
RL_CHECKED enum rl_status agent_update(struct agent *agent, const struct batch *batch, int64_t step,
                                       struct metrics *metrics, struct rl_error *err);
// All but the encoder, which its owner visits.
void agent_visit(struct agent *agent, const char *prefix, struct state_visitor *visitor);

const struct agent_ops *agent_find(const char *name); // NULL when unknown
int agent_count(void);
const struct agent_ops *agent_at(int index);
