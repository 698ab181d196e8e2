// The agent's batches, drawn from the replay: uniformly, or in proportion to priorities (Schaul et
// al. 2016, arXiv 1511.05952, proportional variant): entry i is drawn with P(i) ~ p_i, where p_i =
// (|TD error| + epsilon)^alpha from when it was last in a batch, the largest p before that. Its
// loss is weighted by (N P(i))^-beta over the largest such weight of the batch; beta rises linearly
// to 1 at the run's end.
#pragma once

#include "replay/priority.h"
#include "replay/replay.h"
#include "train/parts.h"

struct batch_source {
    const struct parts *parts;
    struct replay *replay;
    struct batch batch;
    struct rng rng;
    int64_t *entries;          // (batch.n) where each row comes from
    struct priority *priority; // NULL: uniform
    uint8_t *stack;            // scratch: one stack of frames
};

// Keeps parts and replay.
RL_CHECKED enum rl_status batch_source_init(struct batch_source *source, const struct parts *parts,
                                            struct replay *replay, struct rl_error *err);
void batch_source_release(struct batch_source *source);

// The entry's features, not of pixels: its state, or its latent followed by those of the steps
// before, newest first. Writes (feature_dim).
void batch_source_features(const struct batch_source *source, int64_t entry, real *out);
// The transition that starts at entry is complete: it may be drawn.
void batch_source_add(struct batch_source *source, int64_t entry);
// Fills source->batch. progress: the part of the run that is done, 0..1.
void batch_source_draw(struct batch_source *source, double progress);
// The agent has put the TD errors of the batch into batch.td_error.
void batch_source_learned(struct batch_source *source);

void batch_source_visit(struct batch_source *source, struct state_visitor *visitor);
void batch_source_restore(struct batch_source *source); // after a visit that read
