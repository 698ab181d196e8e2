/* The public C interface of rlrun for environment plug-ins: a shared library that gives a MuJoCo model, an initial
 * state, an observation and a reward. rlrun does the rest (episodes, action repeat, pixels, saving).
 *
 *     cc -shared -fPIC -Iinclude -o reach.so reach.c        then  rlrun sac --env ./reach.so --encoder state
 *
 * The library exports rlrun_env_plugin. C and C++. */
#ifndef RLRUN_H
#define RLRUN_H

#ifdef __cplusplus
extern "C" {
#endif

#define RLRUN_ENV_ABI 1

struct mjModel_; /* mjModel and mjData of <mujoco/mujoco.h>, for those who need them */
struct mjData_;

/* What a plug-in's functions get. Valid for the call. */
struct rlrun_sim {
    struct mjModel_ *model;
    struct mjData_ *data;
    double *memory;                                    /* 8 numbers of yours, zero at a reset, saved with a run */
    double (*uniform)(void *rng, double low, double high); /* the environment's own random stream */
    void *rng;
};

struct rlrun_env {
    int abi;           /* RLRUN_ENV_ABI; must stay the first member */
    const char *name;  /* "reach": the environment's name in logs */
    const char *model; /* MJCF file, relative to the folder of the .so, or absolute */
    double time_limit_s, control_timestep_s; /* of an episode, of a frame (0 = the model's timestep) */
    int action_repeat;                       /* recommended frames a step */
    int camera;                              /* of the pixels */
    double reward_max;                       /* a frame; 0 = unknown */
    int obs_dim;                             /* numbers that observe writes */

    void (*reset)(const struct rlrun_sim *sim);                    /* writes qpos, qvel; may be NULL */
    void (*observe)(const struct rlrun_sim *sim, double *obs);     /* obs_dim numbers */
    double (*reward)(const struct rlrun_sim *sim);                 /* of one frame */
    int (*terminated)(const struct rlrun_sim *sim);                /* not 0 ends the episode; may be NULL */
};

/* The entry point that a plug-in defines; the struct must stay valid. */
const struct rlrun_env *rlrun_env_plugin(void);

#ifdef __cplusplus
}
#endif
#endif
