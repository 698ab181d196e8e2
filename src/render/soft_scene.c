#include <math.h>
#include <string.h>

#include "render/soft_setup.h"

static bool finite_all(const float *x, int count) {
    for (int i = 0; i < count; i++) {
        if (!isfinite(x[i])) return false;
    }
    return true;
}

static enum rl_status check_scene(const mjvScene *scene, struct rl_error *err) {
    const mjvGLCamera *camera = scene->camera;
    for (int i = 0; i < 2; i++) {
        if (!finite_all(camera[i].pos, 3) || !finite_all(camera[i].forward, 3) ||
            !finite_all(camera[i].up, 3) || !finite_all(&camera[i].frustum_center, 6) ||
            !(camera[i].frustum_near > 0) || !(camera[i].frustum_far > camera[i].frustum_near) ||
            !(camera[i].frustum_top > camera[i].frustum_bottom)) {
            return rl_fail(err, RL_EMODEL,
                           "the scene's camera is not finite or its frustum is empty");
        }
    }
    for (int i = 0; i < scene->ngeom; i++) {
        const mjvGeom *geom = &scene->geoms[i];
        if (!finite_all(geom->pos, 3) || !finite_all(geom->mat, 9) || !finite_all(geom->size, 3) ||
            !finite_all(geom->rgba, 4)) {
            return rl_fail(err, RL_EMODEL,
                           "geom %d of the scene has a pose, size or colour that is not "
                           "finite",
                           i);
        }
    }
    return RL_OK;
}

static void normalize3(double *v) {
    double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    for (int k = 0; k < 3; k++) v[k] = length > 1e-10 ? v[k] / length : k == 2;
}

static void cross3(double *out, const double *a, const double *b) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

// The mean of the two eyes, as MuJoCo draws without stereo.
static void view_setup(struct soft *soft, const mjvScene *scene) {
    const mjvGLCamera *c = scene->camera;
    struct soft_view *view = &soft->view;
    view->orthographic = c[0].orthographic;
    double *right = &view->axis[0], *up = &view->axis[3], *forward = &view->axis[6], mean_up[3];
    for (int k = 0; k < 3; k++) {
        view->eye[k] = 0.5 * ((double)c[0].pos[k] + (double)c[1].pos[k]);
        forward[k] = (double)c[0].forward[k] + (double)c[1].forward[k];
        mean_up[k] = (double)c[0].up[k] + (double)c[1].up[k];
    }
    normalize3(forward);
    cross3(right, forward, mean_up);
    normalize3(right);
    cross3(up, right, forward);
    soft->znear = 0.5f * (c[0].frustum_near + c[1].frustum_near);
    soft->zfar = 0.5f * (c[0].frustum_far + c[1].frustum_far);
    bool flat = view->orthographic;
    soft->w_near = flat ? soft->zfar - soft->znear : 1 / soft->znear;
    soft->w_far = flat ? 0 : 1 / soft->zfar;
    view->far = (double)soft->zfar;
    double near = flat ? 1 : (double)soft->znear, w = soft->size.width, h = soft->size.height;
    double bottom = 0.5 * ((double)c[0].frustum_bottom + (double)c[1].frustum_bottom);
    double top = 0.5 * ((double)c[0].frustum_top + (double)c[1].frustum_top);
    double center = 0.5 * ((double)c[0].frustum_center + (double)c[1].frustum_center);
    double half_width = 0.5 * ((double)c[0].frustum_width + (double)c[1].frustum_width);
    if (half_width <= 0) half_width = 0.5 * w / h * (top - bottom);
    view->width = soft->size.width, view->height = soft->size.height;
    view->tan0[0] = (center - half_width) / near, view->tan_pixel[0] = 2 * half_width / near / w;
    view->tan0[1] = bottom / near, view->tan_pixel[1] = (top - bottom) / near / h;
    for (int k = 0; k < 3; k++) {
        view->d0[k] = view->tan0[0] * right[k] + view->tan0[1] * up[k] + (flat ? 0 : forward[k]);
        view->dx[k] = view->tan_pixel[0] * right[k];
        view->dy[k] = view->tan_pixel[1] * up[k];
    }
}

static void reflect_vector(double *v, const double normal[3]) {
    double along = v[0] * normal[0] + v[1] * normal[1] + v[2] * normal[2];
    for (int k = 0; k < 3; k++) v[k] -= 2 * along * normal[k];
}

// The view from the eye's image behind the reflecting plane: real geoms seen from there look as
// their images look from here.
static void mirror_setup(struct soft *soft, const double point[3], const double normal[3]) {
    struct soft_view *view = &soft->mirror_view;
    *view = soft->view;
    double relative[3];
    for (int k = 0; k < 3; k++) relative[k] = view->eye[k] - point[k];
    reflect_vector(relative, normal);
    for (int k = 0; k < 3; k++) view->eye[k] = point[k] + relative[k];
    for (int j = 0; j < 3; j++) reflect_vector(&view->axis[3 * j], normal);
    reflect_vector(view->d0, normal);
    reflect_vector(view->dx, normal);
    reflect_vector(view->dy, normal);
    // Height over the mirror of a point at depth 1 / w is (eye height * w + ray's normal part) / w.
    double axis[3][3] = {{normal[0], normal[1], normal[2]}, {1, 0, 0}, {0, 1, 0}};
    struct soft_ray ray;
    soft_ray_setup(view, point, axis, 0, 0, &ray);
    soft->mirror_clip =
        (struct soft_affine){(float)ray.d[0][0], (float)ray.d[1][0], (float)ray.d[2][0]};
    soft->mirror_clip_eye = (float)ray.origin[0];
}

static float clamp(float x, float low, float high) { // not a number becomes low
    return !(x > low) ? low : x > high ? high : x;
}

static bool is_gray(const float *rgb) {
    return rgb[0] == rgb[1] && rgb[1] == rgb[2];
}

static void light_setup(struct soft *soft, const mjvScene *scene) {
    soft->light_count = 0;
    soft->gray_light = true;
    for (int i = 0; i < scene->nlight && soft->light_count < SOFT_MAX_LIGHTS; i++) {
        const mjvLight *from = &scene->lights[i];
        if (from->type != mjLIGHT_DIRECTIONAL && from->type != mjLIGHT_SPOT) continue;
        struct soft_light *light = &soft->light[soft->light_count++];
        *light = (struct soft_light){.directional = from->type == mjLIGHT_DIRECTIONAL,
                                     .shadow = from->castshadow != 0,
                                     .cutoff = from->cutoff,
                                     .exponent = clamp(from->exponent, 0, 128)};
        double dir[3] = {(double)from->dir[0], (double)from->dir[1], (double)from->dir[2]};
        normalize3(dir);
        for (int k = 0; k < 3; k++) {
            light->pos[k] = from->pos[k];
            light->dir[k] = (float)dir[k];
            light->attenuation[k] = from->attenuation[k];
            light->ambient[k] = from->ambient[k];
            light->diffuse[k] = from->diffuse[k];
            light->specular[k] = from->specular[k];
        }
        soft->gray_light &=
            is_gray(light->ambient) && is_gray(light->diffuse) && is_gray(light->specular);
        light->cos_cutoff =
            from->cutoff >= 180 ? -2 : (float)cos((double)from->cutoff * mjPI / 180);
    }
}

// Lights of the first pass: those that cast no shadow.
static void split_lights(struct soft *soft) {
    soft->base_light_count = 0;
    for (int i = 0; i < soft->light_count; i++) {
        bool shadowed = false;
        for (int k = 0; k < soft->shadow_count; k++) shadowed |= soft->shadow[k].light == i;
        if (!shadowed) soft->base_light[soft->base_light_count++] = i;
        soft->all_light[i] = i;
    }
}

// How MuJoCo scales texture coordinates: repetitions over the whole, or per metre when uniform.
static void texture_setup(const struct soft *soft, const mjvGeom *geom, const float repeat[2],
                          bool uniform, struct soft_material *material) {
    bool infinite = geom->type == mjGEOM_PLANE && (geom->size[0] <= 0 || geom->size[1] <= 0);
    int plane = geom->type == mjGEOM_PLANE ? geom->dataid : -1;
    for (int k = 0; k < 2; k++) {
        float scale = repeat[k] > 0 ? repeat[k] : 1;
        if (uniform && geom->size[k] > 0) scale *= geom->size[k];
        float sign = k == 0 ? 0.5f : -0.5f, extent = 1;
        if (geom->size[k] <= 0 && plane >= 0 && plane < soft->grid_count - 1) {
            extent = soft->grid[plane].size[k];
        }
        material->tex_scale[k] = sign * scale * extent;
        material->tex_shift[k] = (geom->size[k] > 0 ? 0.5f * scale : 0) - (infinite ? 0.5f : 0);
    }
    if (!material->cube) return;
    for (int k = 0; k < 3; k++) material->tex_scale[k] = uniform ? geom->size[k] : 1;
}

static void material_setup(const struct soft *soft, const mjvGeom *geom,
                           struct soft_material *material) {
    *material = (struct soft_material){.emission = geom->emission,
                                       .specular = geom->specular,
                                       .shininess = clamp(geom->shininess * 128.0f, 0, 128),
                                       .reflectance = geom->reflectance,
                                       .texture = -1,
                                       .object = {geom->objid, geom->objtype},
                                       .segmented = geom->segid >= 0};
    memcpy(material->rgba, geom->rgba, sizeof material->rgba);
    material->gray = is_gray(geom->rgba);
    const mjModel *model = soft->model;
    if (geom->matid < 0) return;
    int texture = geom->texid;
    float repeat[2] = {geom->texrepeat[0], geom->texrepeat[1]};
    bool uniform = geom->texuniform;
    if (texture < 0 && geom->matid < model->nmat) {
        texture = model->mat_texid[geom->matid * mjNTEXROLE + mjTEXROLE_RGB];
        uniform = model->mat_texuniform[geom->matid];
        for (int k = 0; k < 2; k++) repeat[k] = model->mat_texrepeat[2 * geom->matid + k];
    }
    if (texture < 0 || texture >= soft->texture_count) return;
    material->texture = texture;
    material->cube = soft->texture[texture].cube;
    texture_setup(soft, geom, repeat, uniform, material);
}

bool soft_behind(const struct soft *soft, const mjvGeom *geom) {
    double along = 0;
    for (int k = 0; k < 3; k++) {
        along += (soft->view.eye[k] - (double)geom->pos[k]) * (double)geom->mat[3 * k + 2];
    }
    return along < 0;
}

static bool is_transparent(const struct soft *soft, const mjvGeom *geom) {
    return geom->rgba[3] < 0.995f || (geom->type == mjGEOM_PLANE && soft_behind(soft, geom));
}

static bool is_reflective(const mjvGeom *geom, bool transparent) {
    return (geom->type == mjGEOM_PLANE || geom->type == mjGEOM_BOX) && !transparent &&
           geom->reflectance > 0;
}

static void find_reflective(struct soft *soft, const mjvScene *scene) {
    soft->reflective = -1;
    for (int i = 0; i < scene->ngeom && soft->reflective < 0; i++) {
        const mjvGeom *geom = &scene->geoms[i];
        if (is_reflective(geom, is_transparent(soft, geom))) soft->reflective = i;
    }
}

// Transparent geoms by distance, the nearest first, planes last; equal distances keep the scene's
// order.
static void sort_transparent(struct soft *soft, const mjvScene *scene) {
    soft->transparent_count = 0;
    for (int i = 0; i < scene->ngeom; i++) {
        const mjvGeom *geom = &scene->geoms[i];
        if (!is_transparent(soft, geom)) continue;
        double square = 0;
        for (int k = 0; k < 3; k++) {
            double d = (double)geom->pos[k] - soft->view.eye[k];
            square += d * d;
        }
        float key = geom->type == mjGEOM_PLANE ? 1e10f : (float)sqrt(square) - geom->modelrbound;
        int at = soft->transparent_count++;
        for (; at > 0 && soft->sort_key[at - 1] > key; at--) {
            soft->sort_key[at] = soft->sort_key[at - 1];
            soft->transparent[at] = soft->transparent[at - 1];
        }
        soft->sort_key[at] = key;
        soft->transparent[at] = i;
    }
}

static bool mirror_view_setup(struct soft *soft, const mjvScene *scene) {
    if (soft->reflective < 0 || !scene->flags[mjRND_REFLECTION]) return false;
    const mjvGeom *geom = &scene->geoms[soft->reflective];
    double point[3], normal[3], along = 0;
    for (int k = 0; k < 3; k++) {
        normal[k] = (double)geom->mat[3 * k + 2];
        point[k] = (double)geom->pos[k];
        if (geom->type == mjGEOM_BOX) point[k] += (double)geom->size[2] * normal[k];
        along += (soft->view.eye[k] - point[k]) * normal[k];
    }
    if (along < 0) return false;
    mirror_setup(soft, point, normal);
    for (int k = 0; k < 3; k++) {
        soft->mirror_point[k] = point[k];
        soft->mirror_normal[k] = normal[k];
    }
    return true;
}

// Opaque geoms in drawing order (the reflecting one first), then transparent ones near to far.
static int add_geoms(struct soft *soft, const mjvScene *scene, struct soft_part_list *list) {
    if (!list->mirror && soft->reflective >= 0) soft_add_geom(list, scene, soft->reflective);
    for (int i = 0; i < scene->ngeom; i++) {
        if (i != soft->reflective && !is_transparent(soft, &scene->geoms[i])) {
            soft_add_geom(list, scene, i);
        }
    }
    int opaque = list->count;
    for (int i = 0; i < soft->transparent_count; i++)
        soft_add_geom(list, scene, soft->transparent[i]);
    return opaque;
}

enum rl_status soft_scene_setup(struct soft *soft, const mjvScene *scene, struct rl_error *err) {
    if (check_scene(scene, err) != RL_OK) return err->code;
    soft->frame++;
    soft_mesh_update(soft, scene);
    soft_triangles_clear(&soft->front_triangles, soft);
    soft_triangles_clear(&soft->mirror_triangles, soft);
    view_setup(soft, scene);
    light_setup(soft, scene);
    soft_cast_setup(soft, scene);
    split_lights(soft);
    find_reflective(soft, scene);
    sort_transparent(soft, scene);
    for (int i = 0; i < scene->ngeom; i++) {
        material_setup(soft, &scene->geoms[i], &soft->material[i]);
    }
    int capacity = 4 * soft->geom_capacity;
    struct soft_part_list list = {.soft = soft,
                                  .view = &soft->view,
                                  .part = soft->part,
                                  .light = soft->local_light,
                                  .triangles = &soft->front_triangles,
                                  .capacity = capacity};
    soft->opaque_count = add_geoms(soft, scene, &list);
    soft->part_count = list.count;
    soft_cast_floor(soft);
    soft->mirror_count = soft->mirror_opaque_count = 0;
    if (mirror_view_setup(soft, scene)) {
        struct soft_part_list mirror = {.soft = soft,
                                        .view = &soft->mirror_view,
                                        .part = soft->mirror,
                                        .light =
                                            soft->local_light + (size_t)capacity * SOFT_MAX_LIGHTS,
                                        .triangles = &soft->mirror_triangles,
                                        .capacity = capacity,
                                        .mirror = true};
        soft->mirror_opaque_count = add_geoms(soft, scene, &mirror);
        soft->mirror_count = mirror.count;
    }
    soft->sky = scene->flags[mjRND_SKYBOX] && soft->sky_texture >= 0;
    soft_far_setup(soft, scene);
    soft_sky_setup(soft);
    return RL_OK;
}
