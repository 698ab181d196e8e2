// Cartpole: keep one or more poles upright on a cart near the middle of its rails (Barto, Sutton
// and Anderson 1983), from upright or hanging starts.
#include <math.h>
#include <stdio.h>

#include "envs/domain.h"
#include "envs/rewards.h"

enum { SWING_UP = 1, SPARSE = 2 }; // task.mode, bits; task.value = poles

enum { SLIDER, HINGE_1 };
static const struct domain_name names[] = {
    [SLIDER] = {mjOBJ_JOINT, "slider"},
    [HINGE_1] = {mjOBJ_JOINT, "hinge_1"},
    {0},
};

static const struct task tasks[] = {
    {"balance", .time_limit_s = 10, .action_repeat = 2, .value = 1},
    {"balance_sparse", .time_limit_s = 10, .action_repeat = 2, .value = 1, .mode = SPARSE},
    {"swingup", .time_limit_s = 10, .action_repeat = 2, .value = 1, .mode = SWING_UP},
    {"swingup_sparse", .time_limit_s = 10, .action_repeat = 2, .value = 1,
     .mode = SWING_UP | SPARSE},
    {"two_poles", .time_limit_s = 10, .action_repeat = 2, .value = 2, .mode = SWING_UP},
    {"three_poles", .time_limit_s = 10, .action_repeat = 2, .value = 3, .mode = SWING_UP},
    {0},
};

#define FIRST_POLE_BODY 2 // after the world and the cart

static void place_camera(mjSpec *spec, const char *name, double y) {
    mjsCamera *camera = mjs_asCamera(mjs_findElement(spec, mjOBJ_CAMERA, name));
    if (camera) camera->pos[1] = y;
}

// Stacks poles on the first one, lowers the floor out of their reach and moves the cameras back.
static bool edit(mjSpec *spec, const void *context) {
    int n_poles = (int)((const struct task *)context)->value;
    if (n_poles == 1) return true;
    const mjsDefault *pole = mjs_findDefault(spec, "pole");
    mjsGeom *floor = mjs_asGeom(mjs_findElement(spec, mjOBJ_GEOM, "floor"));
    mjsBody *body = mjs_findBody(spec, "pole_1");
    if (!pole || !floor || !body) return false;
    for (int i = 2; i <= n_poles; i++) {
        char name[32];
        body = mjs_addBody(body, pole);
        body->pos[2] = 1;
        snprintf(name, sizeof name, "pole_%d", i);
        mjs_setName(body->element, name);
        mjs_setName(mjs_addGeom(body, pole)->element, name);
        snprintf(name, sizeof name, "hinge_%d", i);
        mjs_setName(mjs_addJoint(body, pole)->element, name);
    }
    floor->pos[2] = 1 - n_poles - 0.05;
    place_camera(spec, "fixed", -1 - 2 * n_poles);
    place_camera(spec, "lookatcart", -2 * n_poles);
    return true;
}

static void reset(struct physics *physics) {
    const mjModel *model = physics->model;
    double *qpos = physics->data->qpos;
    struct rng *rng = &physics->rng;
    if (physics->task->mode & SWING_UP) {
        *physics_joint_pos(physics, SLIDER) = 0.01 * rng_normal(rng);
        *physics_joint_pos(physics, HINGE_1) = M_PI + 0.01 * rng_normal(rng);
        for (int i = 2; i < model->nv; i++) qpos[i] = 0.1 * rng_normal(rng);
    } else {
        *physics_joint_pos(physics, SLIDER) = rng_range(rng, -0.1, 0.1);
        for (int i = 1; i < model->nv; i++) qpos[i] = rng_range(rng, -0.034, 0.034);
    }
    for (int i = 0; i < model->nv; i++) physics->data->qvel[i] = 0.01 * rng_normal(rng);
}

static double pole_cosine(const struct physics *physics, int body) {
    return physics->data->xmat[9 * body + 8];
}

static void observe(const struct physics *physics, struct obs *obs) {
    obs_add_one(obs, *physics_joint_pos(physics, SLIDER));
    for (int body = FIRST_POLE_BODY; body < physics->model->nbody; body++) {
        obs_add_one(obs, pole_cosine(physics, body));
        obs_add_one(obs, physics->data->xmat[9 * body + 2]); // sine
    }
    obs_add(obs, physics->data->qvel, physics->model->nv);
}

static double sparse_reward(const struct physics *physics) {
    double product = tolerance_indicator(*physics_joint_pos(physics, SLIDER), -0.25, 0.25);
    for (int body = FIRST_POLE_BODY; body < physics->model->nbody; body++) {
        product *= tolerance_indicator(pole_cosine(physics, body), 0.995, 1);
    }
    return product;
}

static double reward(struct physics *physics) {
    if (physics->task->mode & SPARSE) return sparse_reward(physics);
    const mjModel *model = physics->model;
    double upright = 0, slowest = 1;
    int n_poles = (int)model->nbody - FIRST_POLE_BODY;
    for (int body = FIRST_POLE_BODY; body < model->nbody; body++) {
        upright += (pole_cosine(physics, body) + 1) / 2 / n_poles;
    }
    for (int i = 1; i < model->nv; i++) {
        slowest = fmin(slowest, tolerance_gaussian(physics->data->qvel[i], 0, 0, 5));
    }
    double centered = tolerance_gaussian(*physics_joint_pos(physics, SLIDER), 0, 0, 2);
    double effortless = small_control(physics->data->ctrl, 1);
    return upright * (4 + effortless) / 5 * (1 + slowest) / 2 * (1 + centered) / 2;
}

const struct domain domain_cartpole = {
    .name = "cartpole",
    .model_file = "cartpole.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .edit = edit,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
