#include "train/policy_picture.h"

#include <string.h>

#include "base/mem.h"
#include "encoders/vit.h"

static bool has_attention(const struct policy *policy) {
    return policy->parts->encoder && policy->parts->encoder->ops->attention;
}

static int frames_of(const struct policy *policy) {
    return (int)policy->parts->loop.frame_stack;
}

void policy_picture_dim(const struct policy *policy, int dim[2]) {
    const struct parts *parts = policy->parts;
    dim[0] = dim[1] = 0;
    if (parts->features == FEATURE_KIND_STATE) return;
    dim[0] = parts->stack_dim[0];
    dim[1] = parts->stack_dim[1] * (frames_of(policy) + has_attention(policy));
}

// Frame number `frame` of the stack into column `place` of the picture, gray ones as three equal
// channels.
static void copy_frame(const struct policy *policy, int frame, int place, int width, uint8_t *rgb) {
    const int *dim = policy->parts->stack_dim;
    int channels = dim[2] / frames_of(policy);
    for (int y = 0; y < dim[0]; y++) {
        for (int x = 0; x < dim[1]; x++) {
            const uint8_t *from =
                policy->stack + ((size_t)y * dim[1] + x) * dim[2] + (size_t)frame * channels;
            uint8_t *to = rgb + ((size_t)y * width + (size_t)place * dim[1] + x) * 3;
            for (int c = 0; c < 3; c++) to[c] = from[channels == 3 ? c : 0];
        }
    }
}

// Mean over heads of the class token's attention, (tokens); lives on the tape.
static const real *attention_of(struct policy *policy, int *tokens) {
    struct parts *parts = policy->parts;
    struct encoder_input input = {.n = 1, .pixels = policy->stack};
    bool latents = parts->features == FEATURE_KIND_LATENTS;
    const struct params *params = latents ? &parts->snapshot.params : &parts->encoder->params;
    int heads;
    tape_reset(policy->tape);
    tape_set_recording(policy->tape, false);
    struct tensor *maps =
        parts->encoder->ops->attention(parts->encoder, policy->tape, params, &input, &heads);
    *tokens = (int)maps->count / heads;
    for (int h = 1; h < heads; h++) {
        for (int i = 0; i < *tokens; i++) maps->data[i] += maps->data[h * *tokens + i];
    }
    for (int i = 0; i < *tokens; i++) maps->data[i] /= (real)heads;
    return maps->data;
}

// How much of the light each patch gets, 0..1: its attention above the mean, over the highest's. A
// map that is flat, as an untrained one is, lights nothing up.
static void shares_of(const real *map, int tokens, real *share) {
    real mean = 0, most = 0;
    for (int i = 0; i < tokens; i++) {
        mean += map[i] / (real)tokens;
        most = map[i] > most ? map[i] : most;
    }
    real excess = most - mean, strength = excess < mean ? excess / mean : 1;
    for (int i = 0; i < tokens; i++) {
        share[i] = map[i] > mean ? strength * (map[i] - mean) / excess : 0;
    }
}

// Towards amber where the map is high, towards dark where it is low.
static void light_frame(struct policy *policy, int place, int width, uint8_t *rgb) {
    static const float amber[3] = {255, 176, 32};
    const int *dim = policy->parts->stack_dim;
    const struct vit *vit = vit_of(policy->parts->encoder);
    int tokens;
    const real *map = attention_of(policy, &tokens);
    RL_ASSERT(vit && tokens == vit->grid_h * vit->grid_w);
    real *shares = ARENA_ARRAY(tape_arena(policy->tape), real, tokens);
    shares_of(map, tokens, shares);
    for (int y = 0; y < dim[0]; y++) {
        for (int x = 0; x < dim[1]; x++) {
            int patch = y * vit->grid_h / dim[0] * vit->grid_w + x * vit->grid_w / dim[1];
            float share = (float)shares[patch];
            uint8_t *to = rgb + ((size_t)y * width + (size_t)place * dim[1] + x) * 3;
            for (int c = 0; c < 3; c++) {
                float dark = 0.45f * to[c];
                to[c] = (uint8_t)(dark + 0.65f * share * (amber[c] - dark));
            }
        }
    }
    tape_reset(policy->tape);
}

void policy_picture(struct policy *policy, uint8_t *rgb) {
    int dim[2], frames = frames_of(policy);
    policy_picture_dim(policy, dim);
    for (int i = 0; i < frames; i++) copy_frame(policy, i, i, dim[1], rgb);
    if (!has_attention(policy)) return;
    copy_frame(policy, frames - 1, frames, dim[1], rgb);
    light_frame(policy, frames, dim[1], rgb);
}
