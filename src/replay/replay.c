#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "replay/replay_parts.h"

// A compressed frame takes a fifth of its size or less on every task of the control suite; a
// quarter decides whether a replay can fit in this machine.
enum { EXPECTED_RATIO = 4 };

// More than this at once is written past the caches.
enum { STREAM_BYTES = 1 << 20 };

static size_t frame_bytes(const struct replay_spec *spec) {
    const int *dim = spec->frame_dim;
    return mem_size(mem_size((size_t)dim[0], (size_t)dim[1]), (size_t)dim[2]);
}

static enum rl_status check_spec(const struct replay_spec *spec, struct rl_error *err) {
    const int *dim = spec->frame_dim;
    RL_ASSERT(spec->action_dim > 0 && spec->obs_dim >= 0 && spec->latent_dim >= 0);
    RL_ASSERT(dim[2] == 0 || (dim[0] > 0 && dim[1] > 0 && dim[2] > 0 && spec->frame_stack > 0));
    RL_ASSERT(spec->reserve >= 0 && spec->frame_stack >= 0 && spec->frame_stack <= INTERLEAVE_MAX);
    if (spec->capacity < 2 || spec->capacity > INT_MAX) {
        return rl_fail(err, RL_EUSAGE, "replay.capacity is %lld entries; allowed: 2 to %d",
                       (long long)spec->capacity, INT_MAX);
    }
    size_t stack_bytes = mem_size(frame_bytes(spec), (size_t)spec->frame_stack);
    if (spec->compress && stack_bytes > FRAME_COMPRESSED_MAX) {
        return rl_fail(
            err, RL_EUSAGE,
            "replay.compress: a stack of frames may take %d bytes, here it has %zu; make "
            "--env.image_size smaller",
            FRAME_COMPRESSED_MAX, stack_bytes);
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
    size_t each_frame = frame_bytes(spec) / (spec->compress ? EXPECTED_RATIO : 1);
    size_t floats = (size_t)spec->obs_dim + (size_t)spec->action_dim + (size_t)spec->latent_dim;
    bool fits = add_column(slots, each_frame, &total) &&
                add_column(slots, floats * sizeof(float) + 2 * sizeof(double) + 1, &total) &&
                total <= mem_physical_bytes();
    if (fits) return RL_OK;
    return rl_fail(
        err, RL_ENOMEM,
        "out of memory: a replay of %lld entries needs %.0f MB and this machine has %.0f "
        "MB; lower --replay.capacity%s",
        (long long)spec->capacity, (double)total / 1e6, (double)mem_physical_bytes() / 1e6,
        spec->compress || each_frame == 0 ? "" : " or set --replay.compress");
}

static void *reserve_column(const struct replay *replay, size_t each_bytes, struct rl_error *err) {
    return mem_try_reserve((size_t)replay->slots * each_bytes, "replay", "lower --replay.capacity",
                           err);
}

static bool reserve_columns(struct replay *replay, struct rl_error *err) {
    const struct replay_spec *spec = &replay->spec;
    if (frame_store_init(&replay->frames, replay->slots, frame_bytes(spec),
                         spec->compress && spec->frame_dim[2] > 0, err) != RL_OK) {
        return false;
    }
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

// Entries older than replay_begin that its stack reaches back to.
static int history_entries(const struct replay_spec *spec) {
    return spec->frame_stack > 1 ? spec->frame_stack - 1 : 0;
}

struct replay *replay_create(const struct replay_spec *spec, struct rl_error *err) {
    if (check_spec(spec, err) != RL_OK) return NULL;
    struct replay *replay = MEM_NEW(struct replay);
    replay->spec = *spec;
    if (spec->frame_dim[2])
        interleave_init(&replay->interleave, (size_t)spec->frame_stack, (size_t)spec->frame_dim[2]);
    replay->slots = spec->capacity + spec->reserve + history_entries(spec);
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
    frame_store_release(&replay->frames);
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

static int64_t newest_entries(const struct replay *replay, int64_t count) {
    int64_t oldest = replay_end(replay) - count;
    return oldest > replay->first_stored ? oldest : replay->first_stored;
}

int64_t replay_begin(const struct replay *replay) {
    return newest_entries(replay, replay->spec.capacity);
}

int64_t replay_oldest_stored(const struct replay *replay) {
    return newest_entries(replay, replay->spec.capacity + history_entries(&replay->spec));
}

int64_t replay_end(const struct replay *replay) {
    return atomic_load_explicit(&replay->end, memory_order_acquire);
}

struct replay_window replay_window(const struct replay *replay) {
    return (struct replay_window){replay_begin(replay), replay_end(replay)};
}

size_t replay_slot(const struct replay *replay, int64_t entry) {
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
        size_t before = replay_slot(replay, number - 1);
        replay->rewards[before] = entry->reward;
        replay->discounts[before] = entry->discount;
    }
    if (spec->frame_dim[2]) frame_store_put(&replay->frames, number, entry->frame);
    float *obs = replay->obs + slot * (size_t)spec->obs_dim;
    for (int i = 0; i < spec->obs_dim; i++) obs[i] = (float)entry->obs[i];
    memset(replay->actions + slot * (size_t)spec->action_dim, 0,
           (size_t)spec->action_dim * sizeof(float));
    memset(replay->latents + slot * (size_t)spec->latent_dim, 0,
           (size_t)spec->latent_dim * sizeof(float));
    replay->rewards[slot] = 0;
    replay->discounts[slot] = 0;
    replay->flags[slot] =
        (uint8_t)((entry->first ? REPLAY_FIRST : 0) | (entry->last ? REPLAY_LAST : 0));
    replay->has_action = false;
    atomic_store_explicit(&replay->end, number + 1, memory_order_release);
    return number;
}

static bool is_first(const struct replay *replay, int64_t entry) {
    return replay->flags[replay_slot(replay, entry)] & REPLAY_FIRST;
}

void replay_add_reward(struct replay *replay, double more) {
    int64_t newest = replay_end(replay) - 1;
    RL_ASSERT(newest > replay_begin(replay) && !is_first(replay, newest));
    replay->rewards[replay_slot(replay, newest - 1)] += more;
}

void replay_set_action(struct replay *replay, const real *action) {
    int64_t newest = replay_end(replay) - 1;
    RL_ASSERT(newest >= 0 && !replay_is_last(replay, newest));
    int dim = replay->spec.action_dim;
    float *out = replay->actions + replay_slot(replay, newest) * (size_t)dim;
    for (int i = 0; i < dim; i++) out[i] = (float)action[i];
    replay->has_action = true;
}

bool replay_is_last(const struct replay *replay, int64_t entry) {
    return replay->flags[replay_slot(replay, entry)] & REPLAY_LAST;
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

// The entries whose frames make up a stack, oldest first; an episode's first may repeat.
static void stack_sources(const struct replay *replay, int64_t entry, int64_t *sources) {
    for (int k = replay->spec.frame_stack - 1; k >= 0; k--) {
        sources[k] = entry;
        if (entry > replay->first_stored && !is_first(replay, entry)) entry--;
    }
}

static size_t pixel_count(const struct replay *replay) {
    return (size_t)replay->spec.frame_dim[0] * (size_t)replay->spec.frame_dim[1];
}

static void stack_compressed(const struct replay *replay, int64_t entry, uint8_t *out) {
    size_t bytes = replay->frames.frame_bytes;
    uint8_t decoded[FRAME_COMPRESSED_MAX];
    int64_t sources[INTERLEAVE_MAX];
    stack_sources(replay, entry, sources);
    struct interleave_args args = {.n_pixels = pixel_count(replay), .out = out};
    for (int k = 0; k < replay->spec.frame_stack; k++) {
        if (k > 0 && sources[k] == sources[k - 1]) {
            args.frames[k] = args.frames[k - 1];
            continue;
        }
        args.frames[k] = decoded + (size_t)k * bytes;
        replay_read_frame(replay, sources[k], decoded + (size_t)k * bytes);
    }
    interleave(&replay->interleave, &args);
}

static void find_frames(const struct replay *replay, int64_t entry, const uint8_t **frames) {
    int64_t sources[INTERLEAVE_MAX];
    stack_sources(replay, entry, sources);
    for (int k = 0; k < replay->spec.frame_stack; k++) frames[k] = replay_frame(replay, sources[k]);
}

void replay_stacks(const struct replay *replay, const int64_t *entries, int count, uint8_t *out) {
    RL_ASSERT(replay->spec.frame_dim[2] > 0);
    size_t stack_bytes = replay->frames.frame_bytes * (size_t)replay->spec.frame_stack;
    if (replay->spec.compress) {
        for (int i = 0; i < count; i++) {
            stack_compressed(replay, entries[i], out + (size_t)i * stack_bytes);
        }
        return;
    }
    struct interleave_args args = {.n_pixels = pixel_count(replay),
                                   .stream = (size_t)count * stack_bytes > STREAM_BYTES};
    if (count > 0) find_frames(replay, entries[0], args.next);
    for (int i = 0; i < count; i++) {
        memcpy(args.frames, args.next, sizeof(args.frames));
        args.has_next = i + 1 < count;
        if (args.has_next) find_frames(replay, entries[i + 1], args.next);
        args.out = out + (size_t)i * stack_bytes;
        interleave(&replay->interleave, &args);
    }
}

void replay_stack(const struct replay *replay, int64_t entry, uint8_t *out) {
    replay_stacks(replay, &entry, 1, out);
}

const uint8_t *replay_frame(const struct replay *replay, int64_t entry) {
    replay_slot(replay, entry);
    return frame_store_view(&replay->frames, entry);
}

void replay_read_frame(const struct replay *replay, int64_t entry, uint8_t *out) {
    replay_slot(replay, entry);
    frame_store_get(&replay->frames, entry, out);
}

const float *replay_obs(const struct replay *replay, int64_t entry) {
    return replay->obs + replay_slot(replay, entry) * (size_t)replay->spec.obs_dim;
}

const float *replay_action(const struct replay *replay, int64_t entry) {
    return replay->actions + replay_slot(replay, entry) * (size_t)replay->spec.action_dim;
}

float *replay_latent(struct replay *replay, int64_t entry) {
    return replay->latents + replay_slot(replay, entry) * (size_t)replay->spec.latent_dim;
}

double replay_reward(const struct replay *replay, int64_t entry) {
    return replay->rewards[replay_slot(replay, entry)];
}

struct replay_return replay_n_step(const struct replay *replay, struct replay_window window,
                                   int64_t entry, int n_steps, double gamma) {
    RL_ASSERT(n_steps > 0 && replay_is_transition(replay, window, entry));
    struct replay_return sum = {.discount = 1, .next = entry};
    while (sum.n_steps < n_steps && replay_is_transition(replay, window, sum.next)) {
        size_t slot = replay_slot(replay, sum.next);
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

int64_t replay_behind(const struct replay *replay, int64_t entry, int k) {
    while (k-- > 0 && entry > replay_begin(replay) && !is_first(replay, entry)) entry--;
    return entry;
}
