// The run's own options: section "" (the flags without a section), "replay", and "loop" (the
// side-by-side tick and the publishing of encoders).
#pragma once

#include "base/opt.h"

struct run_options {
    char agent[OPT_STRING_BYTES];   // set by the command; kept in the run's config.yaml
    char env[OPT_STRING_BYTES];     // as env_create
    char encoder[OPT_STRING_BYTES]; // state | cnn | SSL | ARCH+SSL | FILE.safetensors
    int64_t steps;                  // agent steps
    int64_t seed;
    int64_t threads;
    int precision; // enum gemm_precision
    double time_limit;        // seconds of wall time; 0 = none
    int64_t checkpoint_every; // agent steps
    int64_t keep_checkpoints;
    int64_t eval_every; // frames
    int64_t eval_episodes;
    int64_t clip_every;          // evaluations
    int64_t log_every;           // agent steps
    bool freeze;                 // a loaded encoder is not trained further
    char name[OPT_STRING_BYTES]; // of the run folder
    char run_dir[OPT_STRING_BYTES];
};
extern const struct opt_table run_opts;

struct replay_options {
    int64_t capacity;                     // entries (agent steps)
    bool compress;                        // frames as LZ4 of the difference to a key frame
    double priority_alpha, priority_beta; // prioritised replay (batch_source.h); alpha 0: uniform
};
extern const struct opt_table replay_opts;

enum publish_align { PUBLISH_ALIGN_NONE, PUBLISH_ALIGN_ROTATE };
enum publish_source { PUBLISH_SOURCE_ONLINE, PUBLISH_SOURCE_TARGET };
enum encoder_mode { ENCODER_MODE_LATENTS, ENCODER_MODE_JOINT };

struct loop_options {
    int64_t tick_steps;     // agent steps a tick
    int64_t latent_dim;     // width of the latents
    int64_t frame_stack;    // frames in the encoder's input
    int64_t latent_stack;   // latents in the agent's: this moment's and those before it
    double ssl_per_step;    // SSL steps for each agent step
    int64_t ssl_first;      // SSL steps before the first publish
    int64_t ssl_until;      // agent step at which the encoder stops learning; 0 = never
    int64_t publish_min;    // least agent steps between publishes
    double publish_growth;  // the next publish comes at this multiple of the last one's step
    int align;              // enum publish_align
    int source;             // enum publish_source
    double encode_per_step; // entries re-encoded for each agent step while a publish is under way
    int64_t shift_pad;      // random shift of pixel batches (end to end)
    double latent_clip;     // standardised latents are clipped here; 0 = off
    int64_t catch_up;       // extra agent updates right after a publish
    int mode;               // enum encoder_mode
};
extern const struct opt_table loop_opts;
