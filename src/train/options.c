#include "train/options.h"

static const char *const precision_names[] = {"float", "bf16", NULL};

static const struct opt_spec run_specs[] = {
    OPT_ROW_STRING(struct run_options, agent, "ddpg", "agent; the command's first word sets it"),
    OPT_ROW_STRING(struct run_options, env, "cheetah",
                   "environment: DOMAIN, DOMAIN-TASK or FILE.xml"),
    OPT_ROW_STRING(struct run_options, encoder, "byol",
                   "state, cnn (end to end), an SSL method, ARCH+SSL, or FILE.safetensors"),
    OPT_ROW_INT(struct run_options, steps, "500000", 1, 1e12, "agent steps to run in all"),
    OPT_ROW_INT(struct run_options, seed, "1", 0, 9e15, "seed of every random stream"),
    OPT_ROW_INT(struct run_options, threads, "2", 1, 1024, "threads; results do not depend on it"),
    OPT_ROW_CHOICE(
        struct run_options, precision, "float", precision_names,
        "of the networks' matrix products in training: bf16 rounds what is multiplied and "
        "sums in float (needs AVX512_BF16; convolutions stay float)"),
    OPT_ROW_REAL(struct run_options, time_limit, "0", 0, 1e9,
                 "stop and save after this many seconds; 0 = never"),
    OPT_ROW_INT(struct run_options, checkpoint_every, "5000", 1, 1e12,
                "agent steps between checkpoints"),
    OPT_ROW_INT(struct run_options, keep_checkpoints, "2", 1, 1000, "checkpoints kept"),
    OPT_ROW_INT(struct run_options, eval_every, "10000", 1, 1e12, "frames between evaluations"),
    OPT_ROW_INT(struct run_options, eval_episodes, "5", 1, 1000, "episodes an evaluation"),
    OPT_ROW_INT(struct run_options, clip_every, "5", 0, 1e9,
                "evaluations between clips of the policy in TensorBoard; 0 = none"),
    OPT_ROW_INT(struct run_options, log_every, "500", 1, 1e9,
                "agent steps between rows of the log"),
    OPT_ROW_BOOL(struct run_options, freeze, "false", "keep a loaded encoder as it is"),
    OPT_ROW_STRING(struct run_options, name, "",
                   "name of the run folder; empty = from agent, env, encoder, seed"),
    OPT_ROW_STRING(struct run_options, run_dir, "", "run folder; empty = runs/NAME"),
    OPT_END,
};
const struct opt_table run_opts = {"", run_specs};

static const struct opt_spec replay_specs[] = {
    OPT_ROW_INT(struct replay_options, capacity, "1000000", 100, 1e9,
                "agent steps that the replay keeps"),
    OPT_ROW_BOOL(struct replay_options, compress, "true",
                 "keep frames compressed: a quarter of the memory, batches of pixels take longer"),
    OPT_ROW_REAL(struct replay_options, priority_alpha, "0", 0, 1,
                 "prioritised replay: drawn by |TD error| to this power (paper: 0.6); 0 = uniform"),
    OPT_ROW_REAL(struct replay_options, priority_beta, "0.4", 0, 1,
                 "its importance weights' power at the start; 1 at the run's end"),
    OPT_END,
};
const struct opt_table replay_opts = {"replay", replay_specs};

static const char *const align_names[] = {"none", "rotate", NULL};
static const char *const source_names[] = {"online", "target", NULL};
static const char *const mode_names[] = {"latents", "joint", NULL};

static const struct opt_spec loop_specs[] = {
    OPT_ROW_INT(struct loop_options, tick_steps, "50", 1, 100000, "agent steps a tick"),
    OPT_ROW_INT(struct loop_options, latent_dim, "128", 2, 1024, "width of the latents"),
    OPT_ROW_INT(struct loop_options, frame_stack, "3", 1, 8, "frames in the encoder's input"),
    OPT_ROW_INT(struct loop_options, latent_stack, "2", 1, 8,
                "latents in the agent's input: this step's and those of the steps before"),
    OPT_ROW_REAL(struct loop_options, ssl_per_step, "0.03", 0, 100,
                 "SSL steps for each agent step"),
    OPT_ROW_INT(struct loop_options, ssl_first, "500", 0, 1e9,
                "SSL steps before the first publish"),
    OPT_ROW_INT(struct loop_options, ssl_until, "0", 0, 1e12,
                "agent step at which the encoder stops learning; 0 = never"),
    OPT_ROW_INT(struct loop_options, publish_min, "1000", 1, 1e12,
                "least agent steps between publishes"),
    OPT_ROW_REAL(struct loop_options, publish_growth, "1.25", 1, 100,
                 "the next publish comes at this multiple of the last one's agent step"),
    OPT_ROW_CHOICE(struct loop_options, align, "rotate", align_names,
                   "fit new latents to the old ones at a publish"),
    OPT_ROW_CHOICE(struct loop_options, source, "online", source_names,
                   "weights that are published"),
    OPT_ROW_REAL(struct loop_options, encode_per_step, "20", 1, 1e6,
                 "entries re-encoded for each agent step while a publish is under way"),
    OPT_ROW_INT(struct loop_options, shift_pad, "4", 0, 64,
                "random shift of pixel batches (end to end)"),
    OPT_ROW_REAL(struct loop_options, latent_clip, "5", 0, 1e6,
                 "bound of standardised latents; 0 = none"),
    OPT_ROW_INT(struct loop_options, catch_up, "0", 0, 1e6, "extra agent updates after a publish"),
    OPT_ROW_CHOICE(struct loop_options, mode, "latents", mode_names,
                   "policy on published latents, or SSL and critic gradient in one encoder"),
    OPT_END,
};
const struct opt_table loop_opts = {"loop", loop_specs};
