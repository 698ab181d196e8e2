#include "viewer/stage.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { MAX_GEOMS = 10000 }; // as MuJoCo's simulate; what is over is not drawn

void stage_init(struct stage *stage, const mjModel *model, mjData *data) {
    *stage = (struct stage){.model = model, .data = data};
    mjv_defaultScene(&stage->scene);
    mjv_defaultOption(&stage->option);
    mjv_defaultPerturb(&stage->perturb);
    mjv_defaultFreeCamera(model, &stage->free_camera);
    stage->option.flags[mjVIS_RANGEFINDER] = 0; // as the policy's own frames
    stage->option.flags[mjVIS_SELECT] = 1;      // where the body is held, and how it is pulled
    stage->option.flags[mjVIS_PERTFORCE] = 1;
    mjv_makeScene(model, &stage->scene, MAX_GEOMS);
}

void stage_release(struct stage *stage) {
    mjv_freeScene(&stage->scene);
}

// The free camera begins where the model's camera was when it takes over, and follows the body that
// one followed.
static void free_from(struct stage *stage, int camera) {
    const mjModel *model = stage->model;
    const mjvGLCamera *eyes = stage->scene.camera;
    mjvCamera *free = &stage->free_camera;
    int body = model->cam_bodyid[camera];
    mjtNum position[3], forward[3], offset[3];
    for (int i = 0; i < 3; i++) {
        position[i] = 0.5 * ((mjtNum)eyes[0].pos[i] + (mjtNum)eyes[1].pos[i]);
        forward[i] = (mjtNum)eyes[0].forward[i];
    }
    if (mju_normalize3(forward) < 0.5) return; // nothing has been drawn yet
    mju_sub3(offset, stage->data->subtree_com + 3 * body, position);
    mjtNum distance = mju_dot3(offset, forward);
    if (distance < 0.05 * model->stat.extent) distance = 1.5 * model->stat.extent;
    free->distance = distance;
    free->azimuth = atan2(forward[1], forward[0]) * 180 / mjPI;
    free->elevation = asin(fmax(-1, fmin(1, forward[2]))) * 180 / mjPI;
    mju_addScl3(free->lookat, position, forward, distance);
    free->type = body > 0 ? mjCAMERA_TRACKING : mjCAMERA_FREE;
    free->trackbodyid = body > 0 ? body : -1;
}

void stage_handle(struct stage *stage, struct controls *controls,
                  const struct control_event *event) {
    bool was_perturbing = controls->perturbing;
    int camera = controls->camera;
    struct control_drag drag = controls_handle(controls, event, stage->perturb.select > 0);
    if (camera >= 0 && controls->camera < 0) free_from(stage, camera);
    if (controls->perturbing && !was_perturbing) {
        mjv_initPerturb(stage->model, stage->data, &stage->scene, &stage->perturb);
    }
    stage->perturb.active = 0;
    if (controls->perturbing) {
        bool pulls = controls->held[CONTROL_BUTTON_RIGHT];
        stage->perturb.active = pulls ? mjPERT_TRANSLATE : mjPERT_ROTATE;
    }
    if (drag.action == mjMOUSE_NONE) return;
    if (drag.perturb) {
        mjv_movePerturb(stage->model, stage->data, drag.action, drag.dx, drag.dy, &stage->scene,
                        &stage->perturb);
    } else {
        mjv_moveCamera(stage->model, drag.action, drag.dx, drag.dy, &stage->free_camera);
    }
}

static void select_body(struct stage *stage, int body, int flex, int skin, const mjtNum point[3]) {
    stage->perturb.select = body > 0 ? body : 0; // the world cannot be moved
    stage->perturb.flexselect = flex;
    stage->perturb.skinselect = skin;
    if (body <= 0) return;
    mjtNum offset[3]; // where it was hit, in the body's frame
    mju_sub3(offset, point, stage->data->xpos + 3 * body);
    mju_mulMatTVec(stage->perturb.localpos, stage->data->xmat + 9 * body, offset, 3, 3);
}

static void look_at(struct stage *stage, int body, const mjtNum point[3], bool track) {
    if (body < 0) return; // nothing was hit
    mju_copy3(stage->free_camera.lookat, point);
    stage->free_camera.type = track && body > 0 ? mjCAMERA_TRACKING : mjCAMERA_FREE;
    stage->free_camera.trackbodyid = track && body > 0 ? body : -1;
}

void stage_pick(struct stage *stage, struct controls *controls, double aspect) {
    if (!controls->want_select && !controls->want_look && !controls->want_track) return;
    mjtNum point[3];
    int geom, flex, skin;
    int body = mjv_select(stage->model, stage->data, &stage->option, aspect, controls->x / aspect,
                          1 - controls->y, &stage->scene, point, &geom, &flex, &skin);
    if (controls->want_select) select_body(stage, body, flex, skin, point);
    if (controls->want_look || controls->want_track) {
        look_at(stage, body, point, controls->want_track);
    }
    controls->want_select = controls->want_look = controls->want_track = false;
}

void stage_apply_force(struct stage *stage, const struct controls *controls) {
    if (stage->pulled) {
        memset(stage->data->xfrc_applied, 0, 6 * (size_t)stage->model->nbody * sizeof(mjtNum));
    }
    stage->pulled = controls->perturbing;
    if (!stage->pulled) return;
    mjv_applyPerturbPose(stage->model, stage->data, &stage->perturb, 0); // mocap bodies
    mjv_applyPerturbForce(stage->model, stage->data, &stage->perturb);
}

void stage_apply_pose(struct stage *stage, const struct controls *controls) {
    if (!controls->perturbing) return;
    mjv_applyPerturbPose(stage->model, stage->data, &stage->perturb, 1);
    mj_forward(stage->model, stage->data);
}

void stage_update(struct stage *stage, const struct controls *controls) {
    mjvCamera camera = stage->free_camera;
    if (controls->camera >= 0) {
        camera.type = mjCAMERA_FIXED;
        camera.fixedcamid = controls->camera;
    }
    stage->option.flags[mjVIS_CONTACTPOINT] = controls->contact_points;
    stage->option.flags[mjVIS_CONTACTFORCE] = controls->contact_forces;
    stage->option.flags[mjVIS_JOINT] = controls->joints;
    stage->option.flags[mjVIS_TRANSPARENT] = controls->transparent;
    mjv_updateScene(stage->model, stage->data, &stage->option, &stage->perturb, &camera, mjCAT_ALL,
                    &stage->scene);
}
