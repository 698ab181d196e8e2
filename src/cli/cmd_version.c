// rlrun version
#include <mujoco/mujoco.h>
#include <stdio.h>

#include "base/build.h"
#include "cli/args.h"
#include "cli/command.h"
#include "math/simd.h"

enum rl_status cmd_version(int argc, char **argv, struct rl_error *err) {
    static const struct opt_spec none[] = {OPT_END};
    static const struct opt_table table = {"", none};
    struct args args;
    char unused[1], cpu[128];
    enum rl_status status = args_read(&args, argc, argv, &table, unused, 0, err);
    if (status == RL_OK && args.help) {
        args_print_help("version", &table);
    } else if (status == RL_OK) {
        machine_cpu_name(cpu, sizeof cpu);
        printf("rlrun %s (%s)\nMuJoCo %s\nCPU: %s, %d cores, kernels: %s\n", RLRUN_VERSION,
               build_compiler(), mj_versionString(), cpu, machine_cores(),
               simd_level_name(simd_level()));
    }
    args_release(&args);
    return status;
}
