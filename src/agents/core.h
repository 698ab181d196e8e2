// What the agents share beside the critic: their options, the blocks of weights that step together,
// and the tap by which a test looks into an update. Private to src/agents and its tests.
#pragma once

#include "agents/agent.h"
#include "agents/net.h"

// Every option that an agent can have. Each agent's table lists the ones it reads, with its own
// defaults; a row's range and help stand here once.
struct agent_options {
    int64_t batch, n_step, hidden, layers, trunk, policy_delay, random_steps, noise_steps;
    double gamma, tau, actor_lr, critic_lr, encoder_lr, updates_per_step;
    double clip_norm, critic_decay, pre_tanh_penalty;
    bool clipped_double_q, critic_layer_norm;
    int noise; // enum noise_kind
    double noise_from, noise_to, ou_theta, target_noise, target_noise_clip;
    double alpha_init, alpha_lr, target_entropy; // sac
    bool learn_alpha;
};

#define AGENT_INT(field, def, min, max, help)                                                      \
    OPT_ROW_INT(struct agent_options, field, def, min, max, help)
#define AGENT_REAL(field, def, min, max, help)                                                     \
    OPT_ROW_REAL(struct agent_options, field, def, min, max, help)

// Rows that every agent has.
#define AGENT_ROW_BATCH(def)  AGENT_INT(batch, def, 1, 65536, "transitions in an update")
#define AGENT_ROW_N_STEP(def) AGENT_INT(n_step, def, 1, 100, "steps of reward before bootstrapping")
#define AGENT_ROW_GAMMA(def)  AGENT_REAL(gamma, def, 0, 1, "discount of one step")
#define AGENT_ROW_TAU(def)    AGENT_REAL(tau, def, 0, 1, "rate of the target networks' average")
#define AGENT_ROW_HIDDEN(def) AGENT_INT(hidden, def, 1, 8192, "width of the hidden layers")
#define AGENT_ROW_LAYERS(def) AGENT_INT(layers, def, 1, 5, "hidden layers of actor and critic")
#define AGENT_ROW_TRUNK(def)                                                                       \
    AGENT_INT(trunk, def, -1, 8192,                                                                \
              "width of linear + layer norm + tanh before actor and critic; 0: none; -1: 50 when " \
              "the encoder is trained end to end, else none")
#define AGENT_ROW_ACTOR_LR(def)   AGENT_REAL(actor_lr, def, 0, 1, "Adam's rate for the actor")
#define AGENT_ROW_CRITIC_LR(def)  AGENT_REAL(critic_lr, def, 0, 1, "Adam's rate for the critic")
#define AGENT_ROW_ENCODER_LR(def) AGENT_REAL(encoder_lr, def, 0, 1, "Adam's rate, end to end")
#define AGENT_ROW_POLICY_DELAY(def)                                                                \
    AGENT_INT(policy_delay, def, 1, 1000, "the actor is stepped every this many updates")
#define AGENT_ROW_RANDOM_STEPS(def)                                                                \
    AGENT_INT(random_steps, def, 0, 1e12, "agent steps of uniform actions first")
#define AGENT_ROW_UPDATES_PER_STEP(def)                                                            \
    AGENT_REAL(updates_per_step, def, 0, 1000, "gradient updates an agent step")
#define AGENT_ROW_CLIP_NORM(def)                                                                   \
    AGENT_REAL(clip_norm, def, 0, 1e9, "bound on each gradient's global norm; 0: none")
#define AGENT_ROW_CRITIC_DECAY(def) AGENT_REAL(critic_decay, def, 0, 1, "L2 on critic weights")
#define AGENT_ROW_CLIPPED_DOUBLE_Q(def)                                                            \
    OPT_ROW_BOOL(struct agent_options, clipped_double_q, def,                                      \
                 "two critics, the smaller is the target; off: one critic")
#define AGENT_ROW_CRITIC_LAYER_NORM(def)                                                           \
    OPT_ROW_BOOL(struct agent_options, critic_layer_norm, def, "layer norm in the critic's layers")

// Which options make the common part of struct agent_schedule and of the layers.
void agent_set_schedule(struct agent *agent);
int agent_trunk_dim(const struct agent *agent);

// After the agent has registered its weights: draws them, copies them to the targets, and takes a
// tape for updates of schedule.batch rows whose networks need row_reals a row (net_row_reals),
// beside what an end-to-end encoder needs.
RL_CHECKED enum rl_status agent_finish(struct agent *agent, size_t row_reals, struct rl_error *err);

static inline struct encoder_input batch_obs(const struct batch *batch) {
    return (struct encoder_input){.n = batch->n, .pixels = batch->pixels, .rows = batch->obs};
}
static inline struct encoder_input batch_next(const struct batch *batch) {
    return (struct encoder_input){
        .n = batch->n, .pixels = batch->next_pixels, .rows = batch->next_obs};
}

// Features on the tape: the given rows, or the encoder's output (with gradient when recording).
struct tensor *agent_features(struct agent *agent, const struct encoder_input *input);

// The weights whose names begin with a prefix, as one block inside agent->params with its own
// optimizer. Items of a block lie side by side because they were registered together.
struct learner {
    struct params params; // value and grad point into the agent's; items are its own
    struct optimizer optimizer;
    const char *name; // "actor": for metrics and errors
};
// Adam with rate lr and L2 l2; clipped as option clip_norm says.
void learner_init(struct learner *learner, struct agent *agent, const char *name, double lr,
                  double l2);
void learner_release(struct learner *learner);
// Steps on the gradient gathered so far; adds NAME_grad_norm.
RL_CHECKED enum rl_status learner_step(struct learner *learner, struct agent *agent,
                                       struct metrics *metrics, struct rl_error *err);
// target += tau * (online - target) for the block.
void learner_average(const struct learner *learner, struct agent *agent, double tau);
void learner_visit(struct learner *learner, struct state_visitor *visitor);

// The same weights as constants: gradients pass through them but are not gathered.
struct params params_frozen(const struct params *params);

// A test's hands in the updates: it gives the standard normals and sees what is computed. Names are
// those of the call sites.
struct agent_tap {
    void *context;
    void (*normals)(void *context, const char *name, real *out, size_t count);
    void (*see)(void *context, const char *name, const real *data, size_t count);
    void (*gradient)(void *context, const struct params *block); // before its optimizer steps
    double action_scale, action_shift; // the critic sees action * scale + shift
};
static inline void tap_see(const struct agent *agent, const char *name, const real *data,
                           size_t count) {
    if (agent->tap) agent->tap->see(agent->tap->context, name, data, count);
}
