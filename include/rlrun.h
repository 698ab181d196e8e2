/* The public C interface of rlrun, for C and C++. Two parts that need not be used together:
 *   1. a program that runs rlrun's environments, or acts with a trained policy (link with
 * librlrun);
 *   2. an environment of one's own as a plug-in of rlrun. */
#ifndef RLRUN_H
#define RLRUN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------- 1. Environments and policies
 * ----------------------------------------
 *
 *     cc play.c $(pkg-config --cflags --libs rlrun)           docs/embed/play.c is a whole program
 *
 * Functions that can fail return NULL or -1; rlrun_error() then is one line that says why. Nothing
 * prints or exits. One object is for one thread at a time; different objects are independent.
 * Pointers into an object's results are valid until the next call on it. The first call takes over
 * MuJoCo's error handler of the process. */

#define RLRUN_API 1
int rlrun_api(void); /* RLRUN_API of the library: it grows when a program must be compiled again */
const char *rlrun_version(void);
const char *rlrun_error(void); /* of this thread's last failure; "" before any */

/* An environment that runs. A frame is one control step of the task, a step is one decision:
 * action_repeat frames. */
struct rlrun_task;

struct rlrun_task_options { /* all zero: the task's own repeat and camera, states without pixels,
                               seed 0 */
    int pixels;             /* not 0: draw a frame each step */
    int image_size;         /* height and width of it; 0 = 84 */
    int action_repeat;      /* frames a step; 0 = recommended for the task */
    int camera;             /* 1 + the model's camera number; 0 = the task's own */
    uint64_t seed;
};

struct rlrun_task_facts {
    char name[64]; /* "cheetah-run" */
    int observation_dim, action_dim;
    int frame_dim[3]; /* height, width, channels; 0 without pixels */
    int action_repeat;
    int episode_steps; /* decisions until the time limit */
    double step_s;     /* simulated seconds a decision */
    double reward_max; /* a decision; 0 = unknown */
};

struct rlrun_step {
    const double *observation; /* (observation_dim) the task's own state */
    const uint8_t *frame;      /* (height, width, 3), or NULL without pixels */
    double reward;             /* sum over the step's frames */
    double discount;           /* 0 only when the task itself ended; a time limit keeps 1 */
    int first, last;           /* of its episode; after a last one only a reset may come */
};

/* name: as `rlrun list envs` prints it, or the path of an MJCF file or a plug-in. options may be
 * NULL. */
struct rlrun_task *rlrun_task_create(const char *name, const struct rlrun_task_options *options);
void rlrun_task_destroy(struct rlrun_task *task);
void rlrun_task_describe(const struct rlrun_task *task, struct rlrun_task_facts *facts);
void rlrun_task_seed(struct rlrun_task *task, uint64_t seed); /* of the next reset */
int rlrun_task_reset(struct rlrun_task *task, struct rlrun_step *step);
/* action: (action_dim), each cut to [-1, 1]. */
int rlrun_task_step(struct rlrun_task *task, const double *action, struct rlrun_step *step);
/* The task of number index ("cheetah-run"), NULL beyond the last. */
const char *rlrun_task_name(int index);

/* A trained policy: the mean action. It remembers the frames of its stack. */
struct rlrun_policy;

struct rlrun_policy_facts {
    int action_dim;
    int observation_dim; /* of a policy on states; 0 = it sees frames */
    int frame_dim[3];    /* height, width, channels of one frame; 0 = it sees states */
    int frame_stack;
    char task[64]; /* what it was trained on */
    int action_repeat;
};

/* run: a run's folder (its newest checkpoint), or its final.safetensors (with config.yaml beside
 * it). */
struct rlrun_policy *rlrun_policy_load(const char *run);
void rlrun_policy_destroy(struct rlrun_policy *policy);
void rlrun_policy_describe(const struct rlrun_policy *policy, struct rlrun_policy_facts *facts);
/* One action, each number in [-1, 1], from what is seen now: a frame or an observation as the facts
 * say (the other is not read). first, not 0: an episode begins. */
int rlrun_policy_act(struct rlrun_policy *policy, const uint8_t *frame, const double *observation,
                     int first, double *action);

/* ------------------------------------------------ 2. Plug-ins
 * ------------------------------------------------
 *
 * A shared library that gives a MuJoCo model, an initial state, an observation and a reward. rlrun
 * does the rest (episodes, action repeat, pixels, saving).
 *
 *     cc -shared -fPIC -Iinclude -o reach.so reach.c        then  rlrun sac --env ./reach.so
 * --encoder state
 *
 * The library exports rlrun_env_plugin. */

#define RLRUN_ENV_ABI 1

struct mjModel_; /* mjModel and mjData of <mujoco/mujoco.h>, for those who need them */
struct mjData_;

/* What a plug-in's functions get. Valid for the call. */
struct rlrun_sim {
    struct mjModel_ *model;
    struct mjData_ *data;
    double *memory; /* 8 numbers of yours, zero at a reset, saved with a run */
    double (*uniform)(void *rng, double low, double high); /* the environment's own random stream */
    void *rng;
};

struct rlrun_env {
    int abi;           /* RLRUN_ENV_ABI; must stay the first member */
    const char *name;  /* "reach": the environment's name in logs */
    const char *model; /* MJCF file, relative to the folder of the .so, or absolute */
    double time_limit_s,
        control_timestep_s; /* of an episode, of a frame (0 = the model's timestep) */
    int action_repeat;      /* recommended frames a step */
    int camera;             /* of the pixels */
    double reward_max;      /* a frame; 0 = unknown */
    int obs_dim;            /* numbers that observe writes */

    void (*reset)(const struct rlrun_sim *sim);                /* writes qpos, qvel; may be NULL */
    void (*observe)(const struct rlrun_sim *sim, double *obs); /* obs_dim numbers */
    double (*reward)(const struct rlrun_sim *sim);             /* of one frame */
    int (*terminated)(const struct rlrun_sim *sim); /* not 0 ends the episode; may be NULL */
};

/* The entry point that a plug-in defines; the struct must stay valid. */
const struct rlrun_env *rlrun_env_plugin(void);

#ifdef __cplusplus
}
#endif
#endif
