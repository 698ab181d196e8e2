// A domain is a scene with its tasks: one C file and one line in domains.def. The environment
// (env.c) does everything that domains share: loading, episodes, action repeat, pixels, saving.
#pragma once

#include <stdbool.h>

#include "envs/physics.h"

struct task {
    const char *name;          // "run"; a table of tasks ends with NULL
    double time_limit_s;       // of an episode
    double control_timestep_s; // of a frame; 0 = the model's own physics timestep
    int action_repeat;         // recommended frames a step
    int episode_frames;     // instead of time_limit_s and control_timestep_s: frames of an episode
    int n_substeps;         // and physics steps of a frame
    const char *model_file; // instead of the domain's
    int mode;               // meaning and value: the domain's own
    double value;
};

// An element of the model that the domain's functions use; physics.id[i] is the id of names[i].
struct domain_name {
    mjtObj type;
    const char *name; // a table ends with NULL
    bool optional;    // absent in some tasks
};

enum stepping {
    STEPPING_SUITE, // physics_step
    STEPPING_PLAIN, // n_substeps of mj_step, then mj_rnePostConstraint (Gymnasium)
};

struct domain {
    const char *name;
    const char *model_file; // in assets/, or an absolute path
    const struct task *tasks;
    const struct domain_name *names;
    void *context; // physics.context; NULL in the suite
    int camera;    // the default camera of pixels
    enum stepping stepping;
    double reward_max; // a frame; 0 = unknown

    mj_edit_fn edit; // context: the struct task; NULL = the file as it is
    // NULL, or: after the model is there, what needs it to be read.
    enum rl_status (*bind)(struct physics *physics, struct rl_error *err);
    void (*release)(void *context); // NULL, or: frees a domain made at run time
    // Draws an initial state into data (after mj_resetData) and changes of the model; the
    // environment calls physics_settle afterwards.
    void (*reset)(struct physics *physics);
    void (*begin)(struct physics *physics); // NULL, or: the initial state is there and settled
    void (*observe)(const struct physics *physics, struct obs *obs);
    double (*reward)(struct physics *physics);
    bool (*terminated)(const struct physics *physics); // NULL = never before the time limit
};

#define DOMAIN(name) extern const struct domain domain_##name;
#include "envs/domains.def"
#undef DOMAIN

extern const struct domain *const domains[];
extern const int domain_count;

// Splits "domain-task", "domain/task", "domain_task" or "domain" (its first task); '-' and '_' are
// equal. RL_EUSAGE with the nearest name when there is no such task.
RL_CHECKED enum rl_status domain_find(const char *name, const struct domain **domain,
                                      const struct task **task, struct rl_error *err);
