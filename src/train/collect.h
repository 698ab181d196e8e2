// Rollouts of a random policy or of a trained run, for pre-training and probing encoders without an
// agent; in memory or in one file.
#pragma once

#include "envs/env.h"
#include "replay/replay.h"

// A replay whose entries' state observation is qpos then qvel. NULL in it after a failure.
struct rollouts {
    struct replay *replay;
    int n_qpos, n_qvel;
};

struct rollouts_spec {
    const char *env;                   // ignored with a run, which has its own
    const struct env_options *options; // the same; pixels is taken as true
    const char *run;                   // folder of a trained run that acts; NULL: uniform random
    int steps, frame_stack;
    uint64_t seed;
};
RL_CHECKED enum rl_status rollouts_collect(struct rollouts *rollouts,
                                           const struct rollouts_spec *spec, struct rl_error *err);
// From the file data, spec->frame_stack frames a stack; "": collected as spec says.
RL_CHECKED enum rl_status rollouts_open(struct rollouts *rollouts, const char *data,
                                        const struct rollouts_spec *spec, struct rl_error *err);
// (H, W, C * frame_stack): the input of an encoder that learns from them.
void rollouts_in_dim(const struct rollouts *rollouts, int in_dim[3]);
void rollouts_release(struct rollouts *rollouts);

// The file is an .npz (replay/npy.h) of n rows: frames (n, H, W, 3) u8; qpos, qvel and the actions
// taken there, float32; rewards and discounts of those steps, float64; first and last, of episodes,
// bool.
RL_CHECKED enum rl_status rollouts_save(const struct rollouts *rollouts, const char *path,
                                        struct rl_error *err);
RL_CHECKED enum rl_status rollouts_load(struct rollouts *rollouts, const char *path,
                                        int frame_stack, struct rl_error *err);
bool rollouts_is_file(const char *path); // an .npz with frames and actions in it
