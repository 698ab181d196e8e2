// A plug-in of another ABI version, for tests/test_custom_env.c.
#include <stddef.h>

#include <rlrun.h>

const struct rlrun_env *rlrun_env_plugin(void) {
    static const struct rlrun_env env = {.abi = RLRUN_ENV_ABI + 1, .name = "old"};
    return &env;
}
