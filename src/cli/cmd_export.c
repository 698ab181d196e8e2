// rlrun export RUN [--c F.h] [--onnx F.onnx]: a trained policy for programs that are not rlrun, and
// how far its actions are from rlrun's own.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/command.h"
#include "export/graph.h"
#include "nn/safetensors.h"
#include "train/run_dir.h"

struct export_options {
    char c[OPT_STRING_BYTES], onnx[OPT_STRING_BYTES], samples[OPT_STRING_BYTES];
    int64_t check, seed;
};
static const struct opt_spec export_specs[] = {
    OPT_ROW_STRING(struct export_options, c, "", "write a C99 header that needs no library"),
    OPT_ROW_STRING(struct export_options, onnx, "", "write an ONNX model"),
    OPT_ROW_INT(struct export_options, check, "200", 0, 1000000,
                "steps in the environment on which the exported arithmetic is compared"),
    OPT_ROW_STRING(struct export_options, samples, "",
                   "write the compared inputs and both actions as .safetensors"),
    OPT_ROW_INT(struct export_options, seed, "1000", 0, 9e15, "seed of the environment"),
    OPT_END,
};
static const struct opt_table export_table = {"", export_specs};

// What the comparison saw: inputs (and latents of earlier steps), rlrun's actions, exported
// actions.
struct samples {
    int64_t n;
    uint8_t *input; // (n, input bytes)
    size_t input_bytes;
    float *action, *exported; // (n, action_dim)
    float *past;              // (n, graph's past), as rlrun had them
    double largest;           // difference
};

static void samples_release(struct samples *samples) {
    mem_free(samples->input);
    mem_free(samples->past);
    mem_free(samples->action);
    mem_free(samples->exported);
}

static void compare(struct samples *samples, const struct export_graph *graph,
                    struct policy *policy, bool first, double *action, float *memory) {
    int dim = graph->action_dim;
    uint8_t *input = samples->input + (size_t)samples->n * samples->input_bytes;
    memcpy(input, graph->pixels ? (const void *)policy->stack : policy->row, samples->input_bytes);
    policy_act(policy, action);
    float *own = samples->action + samples->n * dim,
          *exported = samples->exported + samples->n * dim;
    float *past = samples->past + samples->n * graph->past;
    for (int i = 0; i < graph->past; i++) past[i] = (float)policy->row[graph->latent_dim + i];
    export_graph_run(graph, input, memory, first, memory + graph->past, exported);
    for (int i = 0; i < dim; i++) {
        own[i] = (float)action[i];
        double difference = fabs((double)exported[i] - action[i]);
        if (!(difference <= samples->largest)) samples->largest = difference;
    }
    samples->n++;
}

static enum rl_status take_samples(struct samples *samples, const struct export_graph *graph,
                                   struct policy *policy, struct env *env, int64_t steps,
                                   struct rl_error *err) {
    size_t each = export_input_count(graph) * (graph->pixels ? 1 : sizeof(float)),
           actions = mem_size((size_t)steps + 1, (size_t)graph->action_dim);
    *samples = (struct samples){.input_bytes = each};
    samples->input = mem_try_alloc(mem_size((size_t)steps + 1, each), "the samples", err);
    if (!samples->input) return err->code;
    samples->action = MEM_ARRAY(float, actions);
    samples->exported = MEM_ARRAY(float, actions);
    samples->past = MEM_ARRAY(float, (steps + 1) * graph->past + 1);
    float *memory = MEM_ARRAY(float, (size_t)graph->past + graph->memory); // its own past first
    double action[AGENT_MAX_ACTIONS];
    struct time_step step = {.last = true};
    enum rl_status status = RL_OK;
    while (samples->n < steps && status == RL_OK) {
        status = step.last ? env_reset(env, &step, err) : env_step(env, action, &step, err);
        if (status != RL_OK) break;
        policy_observe(policy, &step);
        compare(samples, graph, policy, step.first, action, memory);
    }
    mem_free(memory);
    return status;
}

static enum rl_status write_samples(const struct samples *samples, const struct export_graph *graph,
                                    const char *path, struct rl_error *err) {
    const int *dim = graph->input_dim;
    struct st_tensor tensors[4] = {
        {.name = (char *)"input",
         .dtype = graph->pixels ? ST_U8 : ST_F32,
         .ndim = graph->pixels ? 4 : 2,
         .dim = {samples->n, dim[0], dim[1], dim[2]},
         .count = samples->n * (int64_t)export_input_count(graph),
         .data = samples->input},
        {.name = (char *)"action", .data = samples->action},
        {.name = (char *)"exported", .data = samples->exported},
        {.name = (char *)"past", .data = samples->past},
    };
    for (int i = 1; i < 4; i++) {
        tensors[i].dtype = ST_F32;
        tensors[i].ndim = 2;
        tensors[i].dim[0] = samples->n;
        tensors[i].dim[1] = i < 3 ? graph->action_dim : graph->past;
        tensors[i].count = samples->n * tensors[i].dim[1];
    }
    return st_write(path, tensors, graph->past ? 4 : 3, NULL, 0, err);
}

static enum rl_status write_files(const struct export_graph *graph, const char *run,
                                  const struct export_options *options, struct rl_error *err) {
    char about[256];
    snprintf(about, sizeof about, "The mean action of the run %.200s.", run);
    enum rl_status status = RL_OK;
    if (*options->c) status = export_write_c(graph, options->c, about, err);
    if (status == RL_OK && *options->onnx)
        status = export_write_onnx(graph, options->onnx, about, err);
    return status;
}

static enum rl_status check(const struct export_graph *graph, struct policy *policy,
                            struct env *env, const struct export_options *options,
                            struct rl_error *err) {
    struct samples samples = {0};
    if (options->check == 0) return RL_OK;
    enum rl_status status = take_samples(&samples, graph, policy, env, options->check, err);
    if (status == RL_OK) {
        printf("exported actions differ from rlrun's by at most %.2g over %lld steps\n",
               samples.largest, (long long)samples.n);
        if (*options->samples) status = write_samples(&samples, graph, options->samples, err);
    }
    samples_release(&samples);
    return status;
}

static enum rl_status run_export(const char *word, const struct export_options *options,
                                 struct rl_error *err) {
    struct policy policy;
    struct env *env;
    struct run_dir run;
    struct export_graph graph;
    enum rl_status status = run_dir_find(&run, word, err);
    if (status == RL_OK)
        status = policy_load(&policy, run.path, (uint64_t)options->seed, &env, err);
    if (status != RL_OK) return status;
    status = export_graph_create(&graph, &policy, err);
    if (status == RL_OK) {
        status = write_files(&graph, run.path, options, err);
        if (status == RL_OK) status = check(&graph, &policy, env, options, err);
        export_graph_release(&graph);
    }
    policy_release(&policy);
    env_destroy(env);
    return status;
}

enum rl_status cmd_export(int argc, char **argv, struct rl_error *err) {
    struct args args;
    struct export_options options;
    enum rl_status status = args_read(&args, argc, argv, &export_table, &options, 1, err);
    if (status == RL_OK && args.help) {
        args_print_help("export RUN [--c FILE.h] [--onnx FILE.onnx]", &export_table);
    } else if (status == RL_OK) {
        bool any = *options.c || *options.onnx || *options.samples;
        status = args.n_words == 1 && any
                     ? run_export(args.words[0], &options, err)
                     : rl_fail(err, RL_EUSAGE,
                               "usage: rlrun export RUN [--c FILE.h] [--onnx FILE.onnx]");
    }
    args_release(&args);
    return status;
}
