// Finger: flick a free-turning body with a two-link finger (after Tassa et al. 2010): keep it
// spinning, or turn its tip into a target.
#include <math.h>

#include "envs/domain.h"

#define SPIN_SPEED     15.0 // rad/s
#define RESET_ATTEMPTS 1000

enum { SPIN, TURN }; // task.mode; task.value = radius of the target, in metres

enum {
    PROXIMAL,
    DISTAL,
    PROXIMAL_SPEED,
    DISTAL_SPEED,
    HINGE_SPEED,
    TIP,
    TARGET,
    SPINNER,
    TOUCH_TOP,
    TOUCH_BOTTOM,
    HINGE,
    CAP,
    TARGET_SITE,
    TIP_SITE,
};
static const struct domain_name names[] = {
    [PROXIMAL] = {mjOBJ_SENSOR, "proximal"},
    [DISTAL] = {mjOBJ_SENSOR, "distal"},
    [PROXIMAL_SPEED] = {mjOBJ_SENSOR, "proximal_velocity"},
    [DISTAL_SPEED] = {mjOBJ_SENSOR, "distal_velocity"},
    [HINGE_SPEED] = {mjOBJ_SENSOR, "hinge_velocity"},
    [TIP] = {mjOBJ_SENSOR, "tip"},
    [TARGET] = {mjOBJ_SENSOR, "target"},
    [SPINNER] = {mjOBJ_SENSOR, "spinner"},
    [TOUCH_TOP] = {mjOBJ_SENSOR, "touchtop"},
    [TOUCH_BOTTOM] = {mjOBJ_SENSOR, "touchbottom"},
    [HINGE] = {mjOBJ_JOINT, "hinge"},
    [CAP] = {mjOBJ_GEOM, "cap1"},
    [TARGET_SITE] = {mjOBJ_SITE, "target"},
    [TIP_SITE] = {mjOBJ_SITE, "tip"},
    {0},
};

static const struct task tasks[] = {
    {"spin", .time_limit_s = 20, .control_timestep_s = 0.02, .action_repeat = 2, .mode = SPIN},
    {"turn_easy", .time_limit_s = 20, .control_timestep_s = 0.02, .action_repeat = 2, .mode = TURN,
     .value = 0.07},
    {"turn_hard", .time_limit_s = 20, .control_timestep_s = 0.02, .action_repeat = 2, .mode = TURN,
     .value = 0.03},
    {0},
};

// The target on the circle that the tip can reach, around the hinge.
static void place_target(struct physics *physics) {
    mjModel *model = physics->model;
    double angle = rng_range(&physics->rng, -M_PI, M_PI);
    const double *anchor = physics->data->xanchor + 3 * physics->id[HINGE];
    const double *cap = model->geom_size + 3 * physics->id[CAP];
    double radius = cap[0] + cap[1] + cap[2];
    double *pos = model->site_pos + 3 * physics->id[TARGET_SITE];
    pos[0] = anchor[0] + radius * sin(angle);
    pos[2] = anchor[2] + radius * cos(angle);
    model->site_size[3 * physics->id[TARGET_SITE]] = physics->task->value;
}

static void reset(struct physics *physics) {
    mjModel *model = physics->model;
    if (physics->task->mode == SPIN) {
        model->site_rgba[4 * physics->id[TARGET_SITE] + 3] = 0; // nothing to aim at: hidden
        model->site_rgba[4 * physics->id[TIP_SITE] + 3] = 0;
        model->dof_damping[model->jnt_dofadr[physics->id[HINGE]]] = 0.03;
    } else {
        place_target(physics);
    }
    for (int i = 0; i < RESET_ATTEMPTS; i++) {
        physics_randomize_joints(physics);
        physics_settle(physics);
        if (physics->data->ncon == 0) break;
    }
}

// From the hinge, in the plane of motion.
static void relative(const struct physics *physics, int sensor, double *xz) {
    const double *position = physics_sensor(physics, sensor);
    const double *spinner = physics_sensor(physics, SPINNER);
    xz[0] = position[0] - spinner[0];
    xz[1] = position[2] - spinner[2];
}

// Negative inside the target.
static double distance_to_target(const struct physics *physics) {
    double tip[2], target[2];
    relative(physics, TIP, tip);
    relative(physics, TARGET, target);
    return physics_distance(target, tip, 2) -
           physics->model->site_size[3 * physics->id[TARGET_SITE]];
}

static void observe(const struct physics *physics, struct obs *obs) {
    double xz[2];
    relative(physics, TIP, xz);
    obs_add(obs, physics_sensor(physics, PROXIMAL), 1);
    obs_add(obs, physics_sensor(physics, DISTAL), 1);
    obs_add(obs, xz, 2);
    for (int i = PROXIMAL_SPEED; i <= HINGE_SPEED; i++) obs_add(obs, physics_sensor(physics, i), 1);
    obs_add_one(obs, log1p(*physics_sensor(physics, TOUCH_TOP)));
    obs_add_one(obs, log1p(*physics_sensor(physics, TOUCH_BOTTOM)));
    if (physics->task->mode == SPIN) return;
    relative(physics, TARGET, xz);
    obs_add(obs, xz, 2);
    obs_add_one(obs, distance_to_target(physics));
}

static double reward(struct physics *physics) {
    if (physics->task->mode == SPIN) return *physics_sensor(physics, HINGE_SPEED) <= -SPIN_SPEED;
    return distance_to_target(physics) <= 0;
}

const struct domain domain_finger = {
    .name = "finger",
    .model_file = "finger.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
