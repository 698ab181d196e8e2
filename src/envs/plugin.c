// Environments from shared libraries (include/rlrun.h).
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "envs/custom.h"
#include <rlrun.h>

struct plugin {
    struct domain domain;
    struct task tasks[2];
    const struct rlrun_env *env;
    void *library;
    char model[4096];
};

static double uniform(void *rng, double low, double high) {
    return rng_range(rng, low, high);
}

static struct rlrun_sim sim_of(const struct physics *physics) {
    struct physics *own =
        (struct physics *)(uintptr_t)physics; // a plug-in is trusted not to write in observe
    return (struct rlrun_sim){own->model, own->data, own->memory, uniform, &own->rng};
}

static const struct rlrun_env *env_of(const struct physics *physics) {
    return ((const struct plugin *)physics->context)->env;
}

static void reset(struct physics *physics) {
    struct rlrun_sim sim = sim_of(physics);
    if (env_of(physics)->reset) env_of(physics)->reset(&sim);
}

static void observe(const struct physics *physics, struct obs *obs) {
    struct rlrun_sim sim = sim_of(physics);
    if (obs->out) env_of(physics)->observe(&sim, obs->out + obs->count);
    obs->count += env_of(physics)->obs_dim;
}

static double reward(struct physics *physics) {
    struct rlrun_sim sim = sim_of(physics);
    return env_of(physics)->reward(&sim);
}

static bool terminated(const struct physics *physics) {
    struct rlrun_sim sim = sim_of(physics);
    return env_of(physics)->terminated(&sim) != 0;
}

static void release(void *context) {
    struct plugin *plugin = context;
    if (plugin->library) dlclose(plugin->library);
    mem_free(plugin);
}

static enum rl_status check(const char *path, const struct rlrun_env *env, struct rl_error *err) {
    if (!env) return rl_fail(err, RL_EFORMAT, "%s: rlrun_env_plugin returned nothing", path);
    if (env->abi != RLRUN_ENV_ABI) {
        return rl_fail(err, RL_EFORMAT,
                       "%s: a plug-in of ABI %d; this rlrun has %d: compile it anew", path,
                       env->abi, RLRUN_ENV_ABI);
    }
    if (!env->name || !env->model || !env->observe || !env->reward || env->obs_dim < 1 ||
        !(env->time_limit_s > 0) || env->action_repeat < 1) {
        return rl_fail(err, RL_EFORMAT,
                       "%s: a plug-in needs name, model, observe, reward, obs_dim, time_limit_s "
                       "and action_repeat",
                       path);
    }
    return RL_OK;
}

enum { PERMITTED_MAX = 64 };
static char *permitted[PERMITTED_MAX]; // real paths
static int n_permitted;

void plugin_permit(const char *path) {
    char full[4096];
    if (n_permitted == PERMITTED_MAX || !realpath(path, full)) return;
    permitted[n_permitted++] = mem_strdup(full);
}

static bool is_permitted(const char *full) {
    for (int i = 0; i < n_permitted; i++) {
        if (!strcmp(permitted[i], full)) return true;
    }
    return false;
}

static enum rl_status open_library(struct plugin *plugin, const char *path, struct rl_error *err) {
    char full[4096]; // dlopen searches the system's folders for a name without '/'
    if (!realpath(path, full)) return rl_fail(err, RL_ENOTFOUND, "%s: no such plug-in", path);
    if (!is_permitted(full)) {
        return rl_fail(
            err, RL_EUSAGE,
            "%s is code, and only a file names it; to load it name it yourself, by --env "
            "or by RLRUN_PLUGINS=%s",
            path, path);
    }
    plugin->library = dlopen(full, RTLD_NOW | RTLD_LOCAL);
    if (!plugin->library) return rl_fail(err, RL_EFORMAT, "%s: %s", path, dlerror());
    const struct rlrun_env *(*entry)(void);
    *(void **)(&entry) = dlsym(plugin->library, "rlrun_env_plugin");
    if (!entry) return rl_fail(err, RL_EFORMAT, "%s: no function rlrun_env_plugin in it", path);
    plugin->env = entry();
    enum rl_status status = check(path, plugin->env, err);
    if (status != RL_OK) return status;
    *strrchr(full, '/') = 0;
    if (plugin->env->model[0] == '/')
        snprintf(plugin->model, sizeof plugin->model, "%s", plugin->env->model);
    else
        file_join(plugin->model, sizeof plugin->model, full, plugin->env->model);
    return RL_OK;
}

const struct domain *plugin_domain(const char *path, struct rl_error *err) {
    struct plugin *plugin = MEM_NEW(struct plugin);
    if (open_library(plugin, path, err) != RL_OK) {
        release(plugin);
        return NULL;
    }
    const struct rlrun_env *env = plugin->env;
    plugin->tasks[0] = (struct task){.name = "task",
                                     .time_limit_s = env->time_limit_s,
                                     .control_timestep_s = env->control_timestep_s,
                                     .action_repeat = env->action_repeat,
                                     .model_file = plugin->model};
    plugin->domain = (struct domain){.name = env->name,
                                     .tasks = plugin->tasks,
                                     .context = plugin,
                                     .camera = env->camera,
                                     .reward_max = env->reward_max,
                                     .release = release,
                                     .reset = reset,
                                     .observe = observe,
                                     .reward = reward,
                                     .terminated = env->terminated ? terminated : NULL};
    return &plugin->domain;
}
