// One simulated scene of a task, as a domain's functions see it: model, state, random stream, the
// ids of the elements that the domain named. Stepping is dm_control's (Tassa et al. 2018; reference
// implementation described in its section "physics"): after every frame positions and velocities
// are up to date, while sensors that depend on accelerations (touch, force, accelerometer) are
// those of the last physics step.
#pragma once

#include <mujoco/mujoco.h>

#include "base/rng.h"
#include "envs/mj.h"

#define PHYSICS_MEMORY    8
#define PHYSICS_MAX_NAMES 64

struct physics {
    mjModel *model; // owned by the environment; a reset may change it (targets, sizes)
    mjData *data;
    struct rng rng;
    const struct task *task;
    void *context;             // of the domain, for those made at run time (NULL in the suite)
    int id[PHYSICS_MAX_NAMES]; // of domain.names, in their order; -1 for an optional one not there
    int n_substeps;            // physics steps a frame
    double memory[PHYSICS_MEMORY]; // what a task remembers between frames; saved with the state
};

// The observation is written entry by entry; with out = NULL only counted.
struct obs {
    double *out;
    int count;
};
void obs_add(struct obs *obs, const double *values, int count);
void obs_add_one(struct obs *obs, double value);

// mj_resetData, then physics_settle.
void physics_reset(struct physics *physics);
// Everything derived from the state, with actuation disabled (there are no meaningful controls
// yet).
void physics_settle(struct physics *physics);
// n_substeps physics steps, ending with up-to-date positions and velocities.
void physics_step(struct physics *physics, int n_substeps);

// Readings. Sensors by index of domain.names.
const double *physics_sensor(const struct physics *physics, int name);
const double *physics_body_pos(const struct physics *physics, int name); // (3) of the body frame
const double *physics_body_mat(const struct physics *physics, int name); // (3, 3) row-major
const double *physics_geom_pos(const struct physics *physics, int name);
const double *physics_site_pos(const struct physics *physics, int name);
double *physics_joint_pos(const struct physics *physics, int name); // into qpos
double *physics_joint_vel(const struct physics *physics, int name); // into qvel

// out = mat^T (a - b): the vector from b to a in the frame mat. (3)
void physics_local(const double *mat, const double *a, const double *b, double *out);
double physics_norm(const double *vector, int count);
double physics_distance(const double *a, const double *b, int count);

// Draws. normal: count standard normals; quaternion: uniform on the sphere.
void physics_random_quaternion(struct physics *physics, double *quat);
// Limited hinges, sliders and balls uniformly in their range, free hinges in [-pi, pi], free balls
// uniformly; the orientation of a free joint from uniform numbers in [0, 1), normalised, as the
// suite has it.
void physics_randomize_joints(struct physics *physics);
