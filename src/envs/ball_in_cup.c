// Ball in cup: swing the ball that hangs from the cup up and into it. Reward 1 while it is inside.
#include <math.h>

#include "envs/domain.h"

enum { BALL_X, BALL_Z, BALL, BALL_GEOM, TARGET };
static const struct domain_name names[] = {
    [BALL_X] = {mjOBJ_JOINT, "ball_x"}, [BALL_Z] = {mjOBJ_JOINT, "ball_z"},
    [BALL] = {mjOBJ_BODY, "ball"},      [BALL_GEOM] = {mjOBJ_GEOM, "ball"},
    [TARGET] = {mjOBJ_SITE, "target"},  {0},
};

static const struct task tasks[] = {
    {"catch", .time_limit_s = 20, .control_timestep_s = 0.02, .action_repeat = 2},
    {0},
};

// The ball anywhere around the cup where it touches nothing.
static void reset(struct physics *physics) {
    do {
        *physics_joint_pos(physics, BALL_X) = rng_range(&physics->rng, -0.2, 0.2);
        *physics_joint_pos(physics, BALL_Z) = rng_range(&physics->rng, 0.2, 0.5);
        physics_settle(physics);
    } while (physics->data->ncon > 0);
}

static void observe(const struct physics *physics, struct obs *obs) {
    obs_add(obs, physics->data->qpos, physics->model->nq);
    obs_add(obs, physics->data->qvel, physics->model->nv);
}

static double reward(struct physics *physics) {
    const double *target = physics_site_pos(physics, TARGET);
    const double *ball = physics_body_pos(physics, BALL);
    const double *half = physics->model->site_size + 3 * physics->id[TARGET];
    double radius = physics->model->geom_size[3 * physics->id[BALL_GEOM]];
    bool inside = fabs(target[0] - ball[0]) < half[0] - radius && //
                  fabs(target[2] - ball[2]) < half[2] - radius;
    return inside ? 1 : 0;
}

const struct domain domain_ball_in_cup = {
    .name = "ball_in_cup",
    .model_file = "ball_in_cup.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
