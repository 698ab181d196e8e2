// Gymnasium's MuJoCo walkers and swimmer, version 5 (Towers et al. 2024; documented at
// gymnasium.farama.org/environments/mujoco): reward = forward speed + health - effort - contact
// forces.
#include <math.h>

#include "envs/domain.h"

enum { HALF_CHEETAH, HOPPER, WALKER2D, SWIMMER, ANT, HUMANOID }; // task.mode

static const struct rules {
    double forward, control,
        contact;           // weights of speed (m/s), sum of squared controls, squared forces
    double healthy;        // reward a frame while healthy; 0 = there is no health
    double z[2], angle[2]; // of a healthy torso: qpos[2] (free root) or qpos[1], then qpos[2]
    double noise;          // of the initial positions and velocities
    bool normal_velocity;  // the latter normal, otherwise uniform
    int hidden;            // leading positions that are not observed
    double velocity_clip;  // of observed velocities; 0 = none
} rules[] = {
    [HALF_CHEETAH] =
        {.forward = 1, .control = 0.1, .noise = 0.1, .normal_velocity = true, .hidden = 1},
    [HOPPER] = {.forward = 1,
                .control = 1e-3,
                .healthy = 1,
                .z = {0.7, INFINITY},
                .angle = {-0.2, 0.2},
                .noise = 5e-3,
                .hidden = 1,
                .velocity_clip = 10},
    [WALKER2D] = {.forward = 1,
                  .control = 1e-3,
                  .healthy = 1,
                  .z = {0.8, 2},
                  .angle = {-1, 1},
                  .noise = 5e-3,
                  .hidden = 1,
                  .velocity_clip = 10},
    [SWIMMER] = {.forward = 1, .control = 1e-4, .noise = 0.1, .hidden = 2},
    [ANT] = {.forward = 1,
             .control = 0.5,
             .contact = 5e-4,
             .healthy = 1,
             .z = {0.2, 1},
             .noise = 0.1,
             .normal_velocity = true,
             .hidden = 2},
    [HUMANOID] = {.forward = 1.25,
                  .control = 0.1,
                  .contact = 5e-7,
                  .healthy = 5,
                  .z = {1, 2},
                  .noise = 1e-2,
                  .hidden = 2},
};

#define ANT_FORCE     1.0   // contact forces count up to this, N or Nm
#define HUMANOID_COST 10.0  // most that contacts cost a frame
#define HOPPER_STATE  100.0 // a healthy hopper's numbers stay below

static const struct task tasks[] = {
    {"half-cheetah", .episode_frames = 1000, .n_substeps = 5, .action_repeat = 1,
     .mode = HALF_CHEETAH, .model_file = "gym/half_cheetah.xml"},
    {"hopper", .episode_frames = 1000, .n_substeps = 4, .action_repeat = 1, .mode = HOPPER,
     .model_file = "gym/hopper.xml"},
    {"walker2d", .episode_frames = 1000, .n_substeps = 4, .action_repeat = 1, .mode = WALKER2D,
     .model_file = "gym/walker2d.xml"},
    {"swimmer", .episode_frames = 1000, .n_substeps = 4, .action_repeat = 1, .mode = SWIMMER,
     .model_file = "gym/swimmer.xml"},
    {"ant", .episode_frames = 1000, .n_substeps = 5, .action_repeat = 1, .mode = ANT,
     .model_file = "gym/ant.xml"},
    {"humanoid", .episode_frames = 1000, .n_substeps = 5, .action_repeat = 1, .mode = HUMANOID,
     .model_file = "gym/humanoid.xml"},
    {0},
};

static void reset(struct physics *physics) {
    const mjModel *model = physics->model;
    const struct rules *r = &rules[physics->task->mode];
    for (int i = 0; i < model->nq; i++) {
        physics->data->qpos[i] += rng_range(&physics->rng, -r->noise, r->noise);
    }
    for (int i = 0; i < model->nv; i++) {
        physics->data->qvel[i] = r->normal_velocity ? r->noise * rng_normal(&physics->rng)
                                                    : rng_range(&physics->rng, -r->noise, r->noise);
    }
}

// Where it is along the track. Of the ant and the humanoid it is read from body frames, which after
// a step are those of its last stage.
static double position(const struct physics *physics) {
    const mjModel *model = physics->model;
    const mjData *data = physics->data;
    if (physics->task->mode == ANT) return data->xpos[3];
    if (physics->task->mode != HUMANOID) return data->qpos[0];
    double sum = 0, mass = 0;
    for (int body = 0; body < model->nbody; body++) {
        sum += model->body_mass[body] * data->xipos[3 * body];
        mass += model->body_mass[body];
    }
    return sum / mass;
}

static void begin(struct physics *physics) {
    physics->memory[0] = position(physics);
}

static bool healthy(const struct physics *physics) {
    const struct rules *r = &rules[physics->task->mode];
    const double *qpos = physics->data->qpos, *qvel = physics->data->qvel;
    if (r->healthy == 0) return true;
    if (physics->task->mode == ANT || physics->task->mode == HUMANOID) {
        return qpos[2] > r->z[0] && qpos[2] < r->z[1];
    }
    bool ok =
        qpos[1] > r->z[0] && qpos[1] < r->z[1] && qpos[2] > r->angle[0] && qpos[2] < r->angle[1];
    if (physics->task->mode != HOPPER) return ok;
    for (int i = 2; i < physics->model->nq; i++) ok = ok && fabs(qpos[i]) < HOPPER_STATE;
    for (int i = 0; i < physics->model->nv; i++) ok = ok && fabs(qvel[i]) < HOPPER_STATE;
    return ok;
}

static double clip(double value, double bound) {
    return fmin(fmax(value, -bound), bound);
}

static double contact_cost(const struct physics *physics) {
    int mode = physics->task->mode;
    if (rules[mode].contact == 0) return 0;
    double sum = 0;
    for (int i = 0; i < 6 * physics->model->nbody; i++) {
        double force = physics->data->cfrc_ext[i];
        if (mode == ANT) force = clip(force, ANT_FORCE);
        sum += force * force;
    }
    return mode == ANT ? rules[mode].contact * sum : fmin(rules[mode].contact * sum, HUMANOID_COST);
}

// Remembers the position for the next frame's speed.
static double reward(struct physics *physics) {
    const struct rules *r = &rules[physics->task->mode];
    double effort = 0, x = position(physics);
    double speed = (x - physics->memory[0]) / (physics->model->opt.timestep * physics->n_substeps);
    physics->memory[0] = x;
    for (int i = 0; i < physics->model->nu; i++)
        effort += physics->data->ctrl[i] * physics->data->ctrl[i];
    return r->forward * speed + (healthy(physics) ? r->healthy : 0) - r->control * effort -
           contact_cost(physics);
}

static bool terminated(const struct physics *physics) {
    return !healthy(physics);
}

static void observe(const struct physics *physics, struct obs *obs) {
    const struct rules *r = &rules[physics->task->mode];
    const mjModel *model = physics->model;
    const mjData *data = physics->data;
    int links = (int)model->nbody - 1; // without the world
    obs_add(obs, data->qpos + r->hidden, (int)model->nq - r->hidden);
    for (int i = 0; i < model->nv; i++) {
        obs_add_one(obs,
                    r->velocity_clip > 0 ? clip(data->qvel[i], r->velocity_clip) : data->qvel[i]);
    }
    if (physics->task->mode == ANT) {
        for (int i = 6; i < 6 * (links + 1); i++)
            obs_add_one(obs, clip(data->cfrc_ext[i], ANT_FORCE));
    } else if (physics->task->mode == HUMANOID) {
        obs_add(obs, data->cinert + 10, 10 * links);
        obs_add(obs, data->cvel + 6, 6 * links);
        obs_add(obs, data->qfrc_actuator + 6, (int)model->nv - 6);
        obs_add(obs, data->cfrc_ext + 6, 6 * links);
    }
}

const struct domain domain_gym_walk = {
    .name = "gym",
    .tasks = tasks,
    .stepping = STEPPING_PLAIN,
    .reset = reset,
    .begin = begin,
    .observe = observe,
    .reward = reward,
    .terminated = terminated,
};
