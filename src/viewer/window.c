#include "viewer/window.h"

#if RLRUN_HAVE_GLFW

#include <GLFW/glfw3.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/png_file.h"
#include "envs/mj.h"
#include "viewer/canvas.h"
#include "viewer/display_guard.h"
#include "viewer/stage.h"

#define PICTURE_S (1.0 / 60) // least time between pictures
#define STEPS_S   (1.0 / 30) // most time for steps before the next picture
#define REFRESH_S 1.0
#define NOTE_S    3.0 // how long a message stays

struct window {
    const struct window_source *source;
    const struct window_options *options;
    GLFWwindow *glfw;
    mjrContext context;
    struct stage stage;
    struct controls controls;
    double last_s, refreshed_s, note_until_s;
    double pictures_per_s; // smoothed
    char note[4200], title[256];
    uint8_t *inset; // scaled, rows from the bottom
    int inset_bytes;
};

static char glfw_message[256]; // GLFW's callback has no context

static void keep_message(int code, const char *text) {
    (void)code;
    snprintf(glfw_message, sizeof(glfw_message), "%s", text);
}

// --- events ---

static const struct {
    int glfw;
    enum control_key key;
} keys[] = {
    {GLFW_KEY_SPACE, CONTROL_KEY_SPACE},
    {GLFW_KEY_RIGHT, CONTROL_KEY_RIGHT},
    {GLFW_KEY_BACKSPACE, CONTROL_KEY_BACKSPACE},
    {GLFW_KEY_MINUS, CONTROL_KEY_MINUS},
    {GLFW_KEY_KP_SUBTRACT, CONTROL_KEY_MINUS},
    {GLFW_KEY_EQUAL, CONTROL_KEY_EQUAL},
    {GLFW_KEY_KP_ADD, CONTROL_KEY_EQUAL},
    {GLFW_KEY_0, CONTROL_KEY_0},
    {GLFW_KEY_LEFT_BRACKET, CONTROL_KEY_LEFT_BRACKET},
    {GLFW_KEY_RIGHT_BRACKET, CONTROL_KEY_RIGHT_BRACKET},
    {GLFW_KEY_ESCAPE, CONTROL_KEY_ESCAPE},
    {GLFW_KEY_F1, CONTROL_KEY_F1},
    {GLFW_KEY_TAB, CONTROL_KEY_TAB},
    {GLFW_KEY_A, CONTROL_KEY_A},
    {GLFW_KEY_I, CONTROL_KEY_I},
    {GLFW_KEY_C, CONTROL_KEY_C},
    {GLFW_KEY_F, CONTROL_KEY_F},
    {GLFW_KEY_J, CONTROL_KEY_J},
    {GLFW_KEY_T, CONTROL_KEY_T},
    {GLFW_KEY_P, CONTROL_KEY_P},
    {GLFW_KEY_Q, CONTROL_KEY_Q},
};

// The parts of an event that all kinds share.
static struct control_event event_now(GLFWwindow *glfw, enum control_event_type type) {
    double x, y;
    int width, height;
    glfwGetCursorPos(glfw, &x, &y);
    glfwGetWindowSize(glfw, &width, &height);
    double unit = height > 0 ? height : 1;
    bool shift = glfwGetKey(glfw, GLFW_KEY_LEFT_SHIFT) == GLFW_PRESS ||
                 glfwGetKey(glfw, GLFW_KEY_RIGHT_SHIFT) == GLFW_PRESS;
    bool control = glfwGetKey(glfw, GLFW_KEY_LEFT_CONTROL) == GLFW_PRESS ||
                   glfwGetKey(glfw, GLFW_KEY_RIGHT_CONTROL) == GLFW_PRESS;
    return (struct control_event){.type = type,
                                  .shift = shift,
                                  .control = control,
                                  .x = x / unit,
                                  .y = y / unit,
                                  .time_s = clock_now_s()};
}

static void hand_over(GLFWwindow *glfw, const struct control_event *event) {
    struct window *window = glfwGetWindowUserPointer(glfw);
    stage_handle(&window->stage, &window->controls, event);
}

static void on_key(GLFWwindow *glfw, int key, int scancode, int action, int mods) {
    (void)scancode;
    (void)mods;
    struct control_event event = event_now(glfw, CONTROL_EVENT_KEY);
    bool repeats = key == GLFW_KEY_RIGHT; // holding it runs on; other keys act once
    if (action == GLFW_RELEASE || (action == GLFW_REPEAT && !repeats)) return;
    event.pressed = true;
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        if (keys[i].glfw == key) event.key = keys[i].key;
    }
    hand_over(glfw, &event);
}

static void on_button(GLFWwindow *glfw, int button, int action, int mods) {
    if (button > GLFW_MOUSE_BUTTON_MIDDLE) return;
    struct control_event event = event_now(glfw, CONTROL_EVENT_BUTTON);
    event.button = button == GLFW_MOUSE_BUTTON_LEFT    ? CONTROL_BUTTON_LEFT
                   : button == GLFW_MOUSE_BUTTON_RIGHT ? CONTROL_BUTTON_RIGHT
                                                       : CONTROL_BUTTON_MIDDLE;
    event.pressed = action == GLFW_PRESS;
    event.shift = mods & GLFW_MOD_SHIFT; // as the event has it, whoever has the keyboard
    event.control = mods & GLFW_MOD_CONTROL;
    hand_over(glfw, &event);
}

static void on_move(GLFWwindow *glfw, double x, double y) {
    (void)x;
    (void)y;
    struct control_event event = event_now(glfw, CONTROL_EVENT_MOVE);
    hand_over(glfw, &event);
}

static void on_scroll(GLFWwindow *glfw, double x, double y) {
    (void)x;
    struct control_event event = event_now(glfw, CONTROL_EVENT_SCROLL);
    event.y = y;
    hand_over(glfw, &event);
}

// --- drawing ---

static void say(struct window *window, const char *text) {
    snprintf(window->note, sizeof(window->note), "%s", text);
    window->note_until_s = clock_now_s() + NOTE_S;
}

static void draw_figures(struct window *window, const struct window_figures *figures,
                         mjrRect area) {
    char values[512];
    bool valued = !isnan(figures->value);
    int length = snprintf(values, sizeof(values), "%s\n%lld\n%lld\n%.1f\n%s%.3gx\n%.0f",
                          figures->policy, (long long)figures->episode, (long long)figures->frame,
                          figures->episode_return, window->controls.paused ? "paused, " : "",
                          window->controls.speed, window->pictures_per_s);
    if (valued)
        snprintf(values + length, sizeof(values) - (size_t)length, "\n%.2f", figures->value);
    mjr_overlay(mjFONT_NORMAL, mjGRID_TOPLEFT, area,
                valued ? "Policy\nEpisode\nFrame\nReturn\nSpeed\nPictures/s\nQ"
                       : "Policy\nEpisode\nFrame\nReturn\nSpeed\nPictures/s",
                values, &window->context);
}

// The policy's name and step stand in the title, so that a new checkpoint is seen there too.
static void set_title(struct window *window, const struct window_figures *figures) {
    char title[sizeof(window->title)];
    snprintf(title, sizeof(title), "rlrun: %s, %s", window->source->name, figures->policy);
    if (!strcmp(title, window->title)) return;
    strcpy(window->title, title);
    glfwSetWindowTitle(window->glfw, title);
}

// One column an action: up from the middle is positive.
static void draw_bars(const struct window_figures *figures, mjrRect area) {
    int half = area.height / 12, step = area.height / 40 + 2;
    mjrRect back = {10, 10, figures->action_dim * step + 8, 2 * half + 8};
    mjr_rectangle(back, 0.06f, 0.08f, 0.1f, 0.6f);
    int middle = back.bottom + half + 4;
    for (int i = 0; i < figures->action_dim; i++) {
        double value = fmin(fmax(figures->action[i], -1), 1);
        int length = (int)lround(fabs(value) * half);
        mjrRect bar = {back.left + 4 + i * step, value < 0 ? middle - length : middle, step - 2,
                       length};
        mjr_rectangle(bar, 0.31f, 0.76f, 0.97f, 1);
    }
    mjr_rectangle((mjrRect){back.left, middle, back.width, 1}, 1, 1, 1, 0.8f);
}

static void draw_seen(struct window *window, const struct window_figures *figures, mjrRect area) {
    int wide = figures->seen_width, high = figures->seen_height;
    double scale = fmin(area.height / 4.0 / high, area.width / 2.0 / wide);
    int width = (int)(scale * wide), height = (int)(scale * high);
    if (width < 1 || height < 1) return;
    if (window->inset_bytes < 3 * width * height) {
        mem_free(window->inset);
        window->inset_bytes = 3 * width * height;
        window->inset = mem_alloc((size_t)window->inset_bytes);
    }
    struct canvas canvas = {width, height, window->inset};
    canvas_picture(&canvas, (struct canvas_rect){0, 0, width, height}, figures->seen, wide, high);
    canvas_flip(&canvas);
    mjrRect place = {area.width - width - 12, 12, width, height};
    mjr_rectangle((mjrRect){place.left - 2, place.bottom - 2, width + 4, height + 4}, 1, 1, 1, 1);
    mjr_drawPixels(window->inset, NULL, place, &window->context);
}

static void draw(struct window *window, mjrRect area) {
    const struct controls *controls = &window->controls;
    stage_update(&window->stage, controls);
    mjr_render(area, &window->stage.scene, &window->context);
    struct window_figures figures = {0};
    window->source->figures(window->source->context, &figures);
    set_title(window, &figures);
    if (controls->figures) draw_figures(window, &figures, area);
    if (controls->bars && figures.action_dim > 0) draw_bars(&figures, area);
    if (controls->inset && figures.seen) draw_seen(window, &figures, area);
    if (controls->help) {
        mjr_overlay(mjFONT_NORMAL, mjGRID_TOPRIGHT, area, controls_help_keys, controls_help_text,
                    &window->context);
    }
    if (clock_now_s() < window->note_until_s) {
        mjr_overlay(mjFONT_NORMAL, mjGRID_BOTTOM, area, window->note, NULL, &window->context);
    }
}

// The first name that is free: rlrun-view-001.png and on.
static bool free_name(const struct window *window, char *path, size_t size) {
    for (int number = 1; number < 1000; number++) {
        char name[32];
        snprintf(name, sizeof(name), "rlrun-view-%03d.png", number);
        file_join(path, size, window->options->screenshots, name);
        if (!file_exists(path)) return true;
    }
    return false;
}

// A failure is told in the window and the log: the show goes on.
static void take_screenshot(struct window *window, mjrRect area) {
    char path[4096];
    window->controls.want_screenshot = false;
    if (!free_name(window, path, sizeof(path))) return;
    uint8_t *rgb = mem_alloc((size_t)area.width * (size_t)area.height * 3);
    struct canvas canvas = {area.width, area.height, rgb};
    struct rl_error err = {0};
    mjr_readPixels(rgb, NULL, area, &window->context);
    canvas_flip(&canvas);
    if (png_write(path, rgb, area.width, area.height, 3, &err) == RL_OK) {
        snprintf(window->note, sizeof(window->note), "saved %s", path);
        log_info("%s", window->note);
        window->note_until_s = clock_now_s() + NOTE_S;
    } else {
        log_warning("%s", err.message);
        say(window, err.message);
    }
    mem_free(rgb);
}

// --- running ---

static enum rl_status one_step(struct window *window, struct rl_error *err) {
    stage_apply_force(&window->stage, &window->controls);
    return window->source->step(window->source->context, err);
}

static enum rl_status advance(struct window *window, double now_s, struct rl_error *err) {
    struct controls *controls = &window->controls;
    const struct window_source *source = window->source;
    enum rl_status status = RL_OK;
    if (controls->want_reset) {
        controls->want_reset = false;
        status = source->reset(source->context, err);
    }
    int due = controls_due_steps(controls, now_s - window->last_s, source->step_s);
    window->last_s = now_s;
    for (int i = 0; i < due && status == RL_OK; i++) {
        status = one_step(window, err);
        if (clock_now_s() - now_s > STEPS_S) { // cannot keep up: slower than asked for
            controls->due_s = 0;
            break;
        }
    }
    if (controls->want_step && status == RL_OK) status = one_step(window, err);
    controls->want_step = false;
    if (controls->paused) stage_apply_pose(&window->stage, controls);
    return status;
}

static void refresh(struct window *window, double now_s) {
    if (!window->source->refresh || now_s - window->refreshed_s < REFRESH_S) return;
    struct rl_error err = {0};
    window->refreshed_s = now_s;
    // A run that is just being written may fail to load: the policy at hand goes on.
    if (window->source->refresh(window->source->context, &err) != RL_OK) say(window, err.message);
}

static void wait_for_next(double started_s) {
    double left_s = PICTURE_S - (clock_now_s() - started_s);
    if (left_s <= 0) return;
    struct timespec pause = {.tv_nsec = (long)(left_s * 1e9)};
    nanosleep(&pause, NULL);
}

static enum rl_status show(struct window *window, struct rl_error *err) {
    double begin_s = clock_now_s();
    window->last_s = window->refreshed_s = begin_s;
    while (!glfwWindowShouldClose(window->glfw) && !window->controls.want_quit) {
        double now_s = clock_now_s();
        if (window->options->seconds > 0 && now_s - begin_s >= window->options->seconds) break;
        if (window->options->stop && *window->options->stop) break;
        glfwPollEvents();
        if (display_guard_failed()) {
            return rl_fail(err, RL_EUNAVAILABLE, "another program has destroyed the window");
        }
        mjrRect area = {0};
        glfwGetFramebufferSize(window->glfw, &area.width, &area.height);
        if (area.height > 0) {
            stage_pick(&window->stage, &window->controls, (double)area.width / area.height);
        }
        enum rl_status status = advance(window, now_s, err);
        if (status != RL_OK) return status;
        refresh(window, now_s);
        if (area.width > 0 && area.height > 0) { // not minimised
            draw(window, area);
            if (window->controls.want_screenshot) take_screenshot(window, area);
            glfwSwapBuffers(window->glfw);
        }
        wait_for_next(now_s);
        double took_s = clock_now_s() - now_s;
        window->pictures_per_s += 0.05 * (1 / took_s - window->pictures_per_s);
    }
    return RL_OK;
}

static void make_context(void *context) {
    struct window *window = context;
    mjr_makeContext(window->source->model, &window->context, mjFONTSCALE_100);
}

static enum rl_status open_window(struct window *window, struct rl_error *err) {
    snprintf(window->title, sizeof(window->title), "rlrun: %s", window->source->name);
    for (int samples = 4; samples >= 0 && !window->glfw; samples -= 4) {
        glfwWindowHint(GLFW_SAMPLES, samples);
        window->glfw = glfwCreateWindow(window->options->width, window->options->height,
                                        window->title, NULL, NULL);
    }
    if (!window->glfw) {
        return rl_fail(err, RL_EUNAVAILABLE,
                       "cannot open a window with OpenGL: %s; rlrun record makes a video without",
                       glfw_message);
    }
    glfwSetWindowUserPointer(window->glfw, window);
    glfwMakeContextCurrent(window->glfw);
    glfwSwapInterval(1);
    glfwSetKeyCallback(window->glfw, on_key);
    glfwSetMouseButtonCallback(window->glfw, on_button);
    glfwSetCursorPosCallback(window->glfw, on_move);
    glfwSetScrollCallback(window->glfw, on_scroll);
    mjr_defaultContext(&window->context);
    return mj_guard(make_context, window, err);
}

// Under guard: a display that is lost comes back here, and nothing of X or OpenGL can be freed
// then.
static enum rl_status run_guarded(struct window *window, struct rl_error *err) {
    if (setjmp(display_guard_lost)) {
        return rl_fail(err, RL_EUNAVAILABLE, "the display was lost; the run is as it was");
    }
    display_guard_begin();
    enum rl_status status = open_window(window, err);
    if (status == RL_OK) {
        display_guard_begin(); // again: opening a window takes Xlib's own handlers back
        say(window, "F1: help");
        status = show(window, err);
        mjr_freeContext(&window->context);
    }
    if (window->glfw) glfwDestroyWindow(window->glfw);
    glfwTerminate();
    display_guard_end();
    return status;
}

enum rl_status window_run(const struct window_source *source, const struct window_options *options,
                          struct rl_error *err) {
    glfwSetErrorCallback(keep_message);
    if (!glfwInit()) {
        return rl_fail(err, RL_EUNAVAILABLE,
                       "cannot open a window: %s; rlrun record makes a video without a display",
                       glfw_message[0] ? glfw_message : "no display");
    }
    struct window *window = MEM_NEW(struct window);
    window->source = source;
    window->options = options;
    stage_init(&window->stage, source->model, source->data);
    controls_init(&window->controls, source->camera, (int)source->model->ncam);
    window->controls.paused = options->paused;
    enum rl_status status = run_guarded(window, err);
    stage_release(&window->stage);
    mem_free(window->inset);
    mem_free(window);
    return status;
}

#else

enum rl_status window_run(const struct window_source *source, const struct window_options *options,
                          struct rl_error *err) {
    (void)source;
    (void)options;
    return rl_fail(err, RL_EUNAVAILABLE,
                   "rlrun was built without GLFW (libglfw3-dev), so it has no window; rlrun record "
                   "makes a video");
}

#endif
