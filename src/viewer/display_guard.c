#include "viewer/display_guard.h"

#include <dlfcn.h>
#include <stddef.h>

jmp_buf display_guard_lost;

static volatile bool failed, guarding;

// Xlib's handlers, by their C types with the structs left opaque: its headers need not be there.
typedef int (*error_fn)(void *display, void *event);
typedef int (*io_error_fn)(void *display);

static int on_error(void *display, void *event) {
    (void)display;
    (void)event;
    failed = true;
    return 0;
}

static int on_io_error(void *display) {
    (void)display;
    if (guarding) longjmp(display_guard_lost, 1);
    return 0; // Xlib exits
}

// GLFW has loaded libX11 when it runs on X.
static void set_handlers(error_fn error, io_error_fn io_error) {
    error_fn (*set_error)(error_fn);
    io_error_fn (*set_io_error)(io_error_fn);
    *(void **)&set_error = dlsym(RTLD_DEFAULT, "XSetErrorHandler");
    *(void **)&set_io_error = dlsym(RTLD_DEFAULT, "XSetIOErrorHandler");
    if (!set_error || !set_io_error) return;
    set_error(error);
    set_io_error(io_error);
}

void display_guard_begin(void) {
    failed = false;
    guarding = true;
    set_handlers(on_error, on_io_error);
}

void display_guard_end(void) {
    guarding = false;
    set_handlers(NULL, NULL); // Xlib's own
}

bool display_guard_failed(void) {
    return failed;
}
