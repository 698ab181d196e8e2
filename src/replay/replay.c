#include "replay/replay.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { FLAG_FIRST = 1, FLAG_LAST = 2 };

// Columns of one ring; entry e lies in slot e % slots of each. The ring has `reserve` slots more
// than the capacity, so that the writer's next entries fall outside every window, and the frames of
// the oldest entry's stack.
struct replay {
    struct replay_spec spec;
    int64_t slots;
    size_t frame_bytes;
    uint8_t *frames;       // (slots, H, W, C)
    float *obs;            // (slots, obs_dim)
    float *actions;        // (slots, action_dim)
    float *latents;        // (slots, latent_dim)
    double *rewards;       // (slots) of the step taken at the entry
    double *discounts;     // (slots) likewise
    uint8_t *flags;        // (slots)
    bool has_action;       // of the newest entry; the writer's own
    _Atomic int64_t begin; // oldest entry stored
    _Atomic int64_t end;   // one past the newest
};

static enum rl_status check_spec(const struct replay_spec *spec, struct rl_error *err) {
    const int *dim = spec->frame_dim;
    RL_ASSERT(spec->action_dim > 0 && spec->obs_dim >= 0 && spec->latent_dim >= 0);
    RL_ASSERT(dim[2] == 0 || (dim[0] > 0 && dim[1] > 0 && dim[2] > 0 && spec->frame_stack > 0));
    RL_ASSERT(spec->reserve >= 0 && spec->frame_stack >= 0);
    if (spec->capacity < 2 || spec->capacity > INT_MAX) {
        return rl_fail(err, RL_EUSAGE, "replay.capacity is %lld entries; allowed: 2 to %d",
                       (long long)spec->capacity, INT_MAX);
    }
    return RL_OK;
}

// Bytes of one column, into what it adds up to; a size past 2^62 counts as too large.
static bool add_column(size_t slots, size_t each_bytes, size_t *total) {
    size_t bytes;
    return mem_size_checked(slots, each_bytes, &bytes) &&
           !__builtin_add_overflow(*total, bytes, total) && *total <= SIZE_MAX / 4;
}

static enum rl_status check_memory(const struct replay *replay, struct rl_error *err) {
    const struct replay_spec *spec = &replay->spec;
    size_t slots = (size_t)replay->slots, total = 0;
    size_t floats = (size_t)spec->obs_dim + (size_t)spec->action_dim + (size_t)spec->latent_dim;
    bool fits = add_column(slots, replay->frame_bytes, &total) &&
                add_column(slots, floats * sizeof(float) + 2 * sizeof(double) + 1, &total) &&
                total <= mem_physical_bytes();
    if (fits) return RL_OK;
    return rl_fail(
        err, RL_ENOMEM,
        "out of memory: a replay of %lld entries needs %.0f MB and this machine has %.0f "
        "MB; lower --replay.capacity",
        (long long)spec->capacity, (double)total / 1e6, (double)mem_physical_bytes() / 1e6);
}

static void *reserve_column(const struct replay *replay, size_t each_bytes, struct rl_error *err) {
    return mem_try_reserve((size_t)replay->slots * each_bytes, "replay", "lower --replay.capacity",
                           err);
}

static bool reserve_columns(struct replay *replay, struct rl_error *err) {
    const struct replay_spec *spec = &replay->spec;
    replay->frames = reserve_column(replay, replay->frame_bytes, err);
    if (!replay->frames) return false;
    replay->obs = reserve_column(replay, (size_t)spec->obs_dim * sizeof(float), err);
    if (!replay->obs) return false;
    replay->actions = reserve_column(replay, (size_t)spec->action_dim * sizeof(float), err);
    if (!replay->actions) return false;
    replay->latents = reserve_column(replay, (size_t)spec->latent_dim * sizeof(float), err);
    if (!replay->latents) return false;
    replay->rewards = reserve_column(replay, sizeof(double), err);
    if (!replay->rewards) return false;
    replay->discounts = reserve_column(replay, sizeof(double), err);
    if (!replay->discounts) return false;
    replay->flags = reserve_column(replay, 1, err);
    return replay->flags != NULL;
}

struct replay *replay_create(const struct replay_spec *spec, struct rl_error *err) {
    if (check_spec(spec, err) != RL_OK) return NULL;
    struct replay *replay = MEM_NEW(struct replay);
    replay->spec = *spec;
    int history = spec->frame_stack > 1 ? spec->frame_stack - 1 : 0;
    replay->slots = spec->capacity + spec->reserve + history;
    replay->frame_bytes = mem_size(mem_size((size_t)spec->frame_dim[0], (size_t)spec->frame_dim[1]),
                                   (size_t)spec->frame_dim[2]);
    if (check_memory(replay, err) != RL_OK || !reserve_columns(replay, err)) {
        replay_destroy(replay);
        return NULL;
    }
    return replay;
}

void replay_destroy(struct replay *replay) {
    if (!replay) return;
    const struct replay_spec *spec = &replay->spec;
    size_t slots = (size_t)replay->slots;
    mem_unreserve(replay->frames, slots * replay->frame_bytes);
    mem_unreserve(replay->obs, slots * (size_t)spec->obs_dim * sizeof(float));
    mem_unreserve(replay->actions, slots * (size_t)spec->action_dim * sizeof(float));
    mem_unreserve(replay->latents, slots * (size_t)spec->latent_dim * sizeof(float));
    mem_unreserve(replay->rewards, slots * sizeof(double));
    mem_unreserve(replay->discounts, slots * sizeof(double));
    mem_unreserve(replay->flags, slots);
    mem_free(replay);
}

const struct replay_spec *replay_spec(const struct replay *replay) {
    return &replay->spec;
}

int64_t replay_begin(const struct replay *replay) {
    int64_t oldest = atomic_load_explicit(&replay->begin, memory_order_acquire);
    int64_t kept = replay_end(replay) - replay->spec.capacity;
    return kept > oldest ? kept : oldest;
}

int64_t replay_end(const struct replay *replay) {
    return atomic_load_explicit(&replay->end, memory_order_acquire);
}

struct replay_window replay_window(const struct replay *replay) {
    return (struct replay_window){replay_begin(replay), replay_end(replay)};
}

static size_t slot_of(const struct replay *replay, int64_t entry) {
    RL_ASSERT(entry >= 0 && entry < replay_end(replay) &&
              entry >= replay_end(replay) - replay->slots);
    return (size_t)(entry % replay->slots);
}

int64_t replay_append(struct replay *replay, const struct replay_entry *entry) {
    const struct replay_spec *spec = &replay->spec;
    RL_ASSERT((spec->frame_dim[2] == 0 || entry->frame) && (spec->obs_dim == 0 || entry->obs));
    int64_t number = replay_end(replay);
    size_t slot = (size_t)(number % replay->slots);
    if (!entry->first) {
        RL_ASSERT(number > 0 && replay->has_action && !replay_is_last(replay, number - 1));
        size_t before = slot_of(replay, number - 1);
        replay->rewards[before] = entry->reward;
        replay->discounts[before] = entry->discount;
    }
    if (replay->frame_bytes) {
        memcpy(replay->frames + slot * replay->frame_bytes, entry->frame, replay->frame_bytes);
    }
    float *obs = replay->obs + slot * (size_t)spec->obs_dim;
    for (int i = 0; i < spec->obs_dim; i++) obs[i] = (float)entry->obs[i];
    memset(replay->actions + slot * (size_t)spec->action_dim, 0,
           (size_t)spec->action_dim * sizeof(float));
    memset(replay->latents + slot * (size_t)spec->latent_dim, 0,
           (size_t)spec->latent_dim * sizeof(float));
    replay->rewards[slot] = 0;
    replay->discounts[slot] = 0;
    replay->flags[slot] =
        (uint8_t)((entry->first ? FLAG_FIRST : 0) | (entry->last ? FLAG_LAST : 0));
    replay->has_action = false;
    atomic_store_explicit(&replay->end, number + 1, memory_order_release);
    return number;
}

void replay_set_action(struct replay *replay, const real *action) {
    int64_t newest = replay_end(replay) - 1;
    RL_ASSERT(newest >= 0 && !replay_is_last(replay, newest));
    int dim = replay->spec.action_dim;
    float *out = replay->actions + slot_of(replay, newest) * (size_t)dim;
    for (int i = 0; i < dim; i++) out[i] = (float)action[i];
    replay->has_action = true;
}

static bool is_first(const struct replay *replay, int64_t entry) {
    return replay->flags[slot_of(replay, entry)] & FLAG_FIRST;
}

bool replay_is_last(const struct replay *replay, int64_t entry) {
    return replay->flags[slot_of(replay, entry)] & FLAG_LAST;
}

// An episode that was broken off has no last entry: the next one is the first of another.
bool replay_is_transition(const struct replay *replay, struct replay_window window, int64_t entry) {
    return entry >= window.begin && entry + 1 < window.end && !replay_is_last(replay, entry) &&
           !is_first(replay, entry + 1);
}

bool replay_has_transition(const struct replay *replay, struct replay_window window) {
    for (int64_t entry = window.begin; entry + 1 < window.end; entry++) {
        if (replay_is_transition(replay, window, entry)) return true;
    }
    return false;
}

int64_t replay_sample(const struct replay *replay, struct replay_window window, struct rng *rng) {
    RL_ASSERT(window.end - window.begin > 1);
    uint32_t candidates = (uint32_t)(window.end - window.begin - 1);
    for (;;) {
        int64_t entry = window.begin + rng_below(rng, candidates);
        if (replay_is_transition(replay, window, entry)) return entry;
    }
}

// Copies one frame into channels [at, at + C) of pixels that are `stride` bytes apart.
static void copy_channels(const uint8_t *frame, size_t n_pixels, size_t channels, size_t stride,
                          uint8_t *out) {
    if (stride == channels) {
        memcpy(out, frame, n_pixels * channels);
        return;
    }
    if (channels == 3) {
        for (size_t i = 0; i < n_pixels; i++) memcpy(out + i * stride, frame + i * 3, 3);
        return;
    }
    for (size_t i = 0; i < n_pixels; i++) {
        for (size_t c = 0; c < channels; c++) out[i * stride + c] = frame[i * channels + c];
    }
}

void replay_stack(const struct replay *replay, int64_t entry, uint8_t *out) {
    const struct replay_spec *spec = &replay->spec;
    RL_ASSERT(spec->frame_dim[2] > 0);
    size_t n_pixels = (size_t)spec->frame_dim[0] * (size_t)spec->frame_dim[1];
    size_t channels = (size_t)spec->frame_dim[2];
    size_t stride = channels * (size_t)spec->frame_stack;
    int64_t source = entry;
    for (int k = spec->frame_stack - 1; k >= 0; k--) {
        copy_channels(replay_frame(replay, source), n_pixels, channels, stride,
                      out + (size_t)k * channels);
        if (source > 0 && !is_first(replay, source)) source--;
    }
}

const uint8_t *replay_frame(const struct replay *replay, int64_t entry) {
    return replay->frames + slot_of(replay, entry) * replay->frame_bytes;
}

const float *replay_obs(const struct replay *replay, int64_t entry) {
    return replay->obs + slot_of(replay, entry) * (size_t)replay->spec.obs_dim;
}

const float *replay_action(const struct replay *replay, int64_t entry) {
    return replay->actions + slot_of(replay, entry) * (size_t)replay->spec.action_dim;
}

float *replay_latent(struct replay *replay, int64_t entry) {
    return replay->latents + slot_of(replay, entry) * (size_t)replay->spec.latent_dim;
}

double replay_reward(const struct replay *replay, int64_t entry) {
    return replay->rewards[slot_of(replay, entry)];
}

struct replay_return replay_n_step(const struct replay *replay, struct replay_window window,
                                   int64_t entry, int n_steps, double gamma) {
    RL_ASSERT(n_steps > 0 && replay_is_transition(replay, window, entry));
    struct replay_return sum = {.discount = 1, .next = entry};
    while (sum.n_steps < n_steps && replay_is_transition(replay, window, sum.next)) {
        size_t slot = slot_of(replay, sum.next);
        sum.reward += sum.discount * replay->rewards[slot];
        sum.discount *= gamma * replay->discounts[slot];
        sum.next++;
        sum.n_steps++;
    }
    return sum;
}

int64_t replay_ahead(const struct replay *replay, struct replay_window window, int64_t entry,
                     int k) {
    while (k-- > 0 && replay_is_transition(replay, window, entry)) entry++;
    return entry;
}
