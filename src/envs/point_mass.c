// Point mass: move to the middle of the table. In the hard task each motor pulls in a random
// direction, drawn anew for each episode.
#include <math.h>

#include "envs/domain.h"
#include "envs/rewards.h"

enum { EASY, HARD }; // task.mode

enum { TARGET, MASS };
static const struct domain_name names[] = {
    [TARGET] = {mjOBJ_GEOM, "target"},
    [MASS] = {mjOBJ_GEOM, "pointmass"},
    {0},
};

static const struct task tasks[] = {
    {"easy", .time_limit_s = 20, .action_repeat = 2, .mode = EASY},
    {"hard", .time_limit_s = 20, .action_repeat = 2, .mode = HARD},
    {0},
};

static void random_direction(struct rng *rng, double *direction) {
    for (int i = 0; i < 2; i++) direction[i] = rng_normal(rng);
    double norm = physics_norm(direction, 2);
    for (int i = 0; i < 2; i++) direction[i] /= norm;
}

static void reset(struct physics *physics) {
    physics_randomize_joints(physics);
    if (physics->task->mode == EASY) return;
    double *first = physics->model->wrap_prm,
           *second = first + 2; // tendon coefficients of the motors
    random_direction(&physics->rng, first);
    do {
        random_direction(&physics->rng, second);
    } while (fabs(first[0] * second[0] + first[1] * second[1]) > 0.9); // nearly parallel
}

static void observe(const struct physics *physics, struct obs *obs) {
    obs_add(obs, physics->data->qpos, physics->model->nq);
    obs_add(obs, physics->data->qvel, physics->model->nv);
}

static double reward(struct physics *physics) {
    double radius = physics->model->geom_size[3 * physics->id[TARGET]];
    double distance =
        physics_distance(physics_geom_pos(physics, TARGET), physics_geom_pos(physics, MASS), 3);
    double near = tolerance_gaussian(distance, 0, radius, radius);
    return near * (small_control(physics->data->ctrl, physics->model->nu) + 4) / 5;
}

const struct domain domain_point_mass = {
    .name = "point_mass",
    .model_file = "point_mass.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
