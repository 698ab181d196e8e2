#include "cli/render_sheet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/png_file.h"
#include "envs/env.h"
#include "render/compare.h"
#include "render/render.h"

enum { COLUMNS = 6, GAP = 4, STEPS = 20, MAX_ACTIONS = 64 };

struct sheet {
    int size, width, height;         // of a picture; of the sheet
    uint8_t *pixels, *ours, *theirs; // the sheet; each task's pictures, one after the other
    uint64_t seed;
    int tasks;
    double start_s, told_s;
};

static size_t picture_bytes(const struct sheet *sheet) {
    return (size_t)sheet->size * (size_t)sheet->size * 3;
}

static void put(struct sheet *sheet, int left, int top, int x, int y, const uint8_t *from, int gain,
                const uint8_t *minus) {
    uint8_t *out =
        sheet->pixels + ((size_t)(top + y) * (size_t)sheet->width + (size_t)(left + x)) * 3;
    for (int k = 0; k < 3; k++) {
        int value = minus ? abs(from[k] - minus[k]) * gain : from[k];
        out[k] = (uint8_t)(value > 255 ? 255 : value);
    }
}

// Both pictures and their difference into the cell of a task.
static void paste(struct sheet *sheet, int cell, const uint8_t *ours, const uint8_t *theirs) {
    int pitch = 2 * sheet->size + GAP;
    int left = cell % COLUMNS * pitch, top = cell / COLUMNS * pitch, size = sheet->size;
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            const uint8_t *a = ours + ((size_t)y * (size_t)size + (size_t)x) * 3;
            const uint8_t *b = theirs + ((size_t)y * (size_t)size + (size_t)x) * 3;
            put(sheet, left, top, x, y, a, 1, NULL);
            put(sheet, left, top + size, x, y, b, 1, NULL);
            put(sheet, left + size, top, x, y, a, 8, b);
            put(sheet, left + size, top + size, x, y, a, 1, b);
        }
    }
}

static enum rl_status play(struct env *env, uint64_t seed, struct rl_error *err) {
    struct time_step step;
    struct rng rng = rng_seed(seed);
    double action[MAX_ACTIONS];
    if (env_reset(env, &step, err) != RL_OK) return err->code;
    for (int i = 0; i < STEPS && !step.last; i++) {
        for (int k = 0; k < env_spec(env)->action_dim; k++) action[k] = rng_range(&rng, -1, 1);
        if (env_step(env, action, &step, err) != RL_OK) return err->code;
    }
    return RL_OK;
}

static enum rl_status draw(struct env *env, enum render_backend backend, int size, uint8_t *rgb,
                           struct rl_error *err) {
    struct renderer *renderer =
        renderer_create(backend, env_model(env), (struct render_size){size, size}, err);
    if (!renderer) return err->code;
    struct render_target target = {.rgb = rgb};
    enum rl_status status =
        renderer_draw_camera(renderer, env_data(env), env_camera(env), &target, err);
    renderer_destroy(renderer);
    return status;
}

static enum rl_status add_task(struct sheet *sheet, int task, struct rl_error *err) {
    struct env_options options;
    opt_set_defaults(&env_opts, &options);
    options.pixels = false;
    options.action_repeat = 1;
    struct env *env = env_create(env_task_name(task), &options, sheet->seed, err);
    if (!env) return err->code;
    enum rl_status status = play(env, sheet->seed, err);
    size_t bytes = picture_bytes(sheet);
    uint8_t *ours = sheet->ours + bytes * (size_t)task;
    uint8_t *theirs = sheet->theirs + bytes * (size_t)task;
    if (status == RL_OK) status = draw(env, RENDER_BACKEND_SOFT, sheet->size, ours, err);
    const uint8_t *known = NULL; // MuJoCo's picture of an earlier task that looks the same
    for (int i = 0; status == RL_OK && i < task && !known; i++) {
        size_t at = bytes * (size_t)i;
        if (!memcmp(sheet->ours + at, ours, bytes)) known = sheet->theirs + at;
    }
    if (known)
        memcpy(theirs, known, bytes);
    else if (status == RL_OK)
        status = draw(env, RENDER_BACKEND_EGL, sheet->size, theirs, err);
    env_destroy(env);
    if (status != RL_OK) return rl_fail_context(err, "%s", env_task_name(task));
    paste(sheet, task, ours, theirs);
    printf("%-28s mean error %.3f  ssim %.4f\n", env_task_name(task),
           compare_abs(ours, theirs, bytes),
           compare_ssim(ours, theirs, sheet->size, sheet->size, 3));
    return RL_OK;
}

// On stderr every few seconds: Mesa takes about a second a task.
static void tell_progress(struct sheet *sheet, int done) {
    double now_s = clock_now_s(), spent_s = now_s - sheet->start_s;
    if (done == sheet->tasks || now_s - sheet->told_s < 5) return;
    sheet->told_s = now_s;
    fprintf(stderr, "render: %d of %d tasks in %.0f s, about %.0f s left\n", done, sheet->tasks,
            spent_s, spent_s / done * (sheet->tasks - done));
}

enum rl_status render_sheet(const char *path, int size, uint64_t seed, struct rl_error *err) {
    int tasks = env_task_count(), rows = (tasks + COLUMNS - 1) / COLUMNS;
    struct sheet sheet = {.size = size,
                          .width = COLUMNS * (2 * size + GAP) - GAP,
                          .height = rows * (2 * size + GAP) - GAP,
                          .seed = seed,
                          .tasks = tasks,
                          .start_s = clock_now_s()};
    size_t bytes = picture_bytes(&sheet) * (size_t)tasks;
    sheet.told_s = sheet.start_s;
    sheet.pixels = MEM_ARRAY(uint8_t, (size_t)sheet.width * (size_t)sheet.height * 3);
    sheet.ours = MEM_ARRAY(uint8_t, bytes);
    sheet.theirs = MEM_ARRAY(uint8_t, bytes);
    enum rl_status status = RL_OK;
    for (int i = 0; i < tasks && status == RL_OK; i++) {
        status = add_task(&sheet, i, err);
        tell_progress(&sheet, i + 1);
    }
    if (status == RL_OK) {
        status = png_write(path, sheet.pixels, sheet.width, sheet.height, 3, err);
    }
    mem_free(sheet.pixels);
    mem_free(sheet.ours);
    mem_free(sheet.theirs);
    return status;
}
