// The deterministic policy gradient (Silver 2014) that ddpg, td3 and drqv2 share; each of them is a
// table of defaults and one rule. An update:
//   target  y = r + discount * min_i Q_i'(s', clip(mu'(s') + clipped noise))
//   critic  minimise sum_i mean (Q_i(s, a) - y)^2; its gradient trains an end-to-end encoder
//   actor   every policy_delay updates: maximise Q(s, mu(s)) on detached features, then move the
//           targets: w' = tau w + (1 - tau) w'
// Parameters: actor.trunk.*, actor.policy.*, critic.* (critic.h).
#pragma once

#include "agents/actor.h"
#include "agents/core.h"
#include "agents/critic.h"
#include "agents/noise.h"

// What sets the three apart beyond options.
struct dpg_rule {
    bool online_target;  // next actions from the online actor, which then has no target copy
    bool sampled_policy; // the noise schedule's standard deviation, not target_noise, smooths the
                         // target, and the actor's loss samples too (a stochastic policy)
    bool min_q;          // the actor climbs min(Q1, Q2), else Q1
    double limit;        // actions are cut to [-limit, limit]
    struct init init, last; // hidden layers, output layers
};

struct dpg {
    const struct dpg_rule *rule;
    struct actor actor;
    struct critic critic;
    struct learner actor_learner, critic_learner;
    struct ou_noise ou;
    real *target; // (batch)
};

// The agent's state is a struct dpg; its options a struct agent_options.
RL_CHECKED enum rl_status dpg_create(struct agent *agent, const struct dpg_rule *rule,
                                     struct rl_error *err);
void dpg_act(struct agent *agent, const struct encoder_input *input, int64_t step, bool explore,
             real *action);
real dpg_value(struct agent *agent, const struct encoder_input *input, const real *action);
enum rl_status dpg_update(struct agent *agent, const struct batch *batch, int64_t step,
                          struct metrics *metrics, struct rl_error *err);
void dpg_visit(struct agent *agent, struct state_visitor *visitor);
void dpg_destroy(struct agent *agent);

// Rows of the options beyond those that every agent has.
#define DPG_ROW_NOISE(def)                                                                         \
    OPT_ROW_CHOICE(struct agent_options, noise, def, noise_names, "exploration noise")
#define DPG_ROW_OU_THETA(def)                                                                      \
    AGENT_REAL(ou_theta, def, 1e-6, 1, "how fast ou noise falls back to 0, a step")
#define DPG_ROW_NOISE_FROM(def)                                                                    \
    AGENT_REAL(noise_from, def, 0, 10, "standard deviation of the noise at agent step 0")
#define DPG_ROW_NOISE_TO(def) AGENT_REAL(noise_to, def, 0, 10, "the same at the schedule's end")
#define DPG_ROW_NOISE_STEPS(def)                                                                   \
    AGENT_INT(noise_steps, def, 1, 1e12, "agent steps of the linear schedule between them")
#define DPG_ROW_TARGET_NOISE(def)                                                                  \
    AGENT_REAL(target_noise, def, 0, 10, "standard deviation of the target action's smoothing")
#define DPG_ROW_TARGET_NOISE_CLIP(def)                                                             \
    AGENT_REAL(target_noise_clip, def, 0, 10, "bound on smoothing noise")
#define DPG_ROW_PRE_TANH_PENALTY(def)                                                              \
    AGENT_REAL(pre_tanh_penalty, def, 0, 100,                                                      \
               "weight of the mean squared actor output before tanh, against saturation; 0 where " \
               "rewards are rare")
