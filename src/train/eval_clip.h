// A short clip of the policy for TensorBoard: the beginning of an evaluation episode of its own, in
// small pictures by the software renderer, whatever the policy itself sees.
#pragma once

#include "base/file.h"
#include "train/policy.h"

enum { EVAL_CLIP_WIDTH = 112, EVAL_CLIP_HEIGHT = 84, EVAL_CLIP_PICTURES = 40 };

struct eval_clip {
    uint8_t *rgb; // (count, EVAL_CLIP_HEIGHT, EVAL_CLIP_WIDTH, 3); owned
    int count;
    double pictures_per_s;
};

// Runs the policy in env, from a reset, with a picture about every 1/12 s.
RL_CHECKED enum rl_status eval_clip_record(struct eval_clip *clip, struct policy *policy,
                                           struct env *env, struct rl_error *err);
void eval_clip_release(struct eval_clip *clip);

// Makes an animated GIF of n pictures (n, height, width, 3); gif->data is the caller's. The program
// gives it to the trainer (struct trainer, make_gif): encoders of video are not of this layer.
typedef enum rl_status (*make_gif_fn)(const uint8_t *rgb, int n, int width, int height,
                                      double pictures_per_s, struct bytes *gif,
                                      struct rl_error *err);
