// Exported policies: the arithmetic agrees with rlrun's own; the C header, compiled by gcc and
// clang as for a machine without an operating system, gives the same bits; what cannot be exported
// says so. Leaves export_CASE.onnx and export_CASE.safetensors for check_onnx.py.
#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"
#include "export/graph.h"
#include "nn/safetensors.h"

#define SIDE "36"

struct test_case {
    const char *name, *agent, *encoder, *key, *value; // an option beside the common ones
    int inputs;
};
static const struct test_case cases[] = {
    {"state", "ddpg", "state", NULL, NULL, 1000},
    {"sac", "sac", "state", NULL, NULL, 50},
    {"cnn", "ddpg", "cnn+none", NULL, NULL, 1000},
    {"cnn_end_to_end", "drqv2", "cnn", NULL, NULL, 50},
    {"impala", "td3", "impala+none", NULL, NULL, 50},
    {"vit", "ddpg", "vit+none", "vit.pool", "cls", 50},
    {"vit_mean", "sac", "vit", "vit.pool", "mean", 50},
};

struct subject {
    struct parts parts;
    struct policy policy;
    struct env *env;
    struct export_graph graph;
    float *memory, *past;
};

static void must(enum rl_status status, const struct rl_error *err) {
    if (status != RL_OK) fail_msg("%s", err->message);
}

static void add(struct config *config, const char *dotted, const char *value) {
    char section[32] = "";
    const char *dot = strchr(dotted, '.');
    if (dot) snprintf(section, sizeof section, "%.*s", (int)(dot - dotted), dotted);
    config_add(config, section, dot ? dot + 1 : dotted, value, "test", false);
}

// A snapshot as after a publish: any numbers will do.
static void disturb_snapshot(struct snapshot *snapshot) {
    struct rng rng = rng_seed(5);
    for (int i = 0; i < snapshot->dim; i++) {
        snapshot->mean[i] = (real)rng_range(&rng, -0.5, 0.5);
        snapshot->inverse_std[i] = (real)rng_range(&rng, 0.5, 2);
        for (int j = 0; j < snapshot->dim; j++)
            snapshot->rotation[i * snapshot->dim + j] = (real)rng_range(&rng, -0.4, 0.4);
    }
}

static void subject_open(struct subject *subject, const struct test_case *test) {
    struct rl_error err = {0};
    struct config config = {0};
    struct parts *parts = &subject->parts;
    add(&config, "env", "cartpole");
    add(&config, "encoder", test->encoder);
    add(&config, "env.image_size", SIDE);
    add(&config, "loop.latent_dim", "24");
    char hidden[32];
    snprintf(hidden, sizeof hidden, "%s.hidden", test->agent);
    add(&config, hidden, "40");
    add(&config, "cnn.channels", "12");
    add(&config, "vit.width", "24");
    add(&config, "vit.depth", "2");
    if (test->key) add(&config, test->key, test->value);
    must(parts_read_options(parts, test->agent, &config, &err), &err);
    subject->env = env_create(parts->run.env, &parts->env, 3, &err);
    assert_non_null(subject->env);
    must(parts_create(parts, &config, env_spec(subject->env), true, NULL, NULL, &err), &err);
    if (parts->features == FEATURE_KIND_LATENTS) disturb_snapshot(&parts->snapshot);
    must(policy_init(&subject->policy, parts, &err), &err);
    must(export_graph_create(&subject->graph, &subject->policy, &err), &err);
    subject->memory = MEM_ARRAY(float, subject->graph.memory);
    subject->past = MEM_ARRAY(float, subject->graph.past + 1);
    config_release(&config);
}

static void subject_close(struct subject *subject) {
    mem_free(subject->memory);
    mem_free(subject->past);
    export_graph_release(&subject->graph);
    policy_release(&subject->policy);
    parts_release(&subject->parts);
    env_destroy(subject->env);
}

// What the policy saw and did while it acted in its environment.
struct samples {
    int n;
    size_t each_bytes;
    unsigned char *input;
    float *action, *exported, *past;
    bool *first; // of an episode
};

static void observe(struct subject *subject, struct time_step *step, double *action) {
    struct rl_error err = {0};
    must(step->last ? env_reset(subject->env, step, &err)
                    : env_step(subject->env, action, step, &err),
         &err);
    policy_observe(&subject->policy, step);
    policy_act(&subject->policy, action);
}

static struct samples take_samples(struct subject *subject, int n) {
    const struct export_graph *graph = &subject->graph;
    size_t each = export_input_count(graph) * (graph->pixels ? 1 : sizeof(float));
    struct samples samples = {n, each, mem_alloc((size_t)n * each), NULL, NULL, NULL, NULL};
    samples.past = MEM_ARRAY(float, n * graph->past + 1);
    samples.first = MEM_ARRAY(bool, n);
    samples.action = MEM_ARRAY(float, n * graph->action_dim);
    samples.exported = MEM_ARRAY(float, n * graph->action_dim);
    struct time_step step = {.last = true};
    double action[AGENT_MAX_ACTIONS];
    for (int i = 0; i < n; i++) {
        observe(subject, &step, action);
        unsigned char *input = samples.input + (size_t)i * each;
        const void *seen =
            graph->pixels ? (const void *)subject->policy.stack : subject->policy.row;
        memcpy(input, seen, each);
        for (int j = 0; j < graph->action_dim; j++)
            samples.action[i * graph->action_dim + j] = (float)action[j];
        samples.first[i] = step.first;
        for (int j = 0; j < graph->past; j++)
            samples.past[i * graph->past + j] = (float)subject->policy.row[graph->latent_dim + j];
        export_graph_run(graph, input, subject->past, step.first, subject->memory,
                         samples.exported + i * graph->action_dim);
    }
    return samples;
}

static void release_samples(struct samples *samples) {
    mem_free(samples->input);
    mem_free(samples->action);
    mem_free(samples->exported);
    mem_free(samples->past);
    mem_free(samples->first);
}

static void check_near_own(const struct samples *samples, int action_dim, const char *name) {
    double largest = 0, size = 0;
    for (int i = 0; i < samples->n * action_dim; i++) {
        largest = fmax(largest, fabs((double)samples->exported[i] - (double)samples->action[i]));
        size = fmax(size, fabs((double)samples->action[i]));
    }
    printf("%s: differs from rlrun's own action by at most %.2g\n", name, largest);
    assert_true(size > 1e-3); // something was computed
    assert_true(largest < 1e-5);
}

// --- the C header ---

static const char bare_text[] =
    "#include \"export_%s.h\"\n"
    "void run(struct export_%s *p, const %s *input, int first, float *action);\n"
    "void run(struct export_%s *p, const %s *input, int first, float *action)\n{\n"
    "    if (first) export_%s_begin(p);\n"
    "    export_%s_act_on(p, input, action);\n}\n";

#define BARE_FLAGS "-std=c99 -pedantic -O2 -Wall -Wextra -Werror "

static void write_text(const char *path, const char *text) {
    struct rl_error err = {0};
    must(file_write_atomic(path, text, strlen(text), &err), &err);
}

static void run_shell(const char *command) {
    if (system(command) != 0) fail_msg("failed: %s", command);
}

static bool has_compiler(const char *compiler) {
    char command[64];
    snprintf(command, sizeof command, "command -v %s >/dev/null", compiler);
    return system(command) == 0;
}

typedef void (*run_fn)(void *state, const void *input, int first, float *action);

// Calls the compiled header on every input and compares all bits.
static void check_bits(const struct subject *subject, const struct samples *samples,
                       const char *library) {
    const struct export_graph *graph = &subject->graph;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(handle);
    run_fn run;
    *(void **)&run = dlsym(handle, "run");
    assert_non_null(run);
    size_t floats = graph->memory + (size_t)graph->past;
    void *state = mem_alloc(floats * sizeof(float) + samples->each_bytes + 64);
    float action[AGENT_MAX_ACTIONS];
    for (int i = 0; i < samples->n; i++) {
        const float *wanted = samples->exported + i * graph->action_dim;
        run(state, samples->input + (size_t)i * samples->each_bytes, samples->first[i], action);
        if (memcmp(action, wanted, (size_t)graph->action_dim * sizeof *action) != 0)
            fail_msg("%s gives other bits on input %d", library, i);
    }
    mem_free(state);
    dlclose(handle);
}

static void check_header(const struct subject *subject, const struct test_case *test,
                         const struct samples *samples, const char *compiler) {
    char text[1024], command[512], library[64];
    const char *type = subject->graph.pixels ? "unsigned char" : "float", *name = test->name;
    snprintf(text, sizeof text, bare_text, name, name, type, name, type, name, name);
    write_text("export_bare.c", text);
    snprintf(library, sizeof library, "./export_%s_%s.so", name, compiler);
    // Everything resolved without any library: nothing is called that the header does not have.
    snprintf(command, sizeof command,
             "%s " BARE_FLAGS "-ffreestanding -nostdlib -fno-stack-protector -fPIC -shared "
             "-Wl,-z,defs export_bare.c -o %s",
             compiler, library);
    run_shell(command);
    check_bits(subject, samples, library);
}

// --- files for check_onnx.py ---

static void write_samples(const struct export_graph *graph, const struct samples *samples,
                          const char *path) {
    struct rl_error err = {0};
    const int *dim = graph->input_dim;
    struct st_tensor tensors[3] = {
        {.name = (char *)"input",
         .dtype = graph->pixels ? ST_U8 : ST_F32,
         .ndim = graph->pixels ? 4 : 2,
         .dim = {samples->n, dim[0], dim[1], dim[2]},
         .count = samples->n * (int64_t)export_input_count(graph),
         .data = samples->input},
        {.name = (char *)"action",
         .dtype = ST_F32,
         .ndim = 2,
         .dim = {samples->n, graph->action_dim},
         .count = (int64_t)samples->n * graph->action_dim,
         .data = samples->action},
        {.name = (char *)"past",
         .dtype = ST_F32,
         .ndim = 2,
         .dim = {samples->n, graph->past},
         .count = (int64_t)samples->n * graph->past,
         .data = samples->past},
    };
    must(st_write(path, tensors, graph->past ? 3 : 2, NULL, 0, &err), &err);
}

static void export_case(const struct test_case *test) {
    struct rl_error err = {0};
    struct subject subject = {0};
    char path[64];
    subject_open(&subject, test);
    struct samples samples = take_samples(&subject, test->inputs);
    check_near_own(&samples, subject.graph.action_dim, test->name);
    snprintf(path, sizeof path, "export_%s.h", test->name);
    must(export_write_c(&subject.graph, path, "A test.", &err), &err);
    if (has_compiler("gcc")) check_header(&subject, test, &samples, "gcc");
    if (has_compiler("clang")) check_header(&subject, test, &samples, "clang");
    snprintf(path, sizeof path, "export_%s.onnx", test->name);
    must(export_write_onnx(&subject.graph, path, "A test.", &err), &err);
    snprintf(path, sizeof path, "export_%s.safetensors", test->name);
    write_samples(&subject.graph, &samples, path);
    release_samples(&samples);
    subject_close(&subject);
}

static void test_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) export_case(&cases[i]);
}

// --- the stacking of frames in the header is the policy's ---

static void test_stacking(void **state) {
    (void)state;
    if (!has_compiler("gcc")) skip();
    struct subject subject = {0};
    subject_open(&subject, &cases[2]);
    struct rl_error err = {0};
    must(export_write_c(&subject.graph, "export_stack.h", "A test.", &err), &err);
    write_text("export_stack.c",
               "#include \"export_stack.h\"\n#include <stdio.h>\nstatic struct export_stack p;\n"
               "static unsigned char frame[EXPORT_STACK_HEIGHT * EXPORT_STACK_WIDTH * "
               "EXPORT_STACK_CHANNELS];\n"
               "int main(void)\n{\n    float action[EXPORT_STACK_ACTIONS];\n"
               "    export_stack_begin(&p);\n"
               "    while (fread(frame, sizeof frame, 1, stdin) == 1) {\n"
               "        export_stack_act(&p, frame, action);\n"
               "        fwrite(action, sizeof action, 1, stdout);\n    }\n    return 0;\n}\n");
    enum { FRAMES = 6 };
    float wanted[FRAMES * AGENT_MAX_ACTIONS];
    struct time_step step = {.last = true};
    double action[AGENT_MAX_ACTIONS];
    FILE *file = fopen("export_frames.bin", "wb");
    assert_non_null(file);
    for (int i = 0; i < FRAMES; i++) {
        observe(&subject, &step, action);
        const int *dim = env_spec(subject.env)->frame_dim;
        fwrite(step.frame, 1, (size_t)dim[0] * (size_t)dim[1] * (size_t)dim[2], file);
        export_graph_run(&subject.graph, subject.policy.stack, subject.past, step.first,
                         subject.memory, wanted + i * subject.graph.action_dim);
    }
    fclose(file);
    run_shell("gcc " BARE_FLAGS "export_stack.c -o export_stack && "
              "./export_stack <export_frames.bin >export_actions.bin");
    struct bytes got;
    must(file_read("export_actions.bin", 1 << 20, &got, &err), &err);
    size_t size = (size_t)(FRAMES * subject.graph.action_dim) * sizeof(float);
    assert_int_equal(got.size, size);
    assert_memory_equal(got.data, wanted, size);
    mem_free(got.data);
    subject_close(&subject);
}

// An operation that export does not know is named: here by an agent that acts through one.
static void act_through_elu(struct agent *agent, const struct encoder_input *input, int64_t step,
                            bool explore, real *action) {
    (void)step, (void)explore;
    tape_reset(agent->tape);
    struct tensor *x = tape_input_2d(agent->tape, input->rows, 1, agent->spec.feature_dim);
    *action = op_elu(agent->tape, x)->data[0];
}

static void test_unknown(void **state) {
    (void)state;
    struct subject subject = {0};
    struct rl_error err = {0};
    struct export_graph graph;
    subject_open(&subject, &cases[0]);
    struct agent_ops ops = *subject.parts.agent->ops;
    const struct agent_ops *own = subject.parts.agent->ops;
    ops.act = act_through_elu;
    subject.parts.agent->ops = &ops;
    assert_int_equal(export_graph_create(&graph, &subject.policy, &err), RL_EUSAGE);
    assert_non_null(strstr(err.message, "op_elu"));
    subject.parts.agent->ops = own;
    subject_close(&subject);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_stacking),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
