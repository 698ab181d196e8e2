// `rlrun view` as a user meets it: a window on an X server of the test's own (Xvfb, Mesa), keys and
// mouse by xdotool, pictures by the screenshot key. Skipped where one of these is missing. What is
// held: the viewer's picture of a state is MuJoCo's own, pixel for pixel outside the overlays; keys
// and mouse do what the help says; a closed window, a lost display and no display end in good
// order.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/png_file.h"
#include "envs/env.h"

#if RLRUN_HAVE_GLFW
#include <GLFW/glfw3.h>

enum { WIDTH = 400, HEIGHT = 300, SEED = 1000 };
enum { PATIENCE = 600 }; // tenths of a second: a busy machine is no failure

static char dir[] = "/tmp/test_viewer_window_XXXXXX";
static pid_t server = -1, viewer = -1, trainer = -1;

static void pause_ms(int ms) {
    usleep((useconds_t)ms * 1000);
}

// An X server with a free display number, which it tells; false: none here.
static bool start_server(void) {
    int ends[2];
    char number[16] = "";
    if (pipe(ends) != 0) return false;
    server = fork();
    if (server == 0) {
        char fd[16];
        snprintf(fd, sizeof(fd), "%d", ends[1]);
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        execlp("Xvfb", "Xvfb", "-displayfd", fd, "-screen", "0", "640x480x24", "-noreset",
               (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], number, sizeof(number) - 1);
    close(ends[0]);
    if (n <= 0) return false;
    char display[32];
    snprintf(display, sizeof(display), ":%d", atoi(number));
    setenv("DISPLAY", display, 1);
    return true;
}

static void stop(pid_t *process, int signal_number) {
    if (*process > 0) {
        kill(*process, signal_number);
        waitpid(*process, NULL, 0);
    }
    *process = -1;
}

static int setup(void **state) {
    (void)state;
    return getenv("RLRUN_PROGRAM") && mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    stop(&viewer, SIGKILL);
    stop(&trainer, SIGKILL);
    stop(&server, SIGTERM);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

static bool run(const char *format, const char *words) {
    char command[1024];
    snprintf(command, sizeof(command), format, words);
    return system(command) == 0;
}

// `rlrun view ARGUMENTS`, its messages in DIR/messages; returns when its window is there.
static bool open_viewer(const char *arguments) {
    char command[1024];
    snprintf(command, sizeof(command),
             "exec '%s' view %s --width %d --height %d --screenshots %s >%s/messages 2>&1",
             getenv("RLRUN_PROGRAM"), arguments, WIDTH, HEIGHT, dir, dir);
    viewer = fork();
    if (viewer == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < PATIENCE; i++) {
        pause_ms(100);
        if (run("xdotool search --name '^rlrun: %s' >/dev/null 2>&1", "")) return true;
        if (waitpid(viewer, NULL, WNOHANG) == viewer) viewer = -1;
        if (viewer < 0) return false;
    }
    return false;
}

// Exit status of the viewer, and what it said in text.
static int end_of_viewer(char text[512]) {
    int status = -1;
    for (int i = 0; i < PATIENCE && viewer > 0; i++) {
        pause_ms(100);
        if (waitpid(viewer, &status, WNOHANG) == viewer) viewer = -1;
    }
    stop(&viewer, SIGKILL);
    struct bytes bytes;
    struct rl_error err = {0};
    char path[128];
    snprintf(path, sizeof(path), "%s/messages", dir);
    assert_int_equal(file_read(path, 1 << 16, &bytes, &err), RL_OK);
    snprintf(text, 512, "%s", (const char *)bytes.data);
    mem_free(bytes.data);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Through the server and the focus, as a keyboard's: a key sent to the window alone carries no
// time, and GLFW may take it for a repeated one. Without a window manager a window that is not
// there yet refuses the focus, before any key is pressed.
static void keys(const char *names) {
    const char *const command =
        "xdotool search --onlyvisible --name '^rlrun' windowfocus --sync key --delay 60 %s "
        "2>/dev/null";
    for (int i = 0; i < PATIENCE; i++) {
        siginfo_t ended = {0};
        if (run(command, names)) return;
        pause_ms(100);
        waitid(P_PID, (id_t)viewer, &ended, WEXITED | WNOHANG | WNOWAIT);
        if (ended.si_pid) return; // it went when the key was pressed, before its release
    }
    fail_msg("xdotool failed for %s", names);
}

static void mouse(const char *words) {
    if (!run("xdotool search --name '^rlrun' %s >/dev/null 2>&1", words)) {
        fail_msg("xdotool failed for %s", words);
    }
}

// Presses P and reads the picture.
static struct png_image screenshot(void) {
    static int taken;
    char path[128];
    struct png_image image;
    struct rl_error err = {0};
    snprintf(path, sizeof(path), "%s/rlrun-view-%03d.png", dir, ++taken);
    keys("p");
    for (int i = 0; i < PATIENCE && !file_exists(path); i++) pause_ms(100);
    if (png_read(path, &image, &err) != RL_OK) fail_msg("%s", err.message);
    assert_true(image.width == WIDTH && image.height == HEIGHT && image.channels == 3);
    return image;
}

// Pixels that differ in the rectangle [left, right) x [top, bottom).
static int differing(const struct png_image *a, const uint8_t *b, int left, int top, int right,
                     int bottom) {
    int count = 0;
    for (int y = top; y < bottom; y++) {
        for (int x = left; x < right; x++) {
            size_t at = ((size_t)y * WIDTH + (size_t)x) * 3;
            count += memcmp(a->pixels + at, b + at, 3) != 0;
        }
    }
    return count;
}

enum { NOTES = HEIGHT - 40 }; // below: notes, such as "saved F.png"

// Takes a screenshot and says how many pixels changed since *last, which it replaces.
static int changed(struct png_image *last) {
    struct png_image now = screenshot();
    int count = differing(&now, last->pixels, 0, 0, WIDTH, NOTES);
    mem_free(last->pixels);
    *last = now;
    return count;
}

// MuJoCo's picture of the environment's first state, drawn as its manual says, in a window of our
// own. rgb (HEIGHT, WIDTH, 3), rows from the top.
static void draw_by_mujoco(uint8_t *rgb) {
    struct env_options options;
    struct time_step step;
    struct rl_error err = {0};
    opt_set_defaults(&env_opts, &options);
    options.pixels = false;
    struct env *env = env_create("cheetah", &options, SEED, &err);
    assert_non_null(env);
    assert_int_equal(env_reset(env, &step, &err), RL_OK);
    assert_true(glfwInit());
    glfwWindowHint(GLFW_SAMPLES, 4);
    GLFWwindow *window = glfwCreateWindow(WIDTH, HEIGHT, "reference", NULL, NULL);
    assert_non_null(window);
    glfwMakeContextCurrent(window);
    mjvScene scene;
    mjvOption option;
    mjvCamera camera;
    mjrContext context;
    mjv_defaultScene(&scene);
    mjv_defaultOption(&option);
    mjv_defaultCamera(&camera);
    mjr_defaultContext(&context);
    mjv_makeScene(env_model(env), &scene, 1000);
    mjr_makeContext(env_model(env), &context, mjFONTSCALE_100);
    camera.type = mjCAMERA_FIXED;
    camera.fixedcamid = env_camera(env);
    option.flags[mjVIS_RANGEFINDER] = 0;
    mjv_updateScene(env_model(env), env_data(env), &option, NULL, &camera, mjCAT_ALL, &scene);
    mjrRect area = {0, 0, WIDTH, HEIGHT};
    uint8_t *flipped = mem_alloc(3 * WIDTH * HEIGHT);
    mjr_render(area, &scene, &context);
    mjr_readPixels(flipped, NULL, area, &context);
    for (int y = 0; y < HEIGHT; y++) {
        memcpy(rgb + (size_t)y * 3 * WIDTH, flipped + (size_t)(HEIGHT - 1 - y) * 3 * WIDTH,
               3 * WIDTH);
    }
    mem_free(flipped);
    mjr_freeContext(&context);
    mjv_freeScene(&scene);
    glfwDestroyWindow(window);
    glfwTerminate();
    env_destroy(env);
}

// Mesa and Xlib do not free all they take, which is not ours to answer for.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static void needs(bool there) {
    if (!there) skip();
}

// The server is up, or this test is skipped.
static void begin(const char *arguments) {
    bool tools = run("command -v Xvfb >/dev/null 2>&1 && command -v xdotool >/dev/null 2>&1%s", "");
    needs(tools && !SANITIZED && (server > 0 || start_server()));
    char text[512];
    if (open_viewer(arguments)) return;
    end_of_viewer(text);
    needs(!strstr(text, "OpenGL")); // X without OpenGL
    fail_msg("no window: %s", text);
}

static void pictures_are_mujocos(void **state) {
    (void)state;
    static uint8_t own[3 * WIDTH * HEIGHT];
    begin("--env cheetah --paused");
    keys("Tab a");  // figures and action bars off
    pause_ms(3200); // the note "F1: help" goes
    draw_by_mujoco(own);
    struct png_image plain = screenshot();
    assert_int_equal(differing(&plain, own, 0, 0, WIDTH, HEIGHT), 0);
    keys("Tab a");
    struct png_image overlaid = screenshot();
    // Figures are in the left half at the top, the action's bars at the bottom.
    assert_true(differing(&overlaid, own, 0, 0, WIDTH / 2, HEIGHT / 2) > 1000);
    assert_true(differing(&overlaid, own, 0, HEIGHT / 2, WIDTH / 2, NOTES) > 500);
    assert_int_equal(differing(&overlaid, own, WIDTH / 2, 0, WIDTH, NOTES), 0);
    mem_free(overlaid.pixels);
    mem_free(plain.pixels);
}

// Goes on in the paused window of the test before.
static void keys_and_mouse(void **state) {
    (void)state;
    needs(viewer > 0);
    keys("Tab a");
    struct png_image last = screenshot();
    assert_int_equal(changed(&last), 0); // paused: nothing moves
    keys("Right Right Right");
    assert_true(changed(&last) > 50); // single steps
    keys("F1");
    assert_true(changed(&last) > 5000); // the help
    keys("F1 j");
    assert_true(changed(&last) > 100);
    keys("j bracketright");
    assert_true(changed(&last) > 1000); // another camera
    mouse("mousemove --window %1 300 200 mousedown 1 mousemove_relative 40 0 mouseup 1");
    assert_true(changed(&last) > 1000); // turned
    mouse("mousemove --window %1 200 150 click 5");
    assert_true(changed(&last) > 1000); // zoomed
    keys("space");
    pause_ms(500);
    keys("space");
    assert_true(changed(&last) > 100); // ran for a while
    mem_free(last.pixels);
}

static void title_of(char title[256]) {
    FILE *pipe = popen("xdotool search --name '^rlrun' getwindowname", "r");
    assert_non_null(pipe);
    if (!fgets(title, 256, pipe)) title[0] = 0;
    title[strcspn(title, "\n")] = 0;
    pclose(pipe);
}

// Waits until the title is another than old.
static void wait_for_title(const char *old, char title[256]) {
    char before[256];
    snprintf(before, sizeof(before), "%s", old);
    for (int i = 0; i < PATIENCE / 2; i++) {
        title_of(title);
        if (*title && strcmp(before, title)) return;
        pause_ms(200);
    }
    fail_msg("the title stays %s", before);
}

// The title names the checkpoint's step.
static void a_run_that_goes_on_is_reloaded(void **state) {
    (void)state;
    char path[256], run_path[128], command[1024], text[512], first[256], later[256];
    needs(server > 0);
    snprintf(run_path, sizeof(run_path), "%s/run", dir);
    snprintf(command, sizeof(command),
             "exec '%s' ddpg --env cartpole --encoder state --steps 1000000 --checkpoint-every 500 "
             "--eval-every 1000000 --ddpg.random_steps 100 --ddpg.batch 16 --threads 1 "
             "--run-dir %s >/dev/null 2>&1",
             getenv("RLRUN_PROGRAM"), run_path);
    trainer = fork();
    if (trainer == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    snprintf(path, sizeof(path), "%s/checkpoints/step-000000500.ckpt", run_path);
    for (int i = 0; i < PATIENCE && !file_exists(path); i++) pause_ms(100);
    begin(run_path);
    wait_for_title("rlrun: cartpole-balance", first); // its title before the first picture
    assert_non_null(strstr(first, "cartpole-balance, ddpg, step "));
    wait_for_title(first, later);
    assert_non_null(strstr(later, "cartpole-balance, ddpg, step "));
    stop(&trainer, SIGKILL);
    keys("q");
    assert_int_equal(end_of_viewer(text), 0);
}

static void quitting(void **state) {
    (void)state;
    char text[512];
    needs(viewer > 0);
    keys("q");
    assert_int_equal(end_of_viewer(text), 0);
    begin("--env cartpole");
    kill(viewer, SIGTERM);
    assert_int_equal(end_of_viewer(text), 0);
    assert_string_equal(text, "");
    begin("--env cartpole --seconds 0.5");
    assert_int_equal(end_of_viewer(text), 0);
}

static int lines_of(const char *text) {
    int count = 0;
    for (; *text; text++) count += *text == '\n';
    return count;
}

static void a_lost_display(void **state) {
    (void)state;
    char text[512];
    begin("--env cartpole");
    assert_true(run("xdotool search --name '^rlrun' windowkill %s", ""));
    assert_int_equal(end_of_viewer(text), 1); // the server has cut the connection
    assert_non_null(strstr(text, "the display was lost"));
    assert_int_equal(lines_of(text), 1);
    begin("--env cartpole");
    stop(&server, SIGKILL);
    assert_int_equal(end_of_viewer(text), 1);
    assert_non_null(strstr(text, "the display was lost"));
    assert_int_equal(lines_of(text), 1);
}

static void no_display(void **state) {
    (void)state;
    char text[512];
    unsetenv("DISPLAY");
    unsetenv("WAYLAND_DISPLAY");
    assert_false(open_viewer("--env cartpole"));
    end_of_viewer(text);
    assert_non_null(strstr(text, "rlrun record"));
    assert_int_equal(lines_of(text), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_mujocos),
        cmocka_unit_test(keys_and_mouse),
        cmocka_unit_test(quitting),
        cmocka_unit_test(a_run_that_goes_on_is_reloaded),
        cmocka_unit_test(a_lost_display),
        cmocka_unit_test(no_display),
    };
    return cmocka_run_group_tests_name("viewer_window", tests, setup, teardown);
}

#else

int main(void) {
    return 0; // built without a window
}

#endif
