#include "envs/quantity.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct kind {
    const char *name;
    enum quantity_kind kind;
    mjtObj element; // that a name after ':' means; mjOBJ_UNKNOWN: no name
    bool named;     // the name is needed
} kinds[] = {
    {"qpos", QUANTITY_QPOS, mjOBJ_JOINT, false},
    {"qvel", QUANTITY_QVEL, mjOBJ_JOINT, false},
    {"act", QUANTITY_ACT, mjOBJ_UNKNOWN, false},
    {"ctrl", QUANTITY_CTRL, mjOBJ_UNKNOWN, false},
    {"sensors", QUANTITY_SENSORS, mjOBJ_UNKNOWN, false},
    {"sensor", QUANTITY_SENSOR, mjOBJ_SENSOR, true},
    {"body", QUANTITY_BODY, mjOBJ_BODY, true},
    {"geom", QUANTITY_GEOM, mjOBJ_GEOM, true},
    {"site", QUANTITY_SITE, mjOBJ_SITE, true},
    {"up", QUANTITY_UP, mjOBJ_BODY, true},
    {"velocity", QUANTITY_VELOCITY, mjOBJ_BODY, true},
    {"distance", QUANTITY_DISTANCE, mjOBJ_SITE, true},
    {"effort", QUANTITY_EFFORT, mjOBJ_UNKNOWN, false},
};
#define N_KINDS    (sizeof kinds / sizeof *kinds)
#define TEXT_BYTES 256

static enum rl_status find_element(const mjModel *model, mjtObj type, const char *name,
                                   const char *origin, int *id, struct rl_error *err) {
    *id = mj_name2id(model, type, name);
    if (*id >= 0) return RL_OK;
    return rl_fail(err, RL_EUSAGE, "%s: the model has no %s named '%s'", origin, mju_type2Str(type),
                   name);
}

// Cuts ".x" or ".3" off the end of text.
static int take_component(char *text) {
    char *dot = strrchr(text, '.');
    if (!dot || !dot[1]) return -1;
    int component = -1;
    if (strchr("xyz", dot[1]) && !dot[2]) {
        component = dot[1] - 'x';
    } else if (isdigit((unsigned char)dot[1])) {
        char *end;
        long value = strtol(dot + 1, &end, 10);
        if (!*end && value < 100000) component = (int)value;
    }
    if (component >= 0) *dot = 0;
    return component;
}

static const struct kind *find_kind(const char *name) {
    for (size_t i = 0; i < N_KINDS; i++) {
        if (!strcmp(kinds[i].name, name)) return &kinds[i];
    }
    return NULL;
}

static enum rl_status unknown_kind(const char *name, const char *origin, struct rl_error *err) {
    const char *known[N_KINDS];
    char suggestion[128];
    for (size_t i = 0; i < N_KINDS; i++) known[i] = kinds[i].name;
    text_suggestion(suggestion, sizeof suggestion, name, known, N_KINDS);
    return rl_fail(err, RL_EUSAGE, "%s: unknown quantity '%s'%s", origin, name, suggestion);
}

enum rl_status quantity_parse(const char *text, const mjModel *model, const char *origin,
                              struct quantity *out, struct rl_error *err) {
    char name[TEXT_BYTES];
    if (strlen(text) >= sizeof name)
        return rl_fail(err, RL_EUSAGE, "%s: quantity too long", origin);
    strcpy(name, text);
    *out = (struct quantity){.id = -1, .other = -1, .component = take_component(name)};
    char *element = strchr(name, ':');
    if (element) *element++ = 0;
    const struct kind *kind = find_kind(name);
    if (!kind) return unknown_kind(name, origin, err);
    if (element ? kind->element == mjOBJ_UNKNOWN : kind->named) {
        return rl_fail(err, RL_EUSAGE, "%s: '%s' %s", origin, text,
                       element ? "takes no name" : "needs :NAME");
    }
    out->kind = kind->kind;
    char *second = element && kind->kind == QUANTITY_DISTANCE ? strchr(element, ',') : NULL;
    if (second) *second++ = 0;
    if (kind->kind == QUANTITY_DISTANCE && !second) {
        return rl_fail(err, RL_EUSAGE, "%s: '%s' needs two sites, distance:A,B", origin, text);
    }
    enum rl_status status = RL_OK;
    if (element) status = find_element(model, kind->element, element, origin, &out->id, err);
    if (second && status == RL_OK)
        status = find_element(model, mjOBJ_SITE, second, origin, &out->other, err);
    int component = out->component;
    out->component = -1;
    if (status == RL_OK && component >= quantity_count(out, model)) {
        return rl_fail(err, RL_EUSAGE, "%s: '%s' has %d components", origin, text,
                       quantity_count(out, model));
    }
    out->component = component;
    return status;
}

static int joint_size(const mjModel *model, int joint, bool velocity) {
    switch (model->jnt_type[joint]) {
    case mjJNT_FREE: return velocity ? 6 : 7;
    case mjJNT_BALL: return velocity ? 3 : 4;
    default: return 1;
    }
}

int quantity_count(const struct quantity *q, const mjModel *model) {
    if (q->component >= 0) return 1;
    switch (q->kind) {
    case QUANTITY_QPOS: return q->id < 0 ? (int)model->nq : joint_size(model, q->id, false);
    case QUANTITY_QVEL: return q->id < 0 ? (int)model->nv : joint_size(model, q->id, true);
    case QUANTITY_ACT: return (int)model->na;
    case QUANTITY_CTRL: return (int)model->nu;
    case QUANTITY_SENSORS: return (int)model->nsensordata;
    case QUANTITY_SENSOR: return model->sensor_dim[q->id];
    case QUANTITY_BODY:
    case QUANTITY_GEOM:
    case QUANTITY_SITE:
    case QUANTITY_VELOCITY: return 3;
    case QUANTITY_UP:
    case QUANTITY_DISTANCE:
    case QUANTITY_EFFORT: return 1;
    }
    return 0;
}

// Where the numbers are; those that must be worked out go to scratch (3).
static const double *locate(const struct quantity *q, const struct physics *physics,
                            double *scratch) {
    const mjModel *model = physics->model;
    const mjData *data = physics->data;
    double motion[6];
    switch (q->kind) {
    case QUANTITY_QPOS: return data->qpos + (q->id < 0 ? 0 : model->jnt_qposadr[q->id]);
    case QUANTITY_QVEL: return data->qvel + (q->id < 0 ? 0 : model->jnt_dofadr[q->id]);
    case QUANTITY_ACT: return data->act;
    case QUANTITY_CTRL: return data->ctrl;
    case QUANTITY_SENSORS: return data->sensordata;
    case QUANTITY_SENSOR: return data->sensordata + model->sensor_adr[q->id];
    case QUANTITY_BODY: return data->xpos + 3 * q->id;
    case QUANTITY_GEOM: return data->geom_xpos + 3 * q->id;
    case QUANTITY_SITE: return data->site_xpos + 3 * q->id;
    case QUANTITY_UP: return data->xmat + 9 * q->id + 8;
    case QUANTITY_VELOCITY:
        mj_objectVelocity(model, data, mjOBJ_XBODY, q->id, motion, 0);
        memcpy(scratch, motion + 3, 3 * sizeof *scratch);
        return scratch;
    case QUANTITY_DISTANCE:
        scratch[0] =
            physics_distance(data->site_xpos + 3 * q->id, data->site_xpos + 3 * q->other, 3);
        return scratch;
    case QUANTITY_EFFORT:
        scratch[0] = 0;
        for (int i = 0; i < model->nu; i++) scratch[0] += data->ctrl[i] * data->ctrl[i];
        return scratch;
    }
    return scratch;
}

void quantity_add(const struct quantity *q, const struct physics *physics, struct obs *obs) {
    double scratch[3];
    const double *values = locate(q, physics, scratch);
    obs_add(obs, values + (q->component > 0 ? q->component : 0), quantity_count(q, physics->model));
}

double quantity_value(const struct quantity *q, const struct physics *physics) {
    double scratch[3];
    return locate(q, physics, scratch)[q->component > 0 ? q->component : 0];
}
