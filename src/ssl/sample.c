#include "ssl/sample.h"

#include <string.h>

#include "base/mem.h"

#define TASKS 16 // parts of a batch; fixed, so that the pool's size changes nothing

static size_t picture_bytes(const struct sampler *sampler) {
    const int *dim = sampler->spec.dim;
    return (size_t)dim[0] * dim[1] * dim[2];
}

enum rl_status sampler_create(struct sampler *sampler, const struct sample_spec *spec,
                              struct rl_error *err) {
    int n = (int)spec->options.batch;
    *sampler = (struct sampler){.spec = *spec,
                                .n_views = spec->n_global + spec->n_local + spec->next_view};
    RL_ASSERT(sampler->n_views <= SSL_MAX_VIEWS);
    size_t each = picture_bytes(sampler), slots = mem_size(n, sampler->n_views);
    sampler->pixels = mem_try_alloc(mem_size(slots, each), "views of an SSL batch", err);
    if (!sampler->pixels) return RL_ENOMEM;
    sampler->scratch = mem_alloc(TASKS * 2 * each);
    sampler->entries = MEM_ARRAY(int64_t, slots);
    sampler->plans = MEM_ARRAY(struct view_plan, slots);
    sampler->index = MEM_ARRAY(int64_t, n);
    sampler->actions = MEM_ARRAY(real, mem_size(n, spec->span * spec->action_dim + 1));
    sampler->rewards = MEM_ARRAY(real, n);
    sampler->valid = MEM_ARRAY(real, n);
    struct ssl_batch *batch = &sampler->batch;
    batch->n = n;
    batch->n_views = sampler->n_views;
    batch->n_global = spec->n_global;
    batch->n_local = spec->n_local;
    batch->valid = sampler->valid;
    batch->index = sampler->index;
    batch->actions = spec->conditioned ? sampler->actions : NULL;
    for (int v = 0; v < sampler->n_views; v++)
        batch->view[v] = sampler->pixels + (size_t)v * n * each;
    return RL_OK;
}

void sampler_release(struct sampler *sampler) {
    mem_free(sampler->pixels);
    mem_free(sampler->scratch);
    mem_free(sampler->entries);
    mem_free(sampler->plans);
    mem_free(sampler->index);
    mem_free(sampler->actions);
    mem_free(sampler->rewards);
    mem_free(sampler->valid);
    *sampler = (struct sampler){0};
}

static struct view_plan draw_plan(const struct sampler *sampler, bool local, struct rng *rng) {
    const struct ssl_options *options = &sampler->spec.options;
    const int *dim = sampler->spec.dim;
    struct view_options strength = {.shift_pad = (int)options->shift_pad,
                                    .crop_min = options->crop_min,
                                    .crop_max = 1,
                                    .jitter = options->jitter,
                                    .gray = options->gray,
                                    .blur = options->blur,
                                    .flip = options->flip};
    if (local) { // DINO's and SwAV's small crops
        strength.crop_min = 0.05;
        strength.crop_max = 0.4;
        return view_draw_crop(&strength, dim[0], dim[1], rng);
    }
    switch (options->augment) {
    case SSL_AUGMENT_SHIFT: return view_draw_shift(&strength, rng);
    case SSL_AUGMENT_CROP: return view_draw_crop(&strength, dim[0], dim[1], rng);
    default: return (struct view_plan){.kind = VIEW_COPY};
    }
}

// Fills row i of entries, actions and rewards.
static void draw_from_replay(struct sampler *sampler, int i, struct rng *rng) {
    const struct ssl_source *source = sampler->source;
    const struct replay *replay = source->replay;
    const struct sample_spec *spec = &sampler->spec;
    int64_t entry = replay_sample(replay, source->window, rng);
    int64_t next = replay_ahead(replay, source->window, entry, spec->span);
    int64_t *row = sampler->entries + (size_t)i * sampler->n_views;
    bool temporal = spec->options.temporal_steps > 0;
    for (int v = 0; v < sampler->n_views; v++) {
        bool positive = v > 0 && v < spec->n_global;
        row[v] = entry;
        if (positive && spec->sequence) row[v] = replay_ahead(replay, source->window, entry, v);
        if (positive && !spec->sequence && temporal) row[v] = next;
    }
    if (spec->next_view) row[sampler->n_views - 1] = next;
    sampler->valid[i] = next == entry + spec->span;
    sampler->index[i] = entry % replay_spec(replay)->capacity;
    real *actions = sampler->actions + (size_t)i * spec->span * spec->action_dim;
    memset(actions, 0, (size_t)spec->span * spec->action_dim * sizeof *actions);
    double reward = 0;
    for (int64_t e = entry; e < next; e++, actions += spec->action_dim) {
        const float *action = replay_action(replay, e);
        for (int j = 0; j < spec->action_dim; j++) actions[j] = action[j];
        reward += replay_reward(replay, e);
    }
    sampler->rewards[i] = (real)reward;
}

static void draw_from_images(struct sampler *sampler, int i, struct rng *rng) {
    int64_t image = (int64_t)(rng_uniform(rng) * (double)sampler->source->count);
    for (int v = 0; v < sampler->n_views; v++)
        sampler->entries[(size_t)i * sampler->n_views + v] = image;
    sampler->index[i] = image;
    sampler->valid[i] = 1;
}

static void make_views(void *context, int task) {
    struct sampler *sampler = context;
    const struct ssl_source *source = sampler->source;
    const int *dim = sampler->spec.dim;
    size_t each = picture_bytes(sampler);
    uint8_t *stack = sampler->scratch + 2 * task * each, *spare = stack + each;
    struct pool_range range = pool_split(sampler->batch.n, TASKS, task, 1);
    for (int i = range.begin; i < range.end; i++) {
        int64_t built = -1; // entry whose stack is in the scratch
        for (int v = 0; v < sampler->n_views; v++) {
            size_t slot = (size_t)i * sampler->n_views + v;
            int64_t entry = sampler->entries[slot];
            if (source->replay && entry != built) replay_stack(source->replay, entry, stack);
            built = entry;
            const uint8_t *in = source->replay ? stack : source->images + entry * each;
            uint8_t *out = sampler->pixels + ((size_t)v * sampler->batch.n + i) * each;
            view_apply(&sampler->plans[slot], in, dim[0], dim[1], dim[2], spare, out);
        }
    }
}

void sampler_draw(struct sampler *sampler, const struct ssl_source *source, struct rng *rng,
                  struct pool *pool) {
    sampler->source = source;
    const struct sample_spec *spec = &sampler->spec;
    for (int i = 0; i < sampler->batch.n; i++) {
        if (source->replay) {
            draw_from_replay(sampler, i, rng);
        } else {
            draw_from_images(sampler, i, rng);
        }
        for (int v = 0; v < sampler->n_views; v++) {
            sampler->plans[(size_t)i * sampler->n_views + v] =
                draw_plan(sampler, v >= spec->n_global && v < spec->n_global + spec->n_local, rng);
        }
    }
    pool_run(pool, TASKS, make_views, sampler);
}
