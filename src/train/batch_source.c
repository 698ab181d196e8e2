#include "train/batch_source.h"

#include <math.h>

#include "base/mem.h"
#include "math/image.h"

#define TD_EPSILON 1e-3 // keeps what was learned well from never being drawn again

static enum rl_status create_priorities(struct batch_source *source, struct rl_error *err) {
    if (source->parts->replay.priority_alpha <= 0) return RL_OK;
    const struct replay_spec *spec = replay_spec(source->replay);
    source->priority = priority_create(spec->capacity + spec->reserve, err);
    if (!source->priority) return err->code;
    source->batch.weight = MEM_ARRAY(real, source->batch.n);
    source->batch.td_error = MEM_ARRAY(real, source->batch.n);
    return RL_OK;
}

enum rl_status batch_source_init(struct batch_source *source, const struct parts *parts,
                                 struct replay *replay, struct rl_error *err) {
    int n = (int)parts->agent->schedule.batch;
    size_t stack_bytes = parts_stack_bytes(parts);
    *source = (struct batch_source){.parts = parts, .replay = replay};
    source->rng = rng_fork((uint64_t)parts->run.seed, "batches");
    source->entries = MEM_ARRAY(int64_t, n);
    source->stack = mem_alloc(stack_bytes);
    struct batch *batch = &source->batch;
    batch->n = n;
    batch->action = MEM_ARRAY(real, n * parts->agent->spec.action_dim);
    batch->reward = MEM_ARRAY(real, n);
    batch->discount = MEM_ARRAY(real, n);
    if (parts->features == FEATURE_KIND_PIXELS) {
        batch->pixels = mem_alloc(mem_size((size_t)n, stack_bytes));
        batch->next_pixels = mem_alloc(mem_size((size_t)n, stack_bytes));
    } else {
        batch->obs = MEM_ARRAY(real, n * parts->feature_dim);
        batch->next_obs = MEM_ARRAY(real, n * parts->feature_dim);
    }
    return create_priorities(source, err);
}

void batch_source_release(struct batch_source *source) {
    struct batch *batch = &source->batch;
    mem_free((void *)batch->action);
    mem_free((void *)batch->reward);
    mem_free((void *)batch->discount);
    mem_free((void *)batch->pixels);
    mem_free((void *)batch->next_pixels);
    mem_free((void *)batch->obs);
    mem_free((void *)batch->next_obs);
    mem_free((void *)batch->weight);
    mem_free(batch->td_error);
    mem_free(source->entries);
    mem_free(source->stack);
    priority_destroy(source->priority);
}

void batch_source_add(struct batch_source *source, int64_t entry) {
    if (!source->priority) return;
    double largest = priority_max(source->priority);
    priority_set(source->priority, entry, largest > 0 ? largest : 1);
}

// --- drawing ---

// A leaf whose transition has left the window since is emptied when it is met.
static int64_t draw_by_priority(struct batch_source *source, struct replay_window window) {
    for (;;) {
        double u = rng_uniform(&source->rng);
        int64_t entry = priority_draw(source->priority, window.end, u);
        if (replay_is_transition(source->replay, window, entry)) return entry;
        priority_set(source->priority, entry, 0);
    }
}

static void draw_entries(struct batch_source *source, struct replay_window window) {
    for (int i = 0; i < source->batch.n; i++) {
        source->entries[i] = source->priority ? draw_by_priority(source, window)
                                              : replay_sample(source->replay, window, &source->rng);
    }
}

// N cancels against the division by the largest weight.
static void weigh(struct batch_source *source, double progress) {
    double from = source->parts->replay.priority_beta;
    double beta = from + (1 - from) * (progress < 1 ? progress : 1), largest = 0;
    real *weight = (real *)source->batch.weight;
    for (int i = 0; i < source->batch.n; i++) {
        double value = pow(priority_get(source->priority, source->entries[i]), -beta);
        weight[i] = (real)value;
        largest = fmax(largest, value);
    }
    for (int i = 0; i < source->batch.n; i++) weight[i] = (real)((double)weight[i] / largest);
}

void batch_source_features(const struct batch_source *source, int64_t entry, real *out) {
    const struct parts *parts = source->parts;
    if (parts->features == FEATURE_KIND_STATE) {
        const float *obs = replay_obs(source->replay, entry);
        for (int i = 0; i < parts->feature_dim; i++) out[i] = (real)obs[i];
        return;
    }
    for (int k = 0; k < (int)parts->loop.latent_stack; k++) {
        const float *latent =
            replay_latent(source->replay, replay_behind(source->replay, entry, k));
        for (int i = 0; i < parts->latent_dim; i++) *out++ = (real)latent[i];
    }
}

// DrQ's augmentation: each stack moves by its own random shift.
static void copy_pixels(struct batch_source *source, int64_t entry, const uint8_t *out) {
    const int *dim = source->parts->stack_dim;
    replay_stack(source->replay, entry, source->stack);
    image_random_shift(source->stack, dim[0], dim[1], dim[2], (int)source->parts->loop.shift_pad,
                       &source->rng, (uint8_t *)out);
}

static void fill_row(struct batch_source *source, struct replay_window window, int i) {
    const struct parts *parts = source->parts;
    const struct agent_schedule *schedule = &parts->agent->schedule;
    struct batch *batch = &source->batch;
    size_t dim = (size_t)parts->agent->spec.action_dim, row = (size_t)i;
    int64_t entry = source->entries[i];
    struct replay_return n_step =
        replay_n_step(source->replay, window, entry, (int)schedule->n_step, schedule->gamma);
    ((real *)batch->reward)[i] = (real)n_step.reward;
    ((real *)batch->discount)[i] = (real)n_step.discount;
    const float *action = replay_action(source->replay, entry);
    for (size_t j = 0; j < dim; j++) ((real *)batch->action)[row * dim + j] = (real)action[j];
    if (parts->features == FEATURE_KIND_PIXELS) {
        size_t stack_bytes = parts_stack_bytes(parts);
        copy_pixels(source, entry, batch->pixels + row * stack_bytes);
        copy_pixels(source, n_step.next, batch->next_pixels + row * stack_bytes);
    } else {
        row *= (size_t)parts->feature_dim;
        batch_source_features(source, entry, (real *)batch->obs + row);
        batch_source_features(source, n_step.next, (real *)batch->next_obs + row);
    }
}

void batch_source_draw(struct batch_source *source, double progress) {
    struct replay_window window = {replay_begin(source->replay), replay_end(source->replay)};
    draw_entries(source, window);
    for (int i = 0; i < source->batch.n; i++) fill_row(source, window, i);
    if (source->priority) weigh(source, progress);
}

void batch_source_learned(struct batch_source *source) {
    if (!source->priority) return;
    double alpha = source->parts->replay.priority_alpha;
    for (int i = 0; i < source->batch.n; i++) {
        double error = (double)source->batch.td_error[i];
        priority_set(source->priority, source->entries[i], pow(error + TD_EPSILON, alpha));
    }
}

// --- checkpoints ---

void batch_source_visit(struct batch_source *source, struct state_visitor *visitor) {
    state_rng(visitor, "batch_rng", &source->rng);
    if (!source->priority) return;
    int64_t count;
    double *leaves = priority_leaves(source->priority, &count);
    state_bytes(visitor, "priorities", leaves, (size_t)count * sizeof *leaves);
}

void batch_source_restore(struct batch_source *source) {
    if (source->priority) priority_rebuild(source->priority);
}
