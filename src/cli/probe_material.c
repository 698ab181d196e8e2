#include "cli/probe_material.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "train/policy.h"

static enum rl_status load_rollouts(struct probe_material *material,
                                    const struct probe_material_spec *spec, struct rl_error *err) {
    struct rollouts_spec rollouts = {.env = spec->env,
                                     .options = spec->options,
                                     .steps = spec->collect,
                                     .frame_stack = spec->frame_stack,
                                     .seed = spec->seed};
    enum rl_status status = rollouts_open(&material->rollouts, spec->data, &rollouts, err);
    if (status != RL_OK) return status;
    const struct replay *replay = material->rollouts.replay;
    rollouts_in_dim(&material->rollouts, material->in_dim);
    material->n = replay_end(replay);
    material->source = (struct ssl_source){.replay = replay, .window = replay_window(replay)};
    return RL_OK;
}

static enum rl_status load_pictures(struct probe_material *material,
                                    const struct probe_material_spec *spec, struct rl_error *err) {
    struct dataset *set = &material->set;
    enum rl_status status = dataset_load(spec->data, set, err);
    if (status != RL_OK) return status;
    if (!set->label) return rl_fail(err, RL_EUSAGE, "%s has no labels to probe for", spec->data);
    if (set->n < 2) return rl_fail(err, RL_EUSAGE, "%s holds one picture", spec->data);
    dataset_split(set, spec->test_share, spec->seed);
    material->in_dim[0] = set->h;
    material->in_dim[1] = set->w;
    material->in_dim[2] = set->c;
    material->n = set->n;
    material->source = (struct ssl_source){.images = set->images, .count = set->n};
    return RL_OK;
}

enum rl_status probe_material_load(struct probe_material *material,
                                   const struct probe_material_spec *spec, struct rl_error *err) {
    *material = (struct probe_material){0};
    bool pictures = spec->data[0] && !rollouts_is_file(spec->data);
    return pictures ? load_pictures(material, spec, err) : load_rollouts(material, spec, err);
}

void probe_material_release(struct probe_material *material) {
    dataset_free(&material->set);
    rollouts_release(&material->rollouts);
}

static struct encoder *from_run(const char *path, struct rl_error *err) {
    struct policy policy;
    struct env *env;
    if (policy_load(&policy, path, 1, &env, err) != RL_OK) return NULL;
    struct encoder *encoder = policy.parts->encoder;
    if (encoder)
        policy.parts->encoder = NULL; // ours now
    else
        rl_fail(err, RL_EUSAGE, "%s acts on states: it has no encoder", path);
    env_destroy(env);
    policy_release(&policy);
    return encoder;
}

struct encoder *probe_encoder_load(const char *path, struct rl_error *err) {
    return file_is_dir(path) ? from_run(path, err) : encoder_load(path, err);
}

void probe_encoder_name(const char *path, char *out, size_t size) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    const char *begin = path + length;
    while (begin > path && begin[-1] != '/') begin--;
    snprintf(out, size, "%.*s", (int)(path + length - begin), begin);
    char *end = strstr(out, ".safetensors");
    if (end && !end[strlen(".safetensors")]) *end = 0;
}
