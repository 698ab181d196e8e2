// An environment: a task with its physics, and the pixels of it. A *frame* is one control step of
// the task; a *step* is one agent decision, action_repeat frames long. Actions are in [-1, 1] per
// dimension and are scaled to the task's own range inside.
#pragma once

#include <mujoco/mujoco.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/opt.h"
#include "base/rng.h"

struct env_options {
    int64_t action_repeat; // frames a step; 0 = the task's recommended value
    int64_t image_size;    // height and width of a frame in pixels
    int64_t camera;        // camera id; -1 = the task's own
    int renderer;          // enum render_backend
    bool pixels;           // draw frames; false = states only, no renderer is made
};
extern const struct opt_table env_opts; // section "env"

struct env_spec {
    char name[64]; // "cheetah-run"
    int obs_dim, action_dim;
    int frame_dim[3]; // H, W, C of one frame; 0 without pixels
    int action_repeat;
    int episode_frames; // time limit in control steps
    double control_timestep_s;
    double reward_max_per_frame; // 1 for the suite; 0 = unknown
};

// What happened in a step. Pointers are borrowed until the next call.
struct time_step {
    const double *obs;    // (obs_dim) the task's own observation
    const uint8_t *frame; // (H, W, 3) or NULL
    double reward;        // sum over the step's frames
    double discount;      // 0 only when the task itself ended; a time limit keeps 1
    bool first, last;
    int frames; // frames this step took (fewer when the episode ended inside it)
};

struct env; // opaque

// name: DOMAIN-TASK, DOMAIN/TASK, DOMAIN_TASK, DOMAIN (its first task), or a path to an MJCF file.
// An unknown name is RL_EUSAGE with the nearest one. seed starts the environment's own random
// stream.
struct env *env_create(const char *name, const struct env_options *options, uint64_t seed,
                       struct rl_error *err);
void env_destroy(struct env *env);
const struct env_spec *env_spec(const struct env *env);

RL_CHECKED enum rl_status env_reset(struct env *env, struct time_step *step, struct rl_error *err);
// After a step with last set, the next call must be env_reset. Physics that explodes ends the
// episode (discount 0, reward 0 for that frame) and counts in env_unstable_count.
RL_CHECKED enum rl_status env_step(struct env *env, const double *action, struct time_step *step,
                                   struct rl_error *err);
// The random stream starts anew; it is used from the next reset on.
void env_seed(struct env *env, uint64_t seed);
int64_t env_unstable_count(const struct env *env);

// The whole state of the environment (physics, task, random stream, episode position) as bytes, for
// checkpoints: the size is fixed for an environment. Loading checks size and version.
size_t env_state_bytes(const struct env *env);
void env_state_save(const struct env *env, void *out);
RL_CHECKED enum rl_status env_state_load(struct env *env, const void *in, size_t size,
                                         struct rl_error *err);
// Draws the current state again (after a load): the frame of time_step, borrowed.
RL_CHECKED enum rl_status env_draw(struct env *env, const uint8_t **frame, struct rl_error *err);

// For viewers, tests and tools.
mjModel *env_model(struct env *env);
mjData *env_data(struct env *env);
int env_camera(const struct env *env);
// The observation and the reward of a frame at the state that data holds now (derived quantities
// must be up to date: mj_forward after setting a state).
const double *env_observe(struct env *env);
double env_reward(struct env *env);

// After a caller changed qpos, qvel, act or the model: derived quantities and the observation as
// they are after a reset (actuation disabled); the episode starts here.
RL_CHECKED enum rl_status env_restart(struct env *env, struct time_step *step,
                                      struct rl_error *err);

// The spec of a task (states only) without the cost of its textures.
RL_CHECKED enum rl_status env_describe(const char *name, struct env_spec *spec,
                                       struct rl_error *err);

// Every known task as "domain-task", in registry order; returns the count, names[i] for i < count.
int env_task_count(void);
const char *env_task_name(int index);
