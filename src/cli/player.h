// Something that acts in an environment, for people to look at: a trained run's policy, or random
// actions in an environment by name.
#pragma once

#include <time.h>

#include "train/policy_picture.h"
#include "train/run_dir.h"

struct player {
    struct env *env;
    struct policy policy; // of a run
    bool has_policy;
    struct run_dir run;
    int64_t checkpoint_step;       // that the policy is of
    struct timespec checkpoints_s; // when the folder of checkpoints changed last
    struct rng rng;                // of random actions
    struct time_step now;
    double action[AGENT_MAX_ACTIONS]; // the last one
    uint8_t *picture;                 // of what the policy sees
    double episode_return;
    int64_t frame, episodes; // frame of the episode; episodes begun
};

// run "" : env_name (or the path of an MJCF file) and random actions.
RL_CHECKED enum rl_status player_open(struct player *player, const char *run, const char *env_name,
                                      uint64_t seed, struct rl_error *err);
void player_close(struct player *player);
RL_CHECKED enum rl_status player_reset(struct player *player, struct rl_error *err);
// One agent step; after an episode's last, the first of the next.
RL_CHECKED enum rl_status player_step(struct player *player, struct rl_error *err);
// Takes over a checkpoint that a running training has written meanwhile.
RL_CHECKED enum rl_status player_refresh(struct player *player, struct rl_error *err);
// Seconds of the simulation that a step takes.
double player_step_s(const struct player *player);
// What the policy sees (policy_picture.h), (dim[0], dim[1], 3); NULL when it sees no pixels.
const uint8_t *player_seen(struct player *player, int dim[2]);
// What the agent expects from here on, discounted (Q of its own next action); NaN without a policy.
double player_value(struct player *player);
