// What keys and mouse mean in the viewer: state that events change, with no window in it. The
// window translates its own events into control_event, hands them over, carries out the requests
// and clears them. Mouse and keys follow MuJoCo's simulate.
#pragma once

#include <mujoco/mujoco.h>
#include <stdbool.h>

enum control_key {
    CONTROL_KEY_OTHER,
    CONTROL_KEY_SPACE,     // pause or go on
    CONTROL_KEY_RIGHT,     // one step while paused
    CONTROL_KEY_BACKSPACE, // new episode
    CONTROL_KEY_MINUS,     // half as fast
    CONTROL_KEY_EQUAL,     // twice as fast
    CONTROL_KEY_0,         // real time again
    CONTROL_KEY_LEFT_BRACKET,
    CONTROL_KEY_RIGHT_BRACKET, // cameras of the model
    CONTROL_KEY_ESCAPE,        // free camera
    CONTROL_KEY_F1,            // help
    CONTROL_KEY_TAB,           // figures
    CONTROL_KEY_A,             // action bars
    CONTROL_KEY_I,             // what the encoder sees
    CONTROL_KEY_C,             // contact points
    CONTROL_KEY_F,             // contact forces
    CONTROL_KEY_J,             // joints
    CONTROL_KEY_T,             // see-through bodies
    CONTROL_KEY_P,             // screenshot
    CONTROL_KEY_Q,             // quit
    CONTROL_KEY_COUNT,
};

enum control_button { CONTROL_BUTTON_LEFT, CONTROL_BUTTON_RIGHT, CONTROL_BUTTON_MIDDLE };

enum control_event_type {
    CONTROL_EVENT_KEY,    // pressed or repeated
    CONTROL_EVENT_BUTTON, // pressed or released
    CONTROL_EVENT_MOVE,
    CONTROL_EVENT_SCROLL,
};

struct control_event {
    enum control_event_type type;
    enum control_key key;
    enum control_button button;
    bool pressed;
    bool shift, control; // held
    double x, y;         // mouse, in heights of the window from its top left; SCROLL: y = notches
    double time_s;       // of a monotonic clock
};

#define CONTROLS_MIN_SPEED (1.0 / 64)
#define CONTROLS_MAX_SPEED 64.0

struct controls {
    bool paused;
    double speed;  // seconds of the simulation for each of the clock
    int camera;    // -1 free, else the model's
    int n_cameras; // of the model
    bool help, figures, bars, inset;
    bool contact_points, contact_forces, joints, transparent;
    bool perturbing; // the mouse pulls or turns the selected body

    // Requests; the window clears them.
    bool want_step, want_reset, want_quit, want_screenshot;
    bool want_select; // select the body under (x, y)
    bool want_look;   // turn the free camera to the point under (x, y)
    bool want_track;  // the same, and follow the body there

    // The mouse.
    bool held[3], shift, control;
    double x, y;
    double pressed_s[3]; // when each went down last
    double due_s;        // simulated time that is owed to the clock
};

// What a move of the mouse does; action is mjMOUSE_NONE when nothing.
struct control_drag {
    mjtMouse action;
    bool perturb; // moves the selected body, not the camera
    double dx, dy;
};

void controls_init(struct controls *controls, int camera, int n_cameras);
struct control_drag controls_handle(struct controls *controls, const struct control_event *event,
                                    bool has_selection);

// How many steps of step_s are due after elapsed_s more of the clock. Bounded (CONTROLS_MAX_STEPS),
// and what is over is forgotten, so that a slow policy slows the show and does not freeze it.
enum { CONTROLS_MAX_STEPS = 200 };
int controls_due_steps(struct controls *controls, double elapsed_s, double step_s);

// Text of the help overlay: two columns of equally many lines.
extern const char controls_help_keys[], controls_help_text[];
