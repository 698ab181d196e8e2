// A number or a vector read from a simulated scene by name, for rewards, endings and observations
// of a user's own model.
//   qpos  qvel  act  ctrl  sensors            all of them
//   qpos:JOINT  qvel:JOINT                    of one joint
//   sensor:NAME                               of one sensor
//   body:NAME  geom:NAME  site:NAME           world position (3)
//   up:NAME                                   z of the body's z axis: 1 upright, -1 upside down
//   velocity:NAME                             linear velocity of the body's frame in the world (3)
//   distance:SITE,SITE                        between two sites
//   effort                                    sum of squared controls
// and .x .y .z, or .0 .1 ..., takes one component.
#pragma once

#include "envs/physics.h"

enum quantity_kind {
    QUANTITY_QPOS,
    QUANTITY_QVEL,
    QUANTITY_ACT,
    QUANTITY_CTRL,
    QUANTITY_SENSORS,
    QUANTITY_SENSOR,
    QUANTITY_BODY,
    QUANTITY_GEOM,
    QUANTITY_SITE,
    QUANTITY_UP,
    QUANTITY_VELOCITY,
    QUANTITY_DISTANCE,
    QUANTITY_EFFORT,
};

struct quantity {
    enum quantity_kind kind;
    int id, other; // of the element; -1 = all
    int component; // -1 = all
};

// origin opens the message of a failure (RL_EUSAGE).
RL_CHECKED enum rl_status quantity_parse(const char *text, const mjModel *model, const char *origin,
                                         struct quantity *out, struct rl_error *err);
int quantity_count(const struct quantity *quantity, const mjModel *model);
void quantity_add(const struct quantity *quantity, const struct physics *physics, struct obs *obs);
double quantity_value(const struct quantity *quantity, const struct physics *physics); // count 1
