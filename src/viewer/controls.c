#include "viewer/controls.h"

#include <math.h>

#define DOUBLE_CLICK_S 0.3

// One list for both columns, so that they cannot drift apart.
#define HELP(X)                                                                                    \
    X("Space", "pause, go on")                                                                     \
    X("Right", "one step (paused)")                                                                \
    X("Backspace", "new episode")                                                                  \
    X("- = 0", "slower, faster, real time")                                                        \
    X("[ ]", "camera of the model")                                                                \
    X("Esc", "free camera")                                                                        \
    X("Drag left", "turn the camera (Shift: level)")                                               \
    X("Drag right", "move the camera (Shift: level)")                                              \
    X("Scroll", "zoom")                                                                            \
    X("Double click", "select a body (Ctrl drag: turn, pull)")                                     \
    X("Double right", "look there (Ctrl: follow the body)")                                        \
    X("Tab A I", "figures, actions, encoder's view")                                               \
    X("C F J T", "contacts, forces, joints, see-through")                                          \
    X("P", "screenshot")                                                                           \
    X("Q", "quit")

#define KEY_LINE(key, text)  key "\n"
#define TEXT_LINE(key, text) text "\n"
const char controls_help_keys[] = HELP(KEY_LINE) "F1";
const char controls_help_text[] = HELP(TEXT_LINE) "this help";

void controls_init(struct controls *controls, int camera, int n_cameras) {
    *controls = (struct controls){.speed = 1,
                                  .camera = camera,
                                  .n_cameras = n_cameras,
                                  .figures = true,
                                  .bars = true,
                                  .inset = true,
                                  .pressed_s = {-1, -1, -1}};
}

static void next_camera(struct controls *controls, int direction) {
    int choices = controls->n_cameras + 1; // and the free one
    controls->camera = (controls->camera + 1 + direction + choices) % choices - 1;
}

static void handle_key(struct controls *controls, enum control_key key) {
    switch (key) {
    case CONTROL_KEY_SPACE:
        controls->paused = !controls->paused;
        controls->due_s = 0;
        break;
    case CONTROL_KEY_RIGHT: controls->want_step = controls->paused; break;
    case CONTROL_KEY_BACKSPACE: controls->want_reset = true; break;
    case CONTROL_KEY_MINUS: controls->speed = fmax(controls->speed / 2, CONTROLS_MIN_SPEED); break;
    case CONTROL_KEY_EQUAL: controls->speed = fmin(controls->speed * 2, CONTROLS_MAX_SPEED); break;
    case CONTROL_KEY_0: controls->speed = 1; break;
    case CONTROL_KEY_LEFT_BRACKET: next_camera(controls, -1); break;
    case CONTROL_KEY_RIGHT_BRACKET: next_camera(controls, 1); break;
    case CONTROL_KEY_ESCAPE: controls->camera = -1; break;
    case CONTROL_KEY_F1: controls->help = !controls->help; break;
    case CONTROL_KEY_TAB: controls->figures = !controls->figures; break;
    case CONTROL_KEY_A: controls->bars = !controls->bars; break;
    case CONTROL_KEY_I: controls->inset = !controls->inset; break;
    case CONTROL_KEY_C: controls->contact_points = !controls->contact_points; break;
    case CONTROL_KEY_F: controls->contact_forces = !controls->contact_forces; break;
    case CONTROL_KEY_J: controls->joints = !controls->joints; break;
    case CONTROL_KEY_T: controls->transparent = !controls->transparent; break;
    case CONTROL_KEY_P: controls->want_screenshot = true; break;
    case CONTROL_KEY_Q: controls->want_quit = true; break;
    case CONTROL_KEY_OTHER:
    case CONTROL_KEY_COUNT: break;
    }
}

static void handle_button(struct controls *controls, const struct control_event *event,
                          bool has_selection) {
    controls->held[event->button] = event->pressed;
    controls->x = event->x;
    controls->y = event->y;
    bool any = controls->held[CONTROL_BUTTON_LEFT] || controls->held[CONTROL_BUTTON_RIGHT];
    if (!event->pressed) {
        controls->perturbing = controls->perturbing && any;
        return;
    }
    controls->perturbing = has_selection && event->control && any;
    double *pressed_s = &controls->pressed_s[event->button];
    bool is_double = *pressed_s >= 0 && event->time_s - *pressed_s < DOUBLE_CLICK_S;
    *pressed_s = is_double ? -1 : event->time_s;
    if (!is_double) return;
    if (event->button == CONTROL_BUTTON_LEFT && !event->control) controls->want_select = true;
    if (event->button != CONTROL_BUTTON_RIGHT) return;
    controls->perturbing = false;
    controls->camera = -1;
    *(event->control ? &controls->want_track : &controls->want_look) = true;
}

static struct control_drag handle_move(struct controls *controls,
                                       const struct control_event *event) {
    struct control_drag drag = {
        .action = mjMOUSE_NONE, .dx = event->x - controls->x, .dy = event->y - controls->y};
    controls->x = event->x;
    controls->y = event->y;
    if (controls->held[CONTROL_BUTTON_RIGHT]) {
        drag.action = event->shift ? mjMOUSE_MOVE_H : mjMOUSE_MOVE_V;
    } else if (controls->held[CONTROL_BUTTON_LEFT]) {
        drag.action = event->shift ? mjMOUSE_ROTATE_H : mjMOUSE_ROTATE_V;
    } else if (controls->held[CONTROL_BUTTON_MIDDLE]) {
        drag.action = mjMOUSE_ZOOM;
    }
    drag.perturb = controls->perturbing && drag.action != mjMOUSE_ZOOM;
    // A camera of the model cannot be moved: the free one takes over.
    if (drag.action != mjMOUSE_NONE && !drag.perturb) controls->camera = -1;
    return drag;
}

struct control_drag controls_handle(struct controls *controls, const struct control_event *event,
                                    bool has_selection) {
    controls->shift = event->shift;
    controls->control = event->control;
    switch (event->type) {
    case CONTROL_EVENT_KEY: handle_key(controls, event->key); break;
    case CONTROL_EVENT_BUTTON: handle_button(controls, event, has_selection); break;
    case CONTROL_EVENT_MOVE: return handle_move(controls, event);
    case CONTROL_EVENT_SCROLL:
        controls->camera = -1;
        return (struct control_drag){.action = mjMOUSE_ZOOM, .dy = -0.05 * event->y};
    }
    return (struct control_drag){.action = mjMOUSE_NONE};
}

int controls_due_steps(struct controls *controls, double elapsed_s, double step_s) {
    if (controls->paused) return 0;
    controls->due_s += fmax(elapsed_s, 0) * controls->speed;
    double steps = floor(controls->due_s / step_s);
    controls->due_s -= steps * step_s;
    if (steps <= CONTROLS_MAX_STEPS) return (int)steps;
    controls->due_s = 0;
    return CONTROLS_MAX_STEPS;
}
