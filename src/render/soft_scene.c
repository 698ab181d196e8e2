#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "render/soft_setup.h"

// --- creation ---

static enum rl_status reserve_geoms(struct soft *soft, int count, struct rl_error *err) {
    if (count <= soft->geom_capacity) return RL_OK;
    count += count / 2 + 64;
    int parts = 4 * count, lights = SOFT_MAX_LIGHTS;
    mem_free(soft->part), mem_free(soft->mirror), mem_free(soft->material);
    mem_free(soft->local_light), mem_free(soft->row_list), mem_free(soft->transparent);
    mem_free(soft->geom_order);
    soft->geom_capacity = 0;
    soft->part = mem_try_alloc(mem_size((size_t)parts, sizeof *soft->part), "scene parts", err);
    soft->mirror = mem_try_alloc(mem_size((size_t)parts, sizeof *soft->mirror), "scene parts", err);
    soft->material =
        mem_try_alloc(mem_size((size_t)count, sizeof *soft->material), "materials", err);
    soft->local_light =
        mem_try_alloc(mem_size((size_t)parts * 2 * (size_t)lights, sizeof *soft->local_light),
                      "scene lights", err);
    soft->row_list = mem_try_alloc(mem_size((size_t)parts * 4, sizeof(int)), "scene rows", err);
    soft->transparent = mem_try_alloc(mem_size((size_t)parts, sizeof(int)), "scene order", err);
    soft->geom_order = mem_try_alloc(mem_size((size_t)count * 2, sizeof(int)), "scene order", err);
    if (!soft->part || !soft->mirror || !soft->material || !soft->local_light || !soft->row_list ||
        !soft->transparent || !soft->geom_order) {
        return RL_ENOMEM;
    }
    for (int i = 0; i < soft->pass_capacity - 1; i++) {
        struct soft_shadow *shadow = &soft->shadow[i];
        mem_free(shadow->caster), mem_free(shadow->box[0]);
        int padded = (count + SOFT_LANES) / SOFT_LANES * SOFT_LANES;
        shadow->caster =
            mem_try_alloc(mem_size((size_t)padded, sizeof *shadow->caster), "casters", err);
        shadow->box[0] = mem_try_alloc(mem_size((size_t)padded * 4, sizeof(float)), "casters", err);
        if (!shadow->caster || !shadow->box[0]) return RL_ENOMEM;
        for (int k = 1; k < 4; k++) shadow->box[k] = shadow->box[0] + k * padded;
    }
    soft->geom_capacity = count;
    return RL_OK;
}

static enum rl_status create(struct soft *soft, struct rl_error *err) {
    const mjModel *model = soft->model;
    soft->packets_x = (soft->size.width + 3) / 4;
    soft->packets_y = (soft->size.height + 1) / 2;
    soft->sky_texture = -1;
    soft->shadow_clip = (float)(model->stat.extent * (double)model->vis.map.shadowclip);
    soft->shadow_scale = model->vis.map.shadowscale;
    soft->texture = MEM_ARRAY(struct soft_texture, model->ntex);
    for (int i = 0; i < model->ntex; i++) {
        if (soft->sky_texture < 0 && model->tex_type[i] == mjTEXTURE_SKYBOX) soft->sky_texture = i;
        soft->texture_count++;
        if (soft_texture_load(&soft->texture[i], model, i, err) != RL_OK) return err->code;
    }
    int casters = 0;
    for (int i = 0; i < model->nlight; i++) casters += model->light_castshadow[i] != 0;
    soft->pass_capacity = 1 + (casters < SOFT_MAX_LIGHTS ? casters : SOFT_MAX_LIGHTS);
    if (soft_grid_create(soft, err) != RL_OK) return err->code;
    size_t pixels = (size_t)soft->packets_x * (size_t)soft->packets_y * SOFT_LANES;
    soft->sky_pixel = mem_try_alloc(pixels * sizeof(uint32_t), "sky", err);
    if (!soft->sky_pixel) return err->code;
    return reserve_geoms(soft, model->ngeom + model->nsite + 4 * model->ntendon + 64, err);
}

struct soft *soft_create(const mjModel *model, struct render_size size, struct rl_error *err) {
    struct rl_error ignored = {0};
    if (!err) err = &ignored;
    struct soft *soft = MEM_NEW(struct soft);
    soft->model = model;
    soft->size = size;
    if (create(soft, err) == RL_OK) return soft;
    soft_destroy(soft);
    return NULL;
}

void soft_destroy(struct soft *soft) {
    if (!soft) return;
    for (int i = 0; i < soft->texture_count; i++) soft_texture_release(&soft->texture[i]);
    for (int i = 0; soft->grid && i < soft->grid_count; i++) {
        struct soft_grid *grid = &soft->grid[i];
        mem_free(grid->stamp), mem_free(grid->color);
        mem_free(grid->position[0]), mem_free(grid->position[1]);
    }
    for (int i = 0; i < SOFT_MAX_LIGHTS; i++) {
        mem_free(soft->shadow[i].caster), mem_free(soft->shadow[i].box[0]);
    }
    mem_free(soft->texture), mem_free(soft->grid), mem_free(soft->sky_pixel);
    mem_free(soft->part), mem_free(soft->mirror), mem_free(soft->material);
    mem_free(soft->local_light), mem_free(soft->row_list), mem_free(soft->transparent);
    mem_free(soft->geom_order);
    mem_free(soft);
}

// --- a frame ---

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
            !finite_all(camera[i].up, 3) || !(camera[i].frustum_near > 0) ||
            !(camera[i].frustum_far > camera[i].frustum_near) ||
            !(camera[i].frustum_top > camera[i].frustum_bottom)) {
            return rl_fail(err, RL_EMODEL,
                           "the scene's camera is not finite or its frustum is empty");
        }
        if (camera[i].orthographic) {
            return rl_fail(err, RL_EMODEL,
                           "the software renderer has no orthographic cameras; use the "
                           "egl renderer");
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
    double near = (double)soft->znear, w = soft->size.width, h = soft->size.height;
    double bottom = 0.5 * ((double)c[0].frustum_bottom + (double)c[1].frustum_bottom);
    double top = 0.5 * ((double)c[0].frustum_top + (double)c[1].frustum_top);
    double center = 0.5 * ((double)c[0].frustum_center + (double)c[1].frustum_center);
    double half_width = 0.5 * ((double)c[0].frustum_width + (double)c[1].frustum_width);
    if (half_width <= 0) half_width = 0.5 * w / h * (top - bottom);
    view->width = soft->size.width, view->height = soft->size.height;
    view->tan0[0] = (center - half_width) / near, view->tan_pixel[0] = 2 * half_width / near / w;
    view->tan0[1] = bottom / near, view->tan_pixel[1] = (top - bottom) / near / h;
    for (int k = 0; k < 3; k++) {
        view->d0[k] = forward[k] + view->tan0[0] * right[k] + view->tan0[1] * up[k];
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
}

static void light_setup(struct soft *soft, const mjvScene *scene) {
    soft->light_count = 0;
    for (int i = 0; i < scene->nlight && soft->light_count < SOFT_MAX_LIGHTS; i++) {
        const mjvLight *from = &scene->lights[i];
        if (from->type != mjLIGHT_DIRECTIONAL && from->type != mjLIGHT_SPOT) continue;
        struct soft_light *light = &soft->light[soft->light_count++];
        *light = (struct soft_light){.directional = from->type == mjLIGHT_DIRECTIONAL,
                                     .shadow = from->castshadow != 0,
                                     .cutoff = from->cutoff,
                                     .exponent = from->exponent};
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
    }
}

static void material_setup(struct soft *soft, const mjvGeom *geom, struct soft_material *material) {
    *material = (struct soft_material){.emission = geom->emission,
                                       .specular = geom->specular,
                                       .shininess = fminf(geom->shininess * 128.0f, 128.0f),
                                       .reflectance = geom->reflectance,
                                       .texture = -1};
    memcpy(material->rgba, geom->rgba, sizeof material->rgba);
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
    bool infinite = geom->type == mjGEOM_PLANE && (geom->size[0] <= 0 || geom->size[1] <= 0);
    for (int k = 0; k < 2; k++) {
        float scale = repeat[k] > 0 ? repeat[k] : 1;
        if (uniform && geom->size[k] > 0) scale *= geom->size[k];
        float sign = k == 0 ? 0.5f : -0.5f, extent = 1;
        int plane = geom->dataid;
        if (geom->size[k] <= 0 && plane >= 0 && plane < soft->grid_count - 1) {
            extent = soft->grid[plane].size[k];
        }
        material->tex_scale[k] = sign * scale * extent;
        material->tex_shift[k] = (geom->size[k] > 0 ? 0.5f * scale : 0) - (infinite ? 0.5f : 0);
    }
    if (material->cube) {
        for (int k = 0; k < 3; k++) material->tex_scale[k] = uniform ? geom->size[k] : 1;
    }
}

static bool behind(const struct soft *soft, const mjvGeom *geom) {
    double along = 0;
    for (int k = 0; k < 3; k++) {
        along += (soft->view.eye[k] - (double)geom->pos[k]) * (double)geom->mat[3 * k + 2];
    }
    return along < 0;
}

static bool is_transparent(const struct soft *soft, const mjvGeom *geom) {
    return geom->rgba[3] < 0.995f || (geom->type == mjGEOM_PLANE && behind(soft, geom));
}

static void local_lights(struct soft *soft, struct soft_part *part, struct soft_local_light *out) {
    for (int i = 0; i < soft->light_count; i++) {
        const struct soft_light *light = &soft->light[i];
        for (int k = 0; k < 3; k++) {
            const float *axis = &part->axis[3 * k];
            float pos = 0, dir = 0;
            for (int j = 0; j < 3; j++) {
                dir += axis[j] * light->dir[j];
                pos += axis[j] * (light->pos[j] - part->center[j]);
            }
            out[i].pos[k] = light->directional ? -dir : pos;
            out[i].dir[k] = dir;
        }
    }
    part->light = out;
}

struct part_list {
    struct soft *soft;
    const struct soft_view *view;
    struct soft_part *part;
    struct soft_local_light *light;
    int count, capacity;
};

static void add_part(struct part_list *list, enum soft_kind kind, double half, int geom, int grid,
                     const double center[3], double axis[3][3]) {
    if (list->count == list->capacity) return;
    struct soft_part *part = &list->part[list->count];
    part->kind = (uint8_t)kind;
    part->half = (float)half;
    part->geom = geom;
    part->material = geom;
    part->grid = grid;
    if (!soft_part_setup(part, list->view, center, axis)) return;
    local_lights(list->soft, part, list->light + (size_t)list->count * SOFT_MAX_LIGHTS);
    list->count++;
}

// A face with its outward normal along axis k, sign: right-handed half axes of the face's own
// frame.
static void add_face(struct part_list *list, enum soft_kind kind, int geom, const double center[3],
                     double axis[3][3], int k, double sign, double distance) {
    double face_center[3], face[3][3];
    int u = (k + 1) % 3, v = (k + 2) % 3;
    for (int i = 0; i < 3; i++) {
        face_center[i] = center[i] + sign * distance * axis[k][i];
        face[0][i] = axis[u][i];
        face[1][i] = sign * axis[v][i];
        face[2][i] = sign * axis[k][i];
    }
    add_part(list, kind, 0, geom, -1, face_center, face);
}

static void add_geom(struct part_list *list, const mjvScene *scene, int index) {
    const mjvGeom *geom = &scene->geoms[index];
    struct soft_caster shape;
    double center[3], axis[3][3];
    if (!soft_caster_shape(list->soft, geom, &shape, center, axis)) return;
    double half = (double)shape.half;
    switch ((enum soft_kind)shape.kind) {
    case SOFT_RECT: {
        int plane = geom->dataid, grids = list->soft->grid_count;
        bool from_back = behind(list->soft, geom);
        if (from_back) { // a plane shows its back too
            for (int i = 0; i < 3; i++) axis[1][i] = -axis[1][i], axis[2][i] = -axis[2][i];
        }
        add_part(list, SOFT_RECT, 0, index,
                 from_back                         ? -1
                 : plane >= 0 && plane < grids - 1 ? plane
                                                   : grids - 1,
                 center, axis);
        break;
    }
    case SOFT_BOX:
        for (int k = 0; k < 6; k++) {
            add_face(list, SOFT_RECT, index, center, axis, k / 2, k & 1 ? 1 : -1, 1);
        }
        break;
    case SOFT_TUBE:
        add_part(list, SOFT_TUBE, half, index, -1, center, axis);
        for (int sign = -1; sign <= 1; sign += 2) {
            add_face(list, SOFT_DISC, index, center, axis, 2, sign, half);
        }
        break;
    default: add_part(list, (enum soft_kind)shape.kind, half, index, -1, center, axis); break;
    }
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

static void mirror_parts(struct soft *soft, const mjvScene *scene, struct part_list *list) {
    soft->mirror_count = 0;
    if (soft->reflective < 0 || !scene->flags[mjRND_REFLECTION]) return;
    const mjvGeom *geom = &scene->geoms[soft->reflective];
    double point[3], normal[3];
    for (int k = 0; k < 3; k++) {
        normal[k] = (double)geom->mat[3 * k + 2];
        point[k] = (double)geom->pos[k];
        if (geom->type == mjGEOM_BOX) point[k] += (double)geom->size[2] * normal[k];
    }
    double along = 0;
    for (int k = 0; k < 3; k++) along += (soft->view.eye[k] - point[k]) * normal[k];
    if (along < 0) return;
    mirror_setup(soft, point, normal);
    for (int k = 0; k < 3; k++) {
        soft->mirror_point[k] = (float)point[k];
        soft->mirror_normal[k] = (float)normal[k];
    }
    for (int i = 0; i < scene->ngeom; i++) {
        if (i == soft->reflective || is_transparent(soft, &scene->geoms[i])) continue;
        add_geom(list, scene, i);
    }
    soft->mirror_count = list->count;
}

enum rl_status soft_scene_setup(struct soft *soft, const mjvScene *scene, struct rl_error *err) {
    if (check_scene(scene, err) != RL_OK) return err->code;
    if (reserve_geoms(soft, scene->ngeom, err) != RL_OK) return err->code;
    soft->frame++;
    view_setup(soft, scene);
    light_setup(soft, scene);
    soft_cast_setup(soft, scene);
    split_lights(soft);
    find_reflective(soft, scene);
    for (int i = 0; i < scene->ngeom; i++) {
        material_setup(soft, &scene->geoms[i], &soft->material[i]);
    }
    struct part_list list = {
        soft, &soft->view, soft->part, soft->local_light, 0, 4 * soft->geom_capacity};
    if (soft->reflective >= 0) add_geom(&list, scene, soft->reflective);
    for (int i = 0; i < scene->ngeom; i++) {
        if (i != soft->reflective && !is_transparent(soft, &scene->geoms[i]))
            add_geom(&list, scene, i);
    }
    soft->part_count = list.count;
    struct part_list mirror = {soft,
                               &soft->mirror_view,
                               soft->mirror,
                               soft->local_light + (size_t)list.capacity * SOFT_MAX_LIGHTS,
                               0,
                               list.capacity};
    mirror_parts(soft, scene, &mirror);
    soft->sky = scene->flags[mjRND_SKYBOX] && soft->sky_texture >= 0;
    soft_sky_setup(soft);
    return RL_OK;
}
