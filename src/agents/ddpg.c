// DDPG (Lillicrap 2016, https://arxiv.org/abs/1509.02971), the project's main agent, with what
// later work found to help as options, set to what learns on latents: n-step returns, two critics,
// target smoothing (Fujimoto 2018), a falling exploration noise (DrQ-v2), and a small penalty on
// the output before tanh. Without it all actions sat at the edge of their range after 1500 updates
// on cartpole-swingup's states and learning stopped; with it a third did. Lillicrap's own form is
// --ddpg.clipped_double_q=false --ddpg.target_noise=0 --ddpg.pre_tanh_penalty=0 --ddpg.n_step=1
// --ddpg.noise=ou.
#include "agents/dpg.h"

static const struct opt_spec specs[] = {
    AGENT_ROW_BATCH("256"),
    AGENT_ROW_N_STEP("3"),
    AGENT_ROW_GAMMA("0.99"),
    AGENT_ROW_TAU("0.01"),
    AGENT_ROW_HIDDEN("256"),
    AGENT_ROW_LAYERS("2"),
    AGENT_ROW_TRUNK("-1"),
    AGENT_ROW_ACTOR_LR("3e-4"),
    AGENT_ROW_CRITIC_LR("3e-4"),
    AGENT_ROW_ENCODER_LR("3e-4"),
    AGENT_ROW_POLICY_DELAY("1"),
    AGENT_ROW_RANDOM_STEPS("2000"),
    AGENT_ROW_UPDATES_PER_STEP("0.5"),
    AGENT_ROW_CLIP_NORM("0"),
    AGENT_ROW_CRITIC_DECAY("0"),
    AGENT_ROW_CRITIC_LAYER_NORM("true"),
    AGENT_ROW_CLIPPED_DOUBLE_Q("true"),
    DPG_ROW_NOISE("gaussian"),
    DPG_ROW_OU_THETA("0.15"),
    DPG_ROW_NOISE_FROM("1"),
    DPG_ROW_NOISE_TO("0.15"),
    DPG_ROW_NOISE_STEPS("30000"),
    DPG_ROW_TARGET_NOISE("0.2"),
    DPG_ROW_TARGET_NOISE_CLIP("0.5"),
    DPG_ROW_PRE_TANH_PENALTY("0.01"),
    OPT_END,
};

static enum rl_status ddpg_create(struct agent *agent, struct rl_error *err) {
    // Output layers start near 0 (Lillicrap, section 7), so that the first actions do not saturate.
    static const struct dpg_rule rule = {
        .limit = 1, .init = {INIT_FAN_IN, 0}, .last = {INIT_UNIFORM, 3e-3}};
    return dpg_create(agent, &rule, err);
}

const struct agent_ops agent_ddpg = {
    .name = "ddpg",
    .summary = "deterministic policy gradient with n-step returns and clipped double Q",
    .paper = "Lillicrap 2016, arXiv:1509.02971",
    .opts = {"ddpg", specs},
    .options_bytes = sizeof(struct agent_options),
    .state_bytes = sizeof(struct dpg),
    .create = ddpg_create,
    .act = dpg_act,
    .value = dpg_value,
    .update = dpg_update,
    .visit = dpg_visit,
    .destroy = dpg_destroy,
};
