#include "train/publisher.h"

#include <string.h>

#include "base/mem.h"

// Entries that the standardisation and the alignment are fitted on, evenly spread over the replay.
#define FIT_ROWS 4096

enum rl_status publisher_init(struct publisher *publisher, struct encoder *encoder,
                              const struct replay *replay, double clip, struct rl_error *err) {
    *publisher = (struct publisher){0};
    const struct replay_spec *spec = replay_spec(replay);
    snapshot_init(&publisher->candidate, encoder, clip);
    const int *dim = encoder->spec.in_dim;
    publisher->stack_bytes = (size_t)dim[0] * (size_t)dim[1] * (size_t)dim[2];
    publisher->pixels = mem_alloc(mem_size(SNAPSHOT_BATCH, publisher->stack_bytes));
    size_t row_bytes = (size_t)encoder->out_dim * sizeof(real);
    publisher->latents_bytes = mem_size((size_t)spec->capacity, row_bytes);
    publisher->latents = mem_try_reserve(publisher->latents_bytes, "latents of the replay",
                                         "lower --replay.capacity", err);
    return publisher->latents ? RL_OK : RL_ENOMEM;
}

void publisher_release(struct publisher *publisher) {
    snapshot_release(&publisher->candidate);
    mem_unreserve(publisher->latents, publisher->latents_bytes);
    mem_free(publisher->pixels);
    *publisher = (struct publisher){0};
}

static int64_t grid_up(int64_t entry) {
    return (entry + SNAPSHOT_BATCH - 1) / SNAPSHOT_BATCH * SNAPSHOT_BATCH;
}

void publisher_begin(struct publisher *publisher, const struct params *params,
                     struct replay_window window) {
    params_copy(&publisher->candidate.params, params);
    publisher->begin = publisher->next = grid_up(window.begin);
    publisher->active = true;
}

real *publisher_row(const struct publisher *publisher, const struct replay *replay, int64_t entry) {
    return publisher->latents + entry % replay_spec(replay)->capacity * publisher->candidate.dim;
}

// Encodes [entry, entry + n): n is at most SNAPSHOT_BATCH, and the rows do not wrap inside a batch.
static void encode_batch(struct publisher *publisher, struct tape *tape,
                         const struct replay *replay, int64_t entry, int n) {
    int64_t entries[SNAPSHOT_BATCH];
    for (int i = 0; i < n; i++) entries[i] = entry + i;
    replay_stacks(replay, entries, n, publisher->pixels);
    snapshot_encode_raw(&publisher->candidate, tape, n, publisher->pixels,
                        publisher_row(publisher, replay, entry));
}

// Batches start at multiples of SNAPSHOT_BATCH, however the work was cut into calls.
static void encode_range(struct publisher *publisher, struct tape *tape,
                         const struct replay *replay, int64_t from, int64_t to) {
    int64_t capacity = replay_spec(replay)->capacity;
    while (from < to) {
        int64_t end = (from / SNAPSHOT_BATCH + 1) * SNAPSHOT_BATCH;
        int64_t wrap = (from / capacity + 1) * capacity;
        if (end > wrap) end = wrap;
        if (end > to) end = to;
        encode_batch(publisher, tape, replay, from, (int)(end - from));
        from = end;
    }
}

int64_t publisher_advance(struct publisher *publisher, struct tape *tape,
                          const struct replay *replay, struct replay_window window,
                          int64_t max_entries) {
    if (publisher->next < window.begin) publisher->next = publisher->begin = grid_up(window.begin);
    if (max_entries < SNAPSHOT_BATCH) max_entries = SNAPSHOT_BATCH; // or it would never end
    int64_t to = publisher->next + max_entries;
    if (to > window.end) to = window.end;
    to = to / SNAPSHOT_BATCH * SNAPSHOT_BATCH; // whole batches until the commit
    encode_range(publisher, tape, replay, publisher->next, to);
    if (to > publisher->next) publisher->next = to;
    return window.end - publisher->next;
}

static double fit(struct publisher *publisher, struct replay *replay, struct replay_window all,
                  bool align) {
    int dim = publisher->candidate.dim;
    int64_t total = all.end - all.begin, n = total < FIT_ROWS ? total : FIT_ROWS;
    real *raw = MEM_ARRAY(real, n * dim);
    float *old = MEM_ARRAY(float, n *dim);
    for (int64_t i = 0; i < n; i++) {
        int64_t entry = all.begin + i * total / n;
        memcpy(raw + i * dim, publisher_row(publisher, replay, entry), (size_t)dim * sizeof(real));
        memcpy(old + i * dim, replay_latent(replay, entry), (size_t)dim * sizeof(float));
    }
    double correlation = snapshot_fit(&publisher->candidate, n, raw, align ? old : NULL);
    mem_free(raw);
    mem_free(old);
    return correlation;
}

double publisher_commit(struct publisher *publisher, struct tape *tape, struct replay *replay,
                        struct snapshot *snapshot, bool align) {
    RL_ASSERT(publisher->active);
    struct replay_window all = {replay_begin(replay), replay_end(replay)};
    // Before and behind what the encoder thread has done: the ends of the ring that the window left
    // out.
    encode_range(publisher, tape, replay, all.begin, publisher->begin);
    encode_range(publisher, tape, replay, publisher->next, all.end);
    double correlation = fit(publisher, replay, all, align && snapshot->version > 0);
    int dim = publisher->candidate.dim;
    for (int64_t entry = all.begin; entry < all.end; entry++) {
        real *latent = publisher_row(publisher, replay, entry);
        snapshot_finish_rows(&publisher->candidate, NULL, 1, latent);
        float *out = replay_latent(replay, entry);
        for (int j = 0; j < dim; j++) out[j] = (float)latent[j];
    }
    publisher->candidate.version = snapshot->version + 1;
    snapshot_copy(snapshot, &publisher->candidate);
    publisher->active = false;
    return correlation;
}

void publisher_visit(struct publisher *publisher, const char *prefix,
                     struct state_visitor *visitor) {
    size_t mark = state_enter(visitor, prefix);
    state_params(visitor, "encoder", &publisher->candidate.params);
    state_field(visitor, publisher, begin);
    state_field(visitor, publisher, next);
    state_field(visitor, publisher, active);
    state_leave(visitor, mark);
}
