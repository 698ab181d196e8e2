// Replay: each frame is stored once as u8; stacks and n-step returns are rebuilt when a batch is
// sampled. Entry i is what the agent saw at one moment: frame (and state observation), and - unless
// it is the last of its episode - the action taken there with what came of it. Entries are numbered
// from 0 for ever; the ring keeps the newest `capacity`. Beside them: one latent row an entry, of
// one encoder version. One writer. Readers of other threads stay within a range of entries that was
// committed before they began (replay_window), which the writer does not touch while it appends at
// most `reserve` entries. What a reader may not look at is the action, reward and discount of the
// window's newest entry, which the writer may be filling in: no function here does when given the
// window.
//
// Memory is asked for as address space and costs nothing until entries fill it, so a large capacity
// is free for a short run; one that this machine could never hold is refused.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/real.h"
#include "base/rng.h"

struct replay_spec {
    int64_t capacity; // entries
    int frame_dim[3]; // H, W, C of one frame; C = 0: no frames
    int frame_stack;  // frames in a stack, at most 16
    int obs_dim;      // state observation kept too; 0: not kept
    int action_dim;
    int latent_dim; // 0: no latents
    int reserve;    // entries that may be appended while others read
    bool compress;  // keep frames as LZ4 of the difference to a key frame; slower to sample
};

struct replay; // opaque

// NULL + err: RL_EUSAGE for sizes out of range, RL_ENOMEM for what does not fit in memory.
struct replay *replay_create(const struct replay_spec *spec, struct rl_error *err);
void replay_destroy(struct replay *replay);
const struct replay_spec *replay_spec(const struct replay *replay);

// Appends what was seen; the transition into it (reward, discount of the step that led here)
// belongs to the entry before. first starts an episode, last ends one.
struct replay_entry {
    const uint8_t *frame;    // (H, W, C) or NULL
    const double *obs;       // (obs_dim) or NULL
    double reward, discount; // of the step that led here; ignored when first
    bool first, last;
};
int64_t replay_append(struct replay *replay, const struct replay_entry *entry); // its number
// Adds to the reward of the step that led to the newest entry, which must not be a first one.
void replay_add_reward(struct replay *replay, double more);
// The action taken at the newest entry.
void replay_set_action(struct replay *replay, const real *action);

int64_t replay_begin(const struct replay *replay); // oldest entry kept
int64_t replay_end(const struct replay *replay);   // one past the newest

struct replay_window {
    int64_t begin, end;
};
// Entries that stay readable while up to `reserve` more are appended.
struct replay_window replay_window(const struct replay *replay);

// True when a transition may start here: its action is known and no data is missing.
bool replay_is_transition(const struct replay *replay, struct replay_window window, int64_t entry);
bool replay_has_transition(const struct replay *replay, struct replay_window window);
// Draws one uniformly; call only when the window holds any.
int64_t replay_sample(const struct replay *replay, struct replay_window window, struct rng *rng);

// Writes the stack (H, W, C * frame_stack), oldest frame first in the channels, ending at entry;
// frames before the episode's first are that first one again.
void replay_stack(const struct replay *replay, int64_t entry, uint8_t *out);
// A batch of stacks, (count, H, W, C * frame_stack): faster than one by one.
void replay_stacks(const struct replay *replay, const int64_t *entries, int count, uint8_t *out);
const uint8_t *replay_frame(const struct replay *replay, int64_t entry); // not when compressed
void replay_read_frame(const struct replay *replay, int64_t entry, uint8_t *out); // (H, W, C)
const float *replay_obs(const struct replay *replay, int64_t entry);
const float *replay_action(const struct replay *replay, int64_t entry);
float *replay_latent(struct replay *replay, int64_t entry); // (latent_dim) row, writable

// n-step return (Sutton and Barto 2018, eq. 7.1): with r_i and d_i of the step taken at entry + i,
// reward = sum_i gamma^i (d_0 ... d_{i-1}) r_i, discount = gamma^n d_0 ... d_{n-1}, and the entry
// to bootstrap from. Fewer steps at the episode's last entry (a time limit bootstraps there, a
// terminal state has discount 0), where an episode was broken off, and at the window's newest
// entry.
struct replay_return {
    double reward, discount;
    int64_t next; // entry + n_steps
    int n_steps;  // steps summed: 1..n
};
struct replay_return replay_n_step(const struct replay *replay, struct replay_window window,
                                   int64_t entry, int n_steps, double gamma);
// Entry k steps later in the same episode, or the episode's last one.
int64_t replay_ahead(const struct replay *replay, struct replay_window window, int64_t entry,
                     int k);
// Entry k steps earlier in the same episode, or the first one kept of it.
int64_t replay_behind(const struct replay *replay, int64_t entry, int k);
double replay_reward(const struct replay *replay, int64_t entry); // of the step taken at entry
bool replay_is_last(const struct replay *replay, int64_t entry);
