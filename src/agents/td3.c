// TD3 (Fujimoto 2018, https://arxiv.org/abs/1802.09477): DDPG with two critics whose smaller value
// is the target, smoothed target actions, and an actor (with all targets) stepped every second
// update. Defaults are those of the authors' program for state observations.
#include "agents/dpg.h"

static const struct opt_spec specs[] = {
    AGENT_ROW_BATCH("256"),
    AGENT_ROW_N_STEP("1"),
    AGENT_ROW_GAMMA("0.99"),
    AGENT_ROW_TAU("0.005"),
    AGENT_ROW_HIDDEN("256"),
    AGENT_ROW_LAYERS("2"),
    AGENT_ROW_TRUNK("-1"),
    AGENT_ROW_ACTOR_LR("3e-4"),
    AGENT_ROW_CRITIC_LR("3e-4"),
    AGENT_ROW_ENCODER_LR("3e-4"),
    AGENT_ROW_POLICY_DELAY("2"),
    AGENT_ROW_RANDOM_STEPS("25000"),
    AGENT_ROW_UPDATES_PER_STEP("1"),
    AGENT_ROW_CLIP_NORM("0"),
    AGENT_ROW_CRITIC_DECAY("0"),
    AGENT_ROW_CRITIC_LAYER_NORM("false"),
    AGENT_ROW_CLIPPED_DOUBLE_Q("true"),
    DPG_ROW_NOISE("gaussian"),
    DPG_ROW_OU_THETA("0.15"),
    DPG_ROW_NOISE_FROM("0.1"),
    DPG_ROW_NOISE_TO("0.1"),
    DPG_ROW_NOISE_STEPS("1"),
    DPG_ROW_TARGET_NOISE("0.2"),
    DPG_ROW_TARGET_NOISE_CLIP("0.5"),
    DPG_ROW_PRE_TANH_PENALTY("0"),
    OPT_END,
};

static enum rl_status td3_create(struct agent *agent, struct rl_error *err) {
    static const struct dpg_rule rule = {
        .limit = 1, .init = {INIT_FAN_IN, 0}, .last = {INIT_FAN_IN, 0}};
    return dpg_create(agent, &rule, err);
}

const struct agent_ops agent_td3 = {
    .name = "td3",
    .summary = "twin delayed DDPG",
    .paper = "Fujimoto 2018, arXiv:1802.09477",
    .opts = {"td3", specs},
    .options_bytes = sizeof(struct agent_options),
    .state_bytes = sizeof(struct dpg),
    .create = td3_create,
    .act = dpg_act,
    .value = dpg_value,
    .update = dpg_update,
    .visit = dpg_visit,
    .destroy = dpg_destroy,
};
