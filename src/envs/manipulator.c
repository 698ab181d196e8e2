// Manipulator: a planar arm with a hand brings a ball or a peg to a target, in the air or in a
// receptacle.
#include <math.h>
#include <string.h>

#include "envs/domain.h"
#include "envs/rewards.h"

#define CLOSE           0.01 // metres
#define P_IN_HAND       0.1  // of starts with the object in the hand
#define P_IN_TARGET     0.1  // and with the object at the target
#define N_ARM_JOINTS    8
#define N_OBJECT_JOINTS 3
#define N_TOUCH         5

enum { PEG = 1, INSERT = 2 }; // task.mode, bits

enum {
    ARM, // N_ARM_JOINTS
    THUMB = ARM + 6,
    FINGER = ARM + 4,
    TOUCH = ARM + N_ARM_JOINTS,
    HAND = TOUCH + N_TOUCH,
    GRASP,
    PINCH,
    // the ball and the peg in the same order, one of them absent
    BALL,
    BALL_TARGET = BALL + 1,
    BALL_JOINTS = BALL + 2,
    BALL_RECEPTACLE = BALL + 5,
    PEG_BODY,
    PEG_TARGET,
    PEG_JOINTS,
    PEG_RECEPTACLE = PEG_BODY + 5,
    BALL_SITE,
    BALL_TARGET_SITE,
    PEG_SITE,
    PEG_TARGET_SITE,
    PEG_TIP,
    PEG_TARGET_TIP,
    PEG_GRASP,
    PEG_PINCH,
};
enum { BODY, TARGET, JOINTS, RECEPTACLE = 5 }; // of an object, from BALL or PEG_BODY

static const struct domain_name names[] = {
    [ARM] = {mjOBJ_JOINT, "arm_root"},
    {mjOBJ_JOINT, "arm_shoulder"},
    {mjOBJ_JOINT, "arm_elbow"},
    {mjOBJ_JOINT, "arm_wrist"},
    {mjOBJ_JOINT, "finger"},
    {mjOBJ_JOINT, "fingertip"},
    {mjOBJ_JOINT, "thumb"},
    {mjOBJ_JOINT, "thumbtip"},
    [TOUCH] = {mjOBJ_SENSOR, "palm_touch"},
    {mjOBJ_SENSOR, "finger_touch"},
    {mjOBJ_SENSOR, "thumb_touch"},
    {mjOBJ_SENSOR, "fingertip_touch"},
    {mjOBJ_SENSOR, "thumbtip_touch"},
    [HAND] = {mjOBJ_BODY, "hand"},
    [GRASP] = {mjOBJ_SITE, "grasp"},
    [PINCH] = {mjOBJ_SITE, "pinch"},
    [BALL] = {mjOBJ_BODY, "ball", true},
    [BALL_TARGET] = {mjOBJ_BODY, "target_ball", true},
    [BALL_JOINTS] = {mjOBJ_JOINT, "ball_x", true},
    {mjOBJ_JOINT, "ball_z", true},
    {mjOBJ_JOINT, "ball_y", true},
    [BALL_RECEPTACLE] = {mjOBJ_BODY, "cup", true},
    [PEG_BODY] = {mjOBJ_BODY, "peg", true},
    [PEG_TARGET] = {mjOBJ_BODY, "target_peg", true},
    [PEG_JOINTS] = {mjOBJ_JOINT, "peg_x", true},
    {mjOBJ_JOINT, "peg_z", true},
    {mjOBJ_JOINT, "peg_y", true},
    [PEG_RECEPTACLE] = {mjOBJ_BODY, "slot", true},
    [BALL_SITE] = {mjOBJ_SITE, "ball", true},
    [BALL_TARGET_SITE] = {mjOBJ_SITE, "target_ball", true},
    [PEG_SITE] = {mjOBJ_SITE, "peg", true},
    [PEG_TARGET_SITE] = {mjOBJ_SITE, "target_peg", true},
    [PEG_TIP] = {mjOBJ_SITE, "peg_tip", true},
    [PEG_TARGET_TIP] = {mjOBJ_SITE, "target_peg_tip", true},
    [PEG_GRASP] = {mjOBJ_SITE, "peg_grasp", true},
    [PEG_PINCH] = {mjOBJ_SITE, "peg_pinch", true},
    {0},
};

static const struct task tasks[] = {
    {"bring_ball", .time_limit_s = 10, .control_timestep_s = 0.01, .action_repeat = 2},
    {"bring_peg", .time_limit_s = 10, .control_timestep_s = 0.01, .action_repeat = 2, .mode = PEG},
    {"insert_ball", .time_limit_s = 10, .control_timestep_s = 0.01, .action_repeat = 2,
     .mode = INSERT},
    {"insert_peg", .time_limit_s = 10, .control_timestep_s = 0.01, .action_repeat = 2,
     .mode = PEG | INSERT},
    {0},
};

// Removes the props that the task does not use.
static bool edit(mjSpec *spec, const void *context) {
    int mode = ((const struct task *)context)->mode;
    const struct {
        const char *name;
        bool wanted;
    } props[] = {
        {"ball", !(mode & PEG)},           {"target_ball", !(mode & PEG)},
        {"cup", mode == INSERT},           {"peg", (mode & PEG) != 0},
        {"target_peg", (mode & PEG) != 0}, {"slot", mode == (PEG | INSERT)},
    };
    for (size_t i = 0; i < sizeof props / sizeof *props; i++) {
        mjsElement *body = mjs_findElement(spec, mjOBJ_BODY, props[i].name);
        if (!body || (!props[i].wanted && mjs_delete(spec, body) != 0)) return false;
    }
    return true;
}

static int object(const struct physics *physics) {
    return physics->task->mode & PEG ? PEG_BODY : BALL;
}

static void randomize_arm(struct physics *physics) {
    const mjModel *model = physics->model;
    for (int i = 0; i < N_ARM_JOINTS; i++) {
        int joint = physics->id[ARM + i];
        const double *range = model->jnt_range + 2 * joint;
        bool limited = model->jnt_limited[joint];
        *physics_joint_pos(physics, ARM + i) =
            rng_range(&physics->rng, limited ? range[0] : -M_PI, limited ? range[1] : M_PI);
    }
    *physics_joint_pos(physics, FINGER) = *physics_joint_pos(physics, THUMB); // a symmetric hand
}

static void place(struct physics *physics, int name, const double *x_z_angle) {
    mjModel *model = physics->model;
    double *pos = model->body_pos + 3 * physics->id[name],
           *quat = model->body_quat + 4 * physics->id[name];
    pos[0] = x_z_angle[0];
    pos[2] = x_z_angle[1];
    quat[0] = cos(x_z_angle[2] / 2);
    quat[2] = sin(x_z_angle[2] / 2);
}

static void pose_in_hand(struct physics *physics, double *x_z_angle) {
    physics_settle(physics);
    const double *pos = physics_site_pos(physics, GRASP);
    const double *mat = physics->data->site_xmat + 9 * physics->id[GRASP];
    x_z_angle[0] = pos[0];
    x_z_angle[1] = pos[2];
    x_z_angle[2] = M_PI - atan2(mat[6], mat[0]);
}

static void randomize(struct physics *physics) {
    struct rng *rng = &physics->rng;
    bool insert = physics->task->mode & INSERT;
    int thing = object(physics);
    randomize_arm(physics);
    double turn = insert ? M_PI / 3 : M_PI;
    double target[3] = {rng_range(rng, -0.4, 0.4), rng_range(rng, 0.1, 0.4),
                        rng_range(rng, -turn, turn)};
    if (insert) place(physics, thing + RECEPTACLE, target);
    place(physics, thing + TARGET, target);
    double start[3], luck = rng_uniform(rng);
    if (luck < P_IN_HAND) {
        pose_in_hand(physics, start);
    } else if (luck < P_IN_HAND + P_IN_TARGET) {
        memcpy(start, target, sizeof start);
    } else {
        start[0] = rng_range(rng, -0.5, 0.5);
        start[1] = rng_range(rng, 0, 0.7);
        start[2] = rng_range(rng, 0, 2 * M_PI);
        *physics_joint_vel(physics, thing + JOINTS) = rng_range(rng, -5, 5);
    }
    for (int i = 0; i < 3; i++) *physics_joint_pos(physics, thing + JOINTS + i) = start[i];
}

static void reset(struct physics *physics) {
    do {
        randomize(physics);
        physics_settle(physics);
    } while (physics->data->ncon > 0);
}

static void observe_pose(const struct physics *physics, int name, struct obs *obs) {
    const double *pos = physics_body_pos(physics, name);
    const double *quat = physics->data->xquat + 4 * physics->id[name];
    obs_add(obs, (double[]){pos[0], pos[2], quat[0], quat[2]}, 4);
}

static void observe(const struct physics *physics, struct obs *obs) {
    int thing = object(physics);
    for (int i = 0; i < N_ARM_JOINTS; i++) {
        double angle = *physics_joint_pos(physics, ARM + i);
        obs_add(obs, (double[]){sin(angle), cos(angle)}, 2);
    }
    for (int i = 0; i < N_ARM_JOINTS; i++) obs_add(obs, physics_joint_vel(physics, ARM + i), 1);
    for (int i = 0; i < N_TOUCH; i++) obs_add_one(obs, log1p(*physics_sensor(physics, TOUCH + i)));
    observe_pose(physics, HAND, obs);
    observe_pose(physics, thing + BODY, obs);
    for (int i = 0; i < N_OBJECT_JOINTS; i++) {
        obs_add(obs, physics_joint_vel(physics, thing + JOINTS + i), 1);
    }
    observe_pose(physics, thing + TARGET, obs);
}

static double close_to(const struct physics *physics, int a, int b) {
    double distance =
        physics_distance(physics_site_pos(physics, a), physics_site_pos(physics, b), 3);
    return tolerance_gaussian(distance, 0, CLOSE, 2 * CLOSE);
}

static double reward(struct physics *physics) {
    if (!(physics->task->mode & PEG)) return close_to(physics, BALL_SITE, BALL_TARGET_SITE);
    double grasping =
        (close_to(physics, PEG_GRASP, GRASP) + close_to(physics, PEG_PINCH, PINCH)) / 2;
    double bringing = (close_to(physics, PEG_SITE, PEG_TARGET_SITE) +
                       close_to(physics, PEG_TARGET_TIP, PEG_TIP)) /
                      2;
    return fmax(bringing, grasping / 3);
}

const struct domain domain_manipulator = {
    .name = "manipulator",
    .model_file = "manipulator.xml",
    .tasks = tasks,
    .names = names,
    .reward_max = 1,
    .edit = edit,
    .reset = reset,
    .observe = observe,
    .reward = reward,
};
