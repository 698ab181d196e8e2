#include "cli/player.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "train/checkpoint.h"

static struct timespec changed_s(const struct player *player) {
    struct stat info;
    bool found = stat(player->run.checkpoints, &info) == 0;
    return found ? info.st_mtim : (struct timespec){0};
}

static int64_t newest_step(const struct player *player) {
    char path[CHECKPOINT_PATH_BYTES];
    long long step = -1;
    if (checkpoint_find_latest(player->run.checkpoints, path, NULL) == RL_OK) {
        const char *name = strrchr(path, '/');
        if (sscanf(name ? name + 1 : path, "step-%lld.ckpt", &step) != 1) step = -1;
    }
    return step;
}

enum rl_status player_open(struct player *player, const char *run, const char *env_name,
                           uint64_t seed, struct rl_error *err) {
    *player = (struct player){.rng = rng_fork(seed, "random actions")};
    enum rl_status status = RL_OK;
    if (*run) {
        status = run_dir_find(&player->run, run, err);
        if (status != RL_OK) return status;
        player->checkpoints_s = changed_s(player);
        player->checkpoint_step = newest_step(player);
        status = policy_load(&player->policy, player->run.path, seed, &player->env, err);
        if (status != RL_OK) return status;
        player->has_policy = true;
    } else {
        struct env_options options;
        opt_set_defaults(&env_opts, &options);
        options.pixels = false;
        player->env = env_create(env_name, &options, seed, err);
        if (!player->env) return err->code;
    }
    RL_ASSERT(env_spec(player->env)->action_dim <= AGENT_MAX_ACTIONS);
    status = player_reset(player, err);
    if (status != RL_OK) player_close(player);
    return status;
}

void player_close(struct player *player) {
    if (player->has_policy) policy_release(&player->policy);
    env_destroy(player->env);
    mem_free(player->picture);
    *player = (struct player){0};
}

enum rl_status player_reset(struct player *player, struct rl_error *err) {
    enum rl_status status = env_reset(player->env, &player->now, err);
    if (status != RL_OK) return status;
    if (player->has_policy) policy_observe(&player->policy, &player->now);
    player->episode_return = 0;
    player->frame = 0;
    player->episodes++;
    return RL_OK;
}

enum rl_status player_step(struct player *player, struct rl_error *err) {
    if (player->now.last) return player_reset(player, err);
    int action_dim = env_spec(player->env)->action_dim;
    if (player->has_policy) {
        policy_act(&player->policy, player->action);
    } else {
        for (int i = 0; i < action_dim; i++) player->action[i] = rng_range(&player->rng, -1, 1);
    }
    enum rl_status status = env_step(player->env, player->action, &player->now, err);
    if (status != RL_OK) return status;
    if (player->has_policy) policy_observe(&player->policy, &player->now);
    player->episode_return += player->now.reward;
    player->frame += player->now.frames;
    return RL_OK;
}

enum rl_status player_refresh(struct player *player, struct rl_error *err) {
    if (!player->has_policy) return RL_OK;
    struct timespec now = changed_s(player), *then = &player->checkpoints_s;
    if (now.tv_sec == then->tv_sec && now.tv_nsec == then->tv_nsec) return RL_OK;
    *then = now; // one try for each change: a torn file would be tried for ever
    int64_t step = newest_step(player);
    if (step == player->checkpoint_step) return RL_OK;
    enum rl_status status = policy_reload(&player->policy, player->run.path, err);
    if (status == RL_OK) player->checkpoint_step = step;
    return status;
}

double player_step_s(const struct player *player) {
    const struct env_spec *spec = env_spec(player->env);
    return spec->control_timestep_s * spec->action_repeat;
}

const uint8_t *player_seen(struct player *player, int dim[2]) {
    dim[0] = dim[1] = 0;
    if (player->has_policy) policy_picture_dim(&player->policy, dim);
    if (dim[0] == 0) return NULL;
    if (!player->picture) player->picture = mem_alloc(3 * (size_t)dim[0] * (size_t)dim[1]);
    policy_picture(&player->policy, player->picture);
    return player->picture;
}

double player_value(struct player *player) {
    double action[AGENT_MAX_ACTIONS];
    if (!player->has_policy) return NAN;
    policy_act(&player->policy, action);
    return policy_value(&player->policy, action);
}
