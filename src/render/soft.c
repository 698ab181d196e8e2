#include "render/soft.h"

#include "base/mem.h"
#include "math/simd.h"
#include "render/soft_setup.h"

// Room for a scene of count geoms; grows only when a scene is larger than any before.
static enum rl_status reserve_geoms(struct soft *soft, int count, struct rl_error *err) {
    if (count <= soft->geom_capacity) return RL_OK;
    count += count / 2 + 64;
    int parts = 4 * count, lights = SOFT_MAX_LIGHTS;
    mem_free(soft->part), mem_free(soft->mirror), mem_free(soft->material);
    mem_free(soft->local_light), mem_free(soft->row_list), mem_free(soft->transparent);
    mem_free(soft->sort_key);
    soft->geom_capacity = 0;
    soft->part = mem_try_alloc(mem_size((size_t)parts, sizeof *soft->part), "scene parts", err);
    soft->mirror = mem_try_alloc(mem_size((size_t)parts, sizeof *soft->mirror), "scene parts", err);
    soft->material =
        mem_try_alloc(mem_size((size_t)count, sizeof *soft->material), "materials", err);
    soft->local_light =
        mem_try_alloc(mem_size((size_t)parts * 2 * (size_t)lights, sizeof *soft->local_light),
                      "scene lights", err);
    soft->row_list = mem_try_alloc(mem_size((size_t)parts * 4, sizeof(int)), "scene rows", err);
    soft->transparent = mem_try_alloc(mem_size((size_t)count, sizeof(int)), "scene order", err);
    soft->sort_key = mem_try_alloc(mem_size((size_t)count, sizeof(float)), "scene order", err);
    if (!soft->part || !soft->mirror || !soft->material || !soft->local_light || !soft->row_list ||
        !soft->transparent || !soft->sort_key) {
        return RL_ENOMEM;
    }
    for (int i = 0; i < soft->pass_capacity - 1; i++) {
        struct soft_shadow *shadow = &soft->shadow[i];
        mem_free(shadow->caster), mem_free(shadow->box[0]), mem_free(shadow->floor_rect);
        int padded = (count + SOFT_LANES) / SOFT_LANES * SOFT_LANES;
        shadow->caster =
            mem_try_alloc(mem_size((size_t)padded, sizeof *shadow->caster), "casters", err);
        shadow->box[0] = mem_try_alloc(mem_size((size_t)padded * 4, sizeof(float)), "casters", err);
        shadow->floor_rect =
            mem_try_alloc(mem_size((size_t)padded * 4, sizeof(int16_t)), "casters", err);
        if (!shadow->caster || !shadow->box[0] || !shadow->floor_rect) return RL_ENOMEM;
        for (int k = 1; k < 4; k++) shadow->box[k] = shadow->box[0] + k * padded;
    }
    soft->geom_capacity = count;
    return RL_OK;
}

static enum rl_status reserve_triangles(struct soft *soft, const mjvScene *scene,
                                        struct rl_error *err) {
    int count = 0;
    for (int i = 0; i < scene->ngeom; i++) {
        const struct soft_mesh *mesh = soft_geom_mesh(soft, &scene->geoms[i]);
        if (mesh) count += mesh->capacity;
        if (count > 1 << 24)
            return rl_fail(err, RL_EMODEL, "the scene has over 16 million triangles");
    }
    if (soft_triangles_reserve(&soft->front_triangles, soft, count, err) != RL_OK) return err->code;
    return soft_triangles_reserve(&soft->mirror_triangles, soft, count, err);
}

// Room for every mesh of the model once, so that frames allocate nothing.
static enum rl_status reserve_model_triangles(struct soft *soft, struct rl_error *err) {
    const mjModel *model = soft->model;
    int64_t count = 0;
    for (int i = 0; i < model->ngeom; i++) {
        int id = model->geom_dataid[i];
        if (id < 0) continue;
        if (model->geom_type[i] == mjGEOM_HFIELD)
            count += soft->hfield[id].count;
        else if (model->geom_type[i] == mjGEOM_MESH)
            count += soft->mesh[2 * id].count;
    }
    for (int i = 0; i < model->nskin; i++) count += soft->skin[i].count;
    if (count > 1 << 24) return rl_fail(err, RL_EMODEL, "the model has over 16 million triangles");
    if (soft_triangles_reserve(&soft->front_triangles, soft, (int)count, err) != RL_OK) {
        return err->code;
    }
    return soft_triangles_reserve(&soft->mirror_triangles, soft, (int)count, err);
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
    if (soft_mesh_create(soft, err) != RL_OK) return err->code;
    if (reserve_model_triangles(soft, err) != RL_OK) return err->code;
    size_t pixels = (size_t)soft->packets_x * (size_t)soft->packets_y * SOFT_LANES;
    soft->sky_pixel = mem_try_alloc(pixels * sizeof(uint32_t), "sky", err);
    if (!soft->sky_pixel) return err->code;
    soft->row_mask = MEM_ARRAY(uint64_t, 2 * soft->packets_x);
    for (int i = 0; i < soft->pass_capacity - 1; i++) {
        soft->shadow[i].floor_mask = MEM_ARRAY(uint64_t, soft->packets_x);
    }
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
    soft_mesh_destroy(soft);
    soft_triangles_release(&soft->front_triangles);
    soft_triangles_release(&soft->mirror_triangles);
    for (int i = 0; i < SOFT_MAX_LIGHTS; i++) {
        mem_free(soft->shadow[i].caster), mem_free(soft->shadow[i].box[0]);
        mem_free(soft->shadow[i].floor_rect), mem_free(soft->shadow[i].floor_mask);
    }
    mem_free(soft->texture), mem_free(soft->grid), mem_free(soft->sky_pixel);
    mem_free(soft->row_mask);
    mem_free(soft->part), mem_free(soft->mirror), mem_free(soft->material);
    mem_free(soft->local_light), mem_free(soft->row_list), mem_free(soft->transparent);
    mem_free(soft->sort_key);
    mem_free(soft);
}

enum rl_status soft_draw(struct soft *soft, const mjvScene *scene,
                         const struct render_target *target, struct rl_error *err) {
    struct rl_error ignored;
    if (!err) err = &ignored;
    int count = scene->ngeom;
    for (int i = 0; i < scene->ngeom && count < 1 << 20; i++) {
        count += soft_flex_count(soft, scene, &scene->geoms[i]);
    }
    if (reserve_geoms(soft, count, err) != RL_OK) return err->code;
    if (soft_flex_reserve(soft, scene, err) != RL_OK) return err->code;
    if (reserve_triangles(soft, scene, err) != RL_OK) return err->code;
    if (soft_scene_setup(soft, scene, err) != RL_OK) return err->code;
    bool flat = soft->view.orthographic;
    switch (simd_level()) {
    case SIMD_LEVEL_AVX512:
        (flat ? soft_orthographic_avx512 : soft_kernel_avx512)(soft, target);
        break;
    case SIMD_LEVEL_AVX2: (flat ? soft_orthographic_avx2 : soft_kernel_avx2)(soft, target); break;
    default: (flat ? soft_orthographic_portable : soft_kernel_portable)(soft, target); break;
    }
    return RL_OK;
}
