// DrQ-v2 (Yarats 2021, https://arxiv.org/abs/2107.09645): DDPG end to end from pixels. The policy
// is a truncated normal around mu(s): the same falling standard deviation explores and, with its
// noise cut at target_noise_clip, smooths the target and the actor's loss. The actor climbs min(Q1,
// Q2), has no target copy, and does not train the encoder. Random shifts are the sampler's
// business; so is the encoder's own optimizer. Defaults are the paper's for medium tasks;
// noise_steps is 100000 for easy and 2000000 for hard ones; walker takes batch 512, n_step 1.
#include "agents/dpg.h"

static const struct opt_spec specs[] = {
    AGENT_ROW_BATCH("256"),
    AGENT_ROW_N_STEP("3"),
    AGENT_ROW_GAMMA("0.99"),
    AGENT_ROW_TAU("0.01"),
    AGENT_ROW_HIDDEN("1024"),
    AGENT_ROW_LAYERS("2"),
    AGENT_ROW_TRUNK("-1"),
    AGENT_ROW_ACTOR_LR("1e-4"),
    AGENT_ROW_CRITIC_LR("1e-4"),
    AGENT_ROW_ENCODER_LR("1e-4"),
    AGENT_ROW_POLICY_DELAY("1"),
    AGENT_ROW_RANDOM_STEPS("2000"),
    AGENT_ROW_UPDATES_PER_STEP("0.5"),
    AGENT_ROW_CLIP_NORM("0"),
    AGENT_ROW_CRITIC_DECAY("0"),
    AGENT_ROW_CRITIC_LAYER_NORM("false"),
    AGENT_ROW_CLIPPED_DOUBLE_Q("true"),
    DPG_ROW_NOISE_FROM("1"),
    DPG_ROW_NOISE_TO("0.1"),
    DPG_ROW_NOISE_STEPS("500000"),
    DPG_ROW_TARGET_NOISE_CLIP("0.3"),
    DPG_ROW_PRE_TANH_PENALTY("0"),
    OPT_END,
};

static enum rl_status drqv2_create(struct agent *agent, struct rl_error *err) {
    static const struct dpg_rule rule = {
        .online_target = true,
        .sampled_policy = true,
        .min_q = true,
        .limit = 1 - 1e-6,
        .init = {INIT_ORTHOGONAL, 1},
        .last = {INIT_ORTHOGONAL, 1},
    };
    return dpg_create(agent, &rule, err);
}

const struct agent_ops agent_drqv2 = {
    .name = "drqv2",
    .summary = "DrQ-v2: DDPG with n-step returns on augmented pixels, end to end",
    .paper = "Yarats 2021, arXiv:2107.09645",
    .opts = {"drqv2", specs},
    .options_bytes = sizeof(struct agent_options),
    .state_bytes = sizeof(struct dpg),
    .create = drqv2_create,
    .act = dpg_act,
    .value = dpg_value,
    .update = dpg_update,
    .visit = dpg_visit,
    .destroy = dpg_destroy,
};
