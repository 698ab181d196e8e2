// What `rlrun probe` measures encoders on, and the encoders themselves.
#pragma once

#include "encoders/encoder.h"
#include "envs/env.h"
#include "replay/dataset.h"
#include "ssl/ssl.h"
#include "train/collect.h"

struct probe_material {
    struct dataset set;       // pictures; n = 0: rollouts
    struct rollouts rollouts; // replay NULL: pictures
    struct ssl_source source;
    int in_dim[3];
    int64_t n;
};

struct probe_material_spec {
    const char *data; // "": rollouts of random actions in env
    const char *env;
    struct env_options *options;
    int collect, frame_stack;
    double test_share;
    uint64_t seed;
};
RL_CHECKED enum rl_status probe_material_load(struct probe_material *material,
                                              const struct probe_material_spec *spec,
                                              struct rl_error *err);
void probe_material_release(struct probe_material *material);

// An encoder from its file, or from the folder of a run (its newest checkpoint). NULL + err.
struct encoder *probe_encoder_load(const char *path, struct rl_error *err);
// The last part of path without ".safetensors".
void probe_encoder_name(const char *path, char *out, size_t size);
