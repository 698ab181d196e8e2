// All that a run learns, built from its configuration: the agent, its encoder, the SSL method that
// trains the encoder, and the published snapshot through which the policy sees pixels.
#pragma once

#include "agents/agent.h"
#include "envs/env.h"
#include "ssl/ssl.h"
#include "train/explore.h"
#include "train/options.h"
#include "train/snapshot.h"

enum feature_kind {
    FEATURE_KIND_STATE,   // the task's own observation
    FEATURE_KIND_PIXELS,  // stacks; the critic's gradient trains the encoder
    FEATURE_KIND_LATENTS, // rows of the published snapshot
};

struct parts {
    enum feature_kind features;
    struct run_options run;
    struct env_options env;
    struct replay_options replay;
    struct loop_options loop;
    struct explore_options explore;
    char agent_name[32], encoder_name[32], ssl_name[32]; // "" for none
    int stack_dim[3]; // H, W, C * frame_stack; C = 0 without pixels
    int latent_dim;   // of one moment's latent
    int feature_dim;  // of the agent's input rows: a state, or latent_stack latents; 0 for pixels
    struct encoder *encoder;            // NULL for states
    struct optimizer encoder_optimizer; // of the critic's gradient (pixels)
    struct ssl *ssl;                    // NULL without
    struct agent *agent;
    struct snapshot snapshot; // latents only
};

// First half: reads the run's options and what --encoder means (does it need pixels?), so that the
// environment can be made. agent may be NULL when config names it ("agent" of a run's config.yaml).
RL_CHECKED enum rl_status parts_read_options(struct parts *parts, const char *agent,
                                             struct config *config, struct rl_error *err);
// Second half: creates the parts. acting_only leaves SSL out (eval, view). agent_pool runs the
// agent's kernels, ssl_pool the encoder loop's. Unknown or unused options are an error here.
RL_CHECKED enum rl_status parts_create(struct parts *parts, struct config *config,
                                       const struct env_spec *env, bool acting_only,
                                       struct pool *agent_pool, struct pool *ssl_pool,
                                       struct rl_error *err);
void parts_release(struct parts *parts);

size_t parts_stack_bytes(const struct parts *parts); // of one stack of frames; 0 without pixels

// What acting needs (agent, encoder or snapshot) / everything that training needs beside it.
void parts_visit_policy(struct parts *parts, struct state_visitor *visitor);
void parts_visit_training(struct parts *parts, struct state_visitor *visitor);

// The resolved configuration, as YAML that config_add_yaml_file reads back.
void parts_dump(const struct parts *parts, struct text *out);

// Every option table of the program: for --help, the reference page and the check of unused
// sections. Returns the count; tables beyond max are left out.
size_t parts_tables(const struct opt_table **tables, size_t max);
