#include "render/gl_window.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

// The few names of EGL 1.5 and GLFW 3 that are needed, so that neither header is.
enum {
    EGL_NONE = 0x3038,
    EGL_ALPHA_SIZE = 0x3021,
    EGL_BLUE_SIZE = 0x3022,
    EGL_GREEN_SIZE = 0x3023,
    EGL_RED_SIZE = 0x3024,
    EGL_DEPTH_SIZE = 0x3025,
    EGL_STENCIL_SIZE = 0x3026,
    EGL_SURFACE_TYPE = 0x3033,
    EGL_PBUFFER_BIT = 1,
    EGL_RENDERABLE_TYPE = 0x3040,
    EGL_OPENGL_BIT = 8,
    EGL_OPENGL_API = 0x30A2,
    EGL_PLATFORM_DEVICE = 0x313F,
    EGL_PLATFORM_SURFACELESS = 0x31DD,
    GLFW_VISIBLE = 0x00020004,
    MAX_DEVICES = 16,
};

struct gl_window {
    enum render_backend backend;
    void *library;
    // EGL
    void *display, *context;
    unsigned (*make_current)(void *display, void *draw, void *read, void *context);
    unsigned (*destroy_context)(void *display, void *context);
    // GLFW
    void *window;
    void (*make_window_current)(void *window);
    void (*destroy_window)(void *window);
};

// dlsym gives an object pointer; functions are stored through memory, as POSIX asks.
static bool load(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

struct egl {
    void *(*get_proc)(const char *name);
    void *(*get_display)(void *native);
    unsigned (*initialize)(void *display, int *major, int *minor);
    unsigned (*choose_config)(void *display, const int *attributes, void **configs, int size,
                              int *count);
    unsigned (*bind_api)(unsigned api);
    void *(*create_context)(void *display, void *config, void *share, const int *attributes);
    void *(*platform_display)(unsigned platform, void *native, const int *attributes);
    unsigned (*query_devices)(int max, void **devices, int *count);
};

// The first display that initializes: without any window system, then a device, then the default.
static void *egl_display(struct egl *egl) {
    void *devices[MAX_DEVICES], *display = NULL;
    int count = 0, major, minor;
    if (egl->platform_display) {
        display = egl->platform_display(EGL_PLATFORM_SURFACELESS, NULL, NULL);
        if (display && egl->initialize(display, &major, &minor)) return display;
        if (egl->query_devices) egl->query_devices(MAX_DEVICES, devices, &count);
        for (int i = 0; i < count; i++) {
            display = egl->platform_display(EGL_PLATFORM_DEVICE, devices[i], NULL);
            if (display && egl->initialize(display, &major, &minor)) return display;
        }
    }
    display = egl->get_display(NULL);
    return display && egl->initialize(display, &major, &minor) ? display : NULL;
}

static enum rl_status create_egl(struct gl_window *window, struct rl_error *err) {
    window->library = dlopen("libEGL.so.1", RTLD_NOW | RTLD_GLOBAL);
    if (!window->library) return rl_fail(err, RL_EUNAVAILABLE, "renderer egl: %s", dlerror());
    void *lib = window->library;
    struct egl egl = {0};
    if (!load(lib, "eglGetProcAddress", &egl.get_proc) ||
        !load(lib, "eglGetDisplay", &egl.get_display) ||
        !load(lib, "eglInitialize", &egl.initialize) ||
        !load(lib, "eglChooseConfig", &egl.choose_config) ||
        !load(lib, "eglBindAPI", &egl.bind_api) ||
        !load(lib, "eglCreateContext", &egl.create_context) ||
        !load(lib, "eglMakeCurrent", &window->make_current) ||
        !load(lib, "eglDestroyContext", &window->destroy_context)) {
        return rl_fail(err, RL_EUNAVAILABLE, "renderer egl: libEGL.so.1 lacks a function");
    }
    void *extension = egl.get_proc("eglGetPlatformDisplayEXT");
    memcpy(&egl.platform_display, &extension, sizeof extension);
    extension = egl.get_proc("eglQueryDevicesEXT");
    memcpy(&egl.query_devices, &extension, sizeof extension);
    window->display = egl_display(&egl);
    if (!window->display) return rl_fail(err, RL_EUNAVAILABLE, "renderer egl: no display opens");
    static const int attributes[] = {EGL_RED_SIZE,
                                     8,
                                     EGL_GREEN_SIZE,
                                     8,
                                     EGL_BLUE_SIZE,
                                     8,
                                     EGL_ALPHA_SIZE,
                                     8,
                                     EGL_DEPTH_SIZE,
                                     24,
                                     EGL_STENCIL_SIZE,
                                     8,
                                     EGL_SURFACE_TYPE,
                                     EGL_PBUFFER_BIT,
                                     EGL_RENDERABLE_TYPE,
                                     EGL_OPENGL_BIT,
                                     EGL_NONE};
    void *config = NULL;
    int count = 0;
    if (!egl.choose_config(window->display, attributes, &config, 1, &count) || count < 1 ||
        !egl.bind_api(EGL_OPENGL_API)) {
        return rl_fail(err, RL_EUNAVAILABLE, "renderer egl: no fitting OpenGL configuration");
    }
    window->context = egl.create_context(window->display, config, NULL, NULL);
    if (!window->context) return rl_fail(err, RL_EUNAVAILABLE, "renderer egl: no OpenGL context");
    return RL_OK;
}

static enum rl_status create_glfw(struct gl_window *window, struct rl_error *err) {
    window->library = dlopen("libglfw.so.3", RTLD_NOW | RTLD_GLOBAL);
    if (!window->library) return rl_fail(err, RL_EUNAVAILABLE, "renderer glfw: %s", dlerror());
    int (*init)(void);
    void (*hint)(int what, int value);
    void *(*create_window)(int width, int height, const char *title, void *monitor, void *share);
    if (!load(window->library, "glfwInit", &init) ||
        !load(window->library, "glfwWindowHint", &hint) ||
        !load(window->library, "glfwCreateWindow", &create_window) ||
        !load(window->library, "glfwMakeContextCurrent", &window->make_window_current) ||
        !load(window->library, "glfwDestroyWindow", &window->destroy_window)) {
        return rl_fail(err, RL_EUNAVAILABLE, "renderer glfw: libglfw.so.3 lacks a function");
    }
    if (!init()) return rl_fail(err, RL_EUNAVAILABLE, "renderer glfw: no display; use egl or soft");
    hint(GLFW_VISIBLE, 0);
    window->window = create_window(64, 64, "rlrun", NULL, NULL);
    if (!window->window) return rl_fail(err, RL_EUNAVAILABLE, "renderer glfw: no window opens");
    return RL_OK;
}

struct gl_window *gl_window_create(enum render_backend backend, struct rl_error *err) {
    struct gl_window *window = MEM_NEW(struct gl_window);
    window->backend = backend;
    enum rl_status status =
        backend == RENDER_BACKEND_EGL ? create_egl(window, err) : create_glfw(window, err);
    if (status == RL_OK && gl_window_use(window, err) == RL_OK) return window;
    gl_window_destroy(window);
    return NULL;
}

// The libraries stay loaded: OpenGL drivers do not survive being unloaded.
void gl_window_destroy(struct gl_window *window) {
    if (!window) return;
    if (window->context) {
        window->make_current(window->display, NULL, NULL, NULL);
        window->destroy_context(window->display, window->context);
    }
    if (window->window) window->destroy_window(window->window);
    mem_free(window);
}

enum rl_status gl_window_use(struct gl_window *window, struct rl_error *err) {
    if (window->window) {
        window->make_window_current(window->window);
        return RL_OK;
    }
    if (window->make_current(window->display, NULL, NULL, window->context)) return RL_OK;
    return rl_fail(err, RL_EUNAVAILABLE, "renderer egl: the context cannot be made current");
}
