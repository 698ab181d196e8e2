#include "train/eval_clip.h"

#include <math.h>

#include "base/mem.h"
#include "render/render.h"

#define PICTURE_S (1.0 / 12) // least time between pictures

static const size_t picture_bytes = (size_t)EVAL_CLIP_WIDTH * EVAL_CLIP_HEIGHT * 3;

static enum rl_status take_picture(struct eval_clip *clip, struct renderer *renderer,
                                   struct env *env, struct rl_error *err) {
    struct render_target target = {.rgb = clip->rgb + picture_bytes * (size_t)clip->count};
    clip->count++;
    return renderer_draw_camera(renderer, env_data(env), env_camera(env), &target, err);
}

enum rl_status eval_clip_record(struct eval_clip *clip, struct policy *policy, struct env *env,
                                struct rl_error *err) {
    const struct env_spec *spec = env_spec(env);
    double step_s = spec->control_timestep_s * spec->action_repeat;
    int every = (int)fmax(1, lround(PICTURE_S / step_s)); // steps
    struct render_size size = {EVAL_CLIP_WIDTH, EVAL_CLIP_HEIGHT};
    struct time_step step;
    *clip = (struct eval_clip){.pictures_per_s = 1 / (step_s * every)};
    struct renderer *renderer = renderer_create(RENDER_BACKEND_SOFT, env_model(env), size, err);
    if (!renderer) return err->code;
    clip->rgb = mem_alloc(picture_bytes * EVAL_CLIP_PICTURES);
    enum rl_status status = env_reset(env, &step, err);
    for (int i = 0; status == RL_OK && clip->count < EVAL_CLIP_PICTURES && !step.last; i++) {
        double action[AGENT_MAX_ACTIONS];
        if (i % every == 0) status = take_picture(clip, renderer, env, err);
        if (status != RL_OK) break;
        policy_observe(policy, &step);
        policy_act(policy, action);
        status = env_step(env, action, &step, err);
    }
    renderer_destroy(renderer);
    return status;
}

void eval_clip_release(struct eval_clip *clip) {
    mem_free(clip->rgb);
    *clip = (struct eval_clip){0};
}
