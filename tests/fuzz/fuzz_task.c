// The YAML beside a user's model, against a fixed model: what is accepted can be reset, stepped and
// observed; what is not says why.
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "envs/env.h"
#include "fuzz/fuzz.h"

#define YAML_FD 901

static const char *const model =
    "<mujoco><option timestep='0.01'/><worldbody><body name='pole' pos='0 0 1'>"
    "<joint name='hinge' type='hinge' axis='0 1 0' limited='true' range='-90 90'/>"
    "<geom type='capsule' fromto='0 0 0 0 0 0.5' size='0.05'/><site name='tip' pos='0 0 0.5'/>"
    "</body><site name='goal' pos='0 0 1.5'/></worldbody>"
    "<actuator><motor joint='hinge' ctrllimited='true' ctrlrange='-2 2'/></actuator></mujoco>";

static char folder[64];

static void path_of(const char *name, char path[128]) {
    snprintf(path, 128, "%s/%s", folder, name);
}

static void remove_folder(void) {
    char path[128];
    path_of("arm.xml", path);
    unlink(path);
    path_of("arm.yaml", path);
    unlink(path);
    rmdir(folder);
}

// A folder with the model, and a link to this process's YAML_FD as its YAML.
static void make_folder(void) {
    char path[128], target[64];
    struct rl_error err = {0};
    strcpy(folder, "/tmp/rlrun_fuzz_task_XXXXXX");
    FUZZ_REQUIRE(mkdtemp(folder) && atexit(remove_folder) == 0);
    path_of("arm.xml", path);
    FUZZ_REQUIRE(file_write_atomic(path, model, strlen(model), &err) == RL_OK);
    path_of("arm.yaml", path);
    snprintf(target, sizeof target, "/proc/self/fd/%d", YAML_FD);
    FUZZ_REQUIRE(symlink(target, path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[128], yaml[64];
    struct rl_error err = {0};
    struct env_options options;
    struct time_step step;
    if (!folder[0]) make_folder();
    int fd = fuzz_file(data, size, yaml);
    FUZZ_REQUIRE(dup2(fd, YAML_FD) == YAML_FD);
    opt_set_defaults(&env_opts, &options);
    options.pixels = false;
    path_of("arm.xml", path);
    struct env *env = env_create(path, &options, 1, &err);
    enum rl_status status = env ? env_reset(env, &step, &err) : err.code;
    bool short_step = env && env_spec(env)->control_timestep_s < 1; // longer ones only take time
    if (status == RL_OK && short_step) status = env_step(env, (const double[]){0.5}, &step, &err);
    FUZZ_REQUIRE(status == RL_OK || err.message[0]);
    env_destroy(env);
    close(YAML_FD);
    close(fd);
    return 0;
}
