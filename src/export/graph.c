#include "export/graph.h"

#include <string.h>

#include "base/mem.h"

// What the trace knows of memory: which numbers are weights, which are whose result.
struct range {
    const real *begin;
    size_t count;
    struct export_ref ref;
};

#define MAX_RANGES 512

struct tracer {
    struct export_graph *graph;
    struct range ranges[MAX_RANGES]; // the newest last: memory is used again
    int n_ranges;
    const uint8_t *pixels;
    enum rl_status status;
    struct rl_error *err;
};

static const char *const op_names[] = {
#define X(op, name) name,
    EXPORT_OPS(X)
#undef X
};

static void fail(struct tracer *tracer, const char *name, const char *why) {
    if (tracer->status != RL_OK) return;
    tracer->status = rl_fail(tracer->err, RL_EUSAGE,
                             "this policy cannot be exported: its operation '%s' %s", name, why);
}

// --- constants ---

static struct export_ref add_constant(struct export_graph *graph, const real *data, int ndim,
                                      const int *dim) {
    struct export_ref ref = {.kind = EXPORT_CONSTANT, .ndim = ndim, .offset = graph->n_constants};
    size_t count = 1;
    for (int i = 0; i < ndim; i++) {
        ref.dim[i] = dim[i];
        count *= (size_t)dim[i];
    }
    size_t needed = graph->n_constants + count;
    if (needed > graph->constants_capacity) {
        size_t capacity = 2 * needed;
        graph->constants =
            mem_grow(graph->constants, graph->constants_capacity * sizeof *graph->constants,
                     capacity * sizeof *graph->constants);
        graph->constants_capacity = capacity;
    }
    for (size_t i = 0; i < count; i++) graph->constants[graph->n_constants + i] = (float)data[i];
    graph->n_constants = needed;
    return ref;
}

// (rows, columns) as (columns, rows).
static struct export_ref add_transposed(struct export_graph *graph, const real *data, int rows,
                                        int columns) {
    struct export_ref ref = add_constant(graph, data, 2, (int[]){columns, rows});
    float *to = graph->constants + ref.offset;
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++)
            to[(size_t)j * rows + i] = (float)data[(size_t)i * columns + j];
    }
    return ref;
}

// --- operands ---

static void remember(struct tracer *tracer, const real *begin, size_t count,
                     struct export_ref ref) {
    RL_ASSERT(tracer->n_ranges < MAX_RANGES);
    tracer->ranges[tracer->n_ranges++] = (struct range){begin, count, ref};
}

static const struct range *find_range(const struct tracer *tracer, const real *data) {
    for (int i = tracer->n_ranges - 1; i >= 0; i--) {
        const struct range *range = &tracer->ranges[i];
        if (data >= range->begin && data < range->begin + range->count) return range;
    }
    return NULL;
}

static bool is_constant(const struct tracer *tracer, const struct tensor *x) {
    const struct range *range = find_range(tracer, x->data);
    return range && range->ref.kind == EXPORT_CONSTANT;
}

static struct export_ref operand(struct tracer *tracer, const char *name, const struct tensor *x) {
    const struct range *range = find_range(tracer, x->data);
    struct export_ref ref = {0};
    if (!range) {
        fail(tracer, name, "reads the result of an operation that has no exported form");
        return ref;
    }
    if (range->ref.kind == EXPORT_CONSTANT)
        return add_constant(tracer->graph, x->data, x->ndim, x->dim);
    if (x->data != range->begin || x->count != range->count) {
        fail(tracer, name, "reads a part of a result");
        return ref;
    }
    ref = range->ref;
    ref.ndim = x->ndim;
    memcpy(ref.dim, x->dim, sizeof ref.dim);
    return ref;
}

// --- operations ---

static struct export_node *add_node(struct export_graph *graph, enum export_op op, int ndim,
                                    const int *dim) {
    if (graph->n_nodes == graph->capacity) {
        int capacity = graph->capacity ? 2 * graph->capacity : 32;
        graph->nodes = mem_grow(graph->nodes, (size_t)graph->capacity * sizeof *graph->nodes,
                                (size_t)capacity * sizeof *graph->nodes);
        graph->capacity = capacity;
    }
    struct export_node *node = &graph->nodes[graph->n_nodes++];
    *node = (struct export_node){.op = op, .ndim = ndim, .count = 1};
    for (int i = 0; i < ndim; i++) {
        node->dim[i] = dim[i];
        node->count *= (size_t)dim[i];
    }
    return node;
}

static struct export_ref newest(const struct export_graph *graph) {
    const struct export_node *node = &graph->nodes[graph->n_nodes - 1];
    struct export_ref ref = {.kind = EXPORT_VALUE, .value = graph->n_nodes - 1, .ndim = node->ndim};
    memcpy(ref.dim, node->dim, sizeof ref.dim);
    return ref;
}

// The operation's place in the table, or -1. Where an operand is broadcast the plain one serves.
static int find_op(const char *name) {
    if (!strcmp(name, "op_add_row")) return EXPORT_ADD;
    if (!strcmp(name, "op_conv_u8")) return EXPORT_CONV;
    for (size_t i = 0; i < sizeof op_names / sizeof *op_names; i++) {
        if (*op_names[i] && !strcmp(op_names[i], name)) return (int)i;
    }
    return -1;
}

static struct export_ref read_pixels(struct tracer *tracer, const struct trace_event *event) {
    struct export_graph *graph = tracer->graph;
    if (event->pixels != tracer->pixels) fail(tracer, event->name, "reads other pixels");
    struct export_node *node =
        add_node(graph, EXPORT_PIXELS, 4,
                 (int[]){1, graph->input_dim[0], graph->input_dim[1], graph->input_dim[2]});
    node->x = (struct export_ref){.kind = EXPORT_INPUT, .ndim = 4};
    memcpy(node->x.dim, node->dim, sizeof node->dim);
    node->scale = (float)event->scale;
    node->shift = (float)event->shift;
    return newest(graph);
}

static void add_operation(struct tracer *tracer, int op, const struct trace_event *event) {
    struct export_graph *graph = tracer->graph;
    const struct tensor *w = event->weight;
    struct export_ref x = event->pixels ? read_pixels(tracer, event)
                                        : operand(tracer, event->name, event->x),
                      weight = {0}, bias = {0};
    if (w && op == EXPORT_LINEAR && is_constant(tracer, w)) {
        weight = add_transposed(graph, w->data, w->dim[0], w->dim[1]);
    } else if (w) {
        weight = operand(tracer, event->name, w);
    }
    if (event->bias) bias = operand(tracer, event->name, event->bias);
    // One observation at a time: pieces of a row are then pieces of memory.
    if ((op == EXPORT_COLUMNS || op == EXPORT_CONCAT) &&
        event->y->dim[event->y->ndim - 1] != (int)event->y->count) {
        fail(tracer, event->name, "joins or cuts more than one row");
    }
    bool layer = op == EXPORT_LINEAR || op == EXPORT_CONV || op == EXPORT_LAYER_NORM;
    if (layer && w && weight.kind != EXPORT_CONSTANT)
        fail(tracer, event->name, "has weights that are computed from the observation");
    struct export_node *node = add_node(graph, (enum export_op)op, event->y->ndim, event->y->dim);
    node->x = x;
    node->weight = weight;
    node->bias = bias;
    node->shift = op == EXPORT_LAYER_NORM ? (float)event->shift : 0;
    node->stride = event->stride;
    node->pad = event->pad;
    node->kernel = event->kernel;
    node->heads = event->heads;
    node->begin = event->begin;
    node->relu = event->relu;
}

// What does not depend on the observation is computed already.
static bool fold(struct tracer *tracer, const struct trace_event *event) {
    if (event->pixels || !is_constant(tracer, event->x)) return false;
    if (event->weight && !is_constant(tracer, event->weight)) return false;
    remember(tracer, event->y->data, event->y->count, (struct export_ref){.kind = EXPORT_CONSTANT});
    return true;
}

static void follow(void *context, const struct trace_event *event) {
    struct tracer *tracer = context;
    if (tracer->status != RL_OK || fold(tracer, event)) return;
    int op = find_op(event->name);
    if (op < 0) {
        fail(tracer, event->name, "has no exported form");
        return;
    }
    add_operation(tracer, op, event);
    if (tracer->status == RL_OK)
        remember(tracer, event->y->data, event->y->count, newest(tracer->graph));
}

static void remember_params(struct tracer *tracer, const struct params *params) {
    remember(tracer, params->value, params->count, (struct export_ref){.kind = EXPORT_CONSTANT});
}

// clip(((z - mean) / std) R): snapshot.h; with those of earlier steps behind it, it is what the
// agent reads as policy->row.
static void add_snapshot(struct tracer *tracer, const struct snapshot *snapshot, const real *row) {
    struct export_graph *graph = tracer->graph;
    int dim[2] = {1, snapshot->dim};
    struct export_node *node = add_node(graph, EXPORT_NORMALISE, 2, dim);
    node->x = (struct export_ref){
        .kind = EXPORT_VALUE, .value = graph->n_nodes - 2, .ndim = 2, .dim = {1, snapshot->dim}};
    node->weight = add_constant(graph, snapshot->mean, 1, &snapshot->dim);
    node->bias = add_constant(graph, snapshot->inverse_std, 1, &snapshot->dim);
    struct export_ref x = newest(graph);
    node = add_node(graph, EXPORT_LINEAR, 2, dim);
    node->x = x;
    node->weight =
        add_constant(graph, snapshot->rotation, 2, (int[]){snapshot->dim, snapshot->dim});
    x = newest(graph);
    if (snapshot->clip > 0) {
        node = add_node(graph, EXPORT_CLIP, 2, dim);
        node->x = x;
        node->scale = (float)snapshot->clip;
    }
    if (graph->past) {
        x = newest(graph);
        node = add_node(graph, EXPORT_RECALL, 2, (int[]){1, snapshot->dim + graph->past});
        node->x = x;
    }
    remember(tracer, row, (size_t)(snapshot->dim + graph->past), newest(graph));
}

static void trace_policy(struct tracer *tracer, struct policy *policy) {
    struct parts *parts = policy->parts;
    struct agent *agent = parts->agent;
    tracer->pixels = policy->stack;
    remember_params(tracer, &agent->params);
    if (parts->features == FEATURE_KIND_STATE) {
        struct export_ref input = {.kind = EXPORT_INPUT};
        remember(tracer, policy->row, (size_t)parts->feature_dim, input);
    } else if (parts->features == FEATURE_KIND_PIXELS) {
        remember_params(tracer, &parts->encoder->params);
    } else {
        remember_params(tracer, &parts->snapshot.params);
        tape_set_trace(policy->tape, follow, tracer);
        snapshot_encode_raw(&parts->snapshot, policy->tape, 1, policy->stack, policy->row);
        tape_set_trace(policy->tape, NULL, NULL);
        if (tracer->status == RL_OK) add_snapshot(tracer, &parts->snapshot, policy->row);
    }
    double action[AGENT_MAX_ACTIONS];
    tape_set_trace(agent->tape, follow, tracer);
    policy_act(policy, action);
    tape_set_trace(agent->tape, NULL, NULL);
}

// --- memory: results that are alive at the same time lie apart ---

static void note_use(struct export_graph *graph, struct export_ref ref, int user) {
    if (ref.kind == EXPORT_VALUE) graph->nodes[ref.value].last_use = user;
}

static bool overlaps(const struct export_node *node, size_t at, size_t count) {
    return at < node->at + node->count && node->at < at + count;
}

// The lowest place of count floats that nothing alive at operation `now` holds.
static size_t find_place(const struct export_graph *graph, int now, size_t count) {
    size_t at = 0;
    for (int i = 0; i < now; i++) {
        const struct export_node *node = &graph->nodes[i];
        if (node->last_use < now || !overlaps(node, at, count)) continue;
        at = node->at + node->count;
        i = -1; // look again from the new place
    }
    return at;
}

static void plan_memory(struct export_graph *graph) {
    for (int i = 0; i < graph->n_nodes; i++) {
        struct export_node *node = &graph->nodes[i];
        note_use(graph, node->x, i);
        note_use(graph, node->weight, i);
        note_use(graph, node->bias, i);
    }
    graph->nodes[graph->n_nodes - 1].last_use = graph->n_nodes;
    for (int i = 0; i < graph->n_nodes; i++) {
        struct export_node *node = &graph->nodes[i];
        size_t scratch = node->op == EXPORT_ATTENTION ? (size_t)node->dim[1] : 0;
        node->at = find_place(graph, i, node->count + scratch);
        node->scratch_at = node->at + node->count;
        size_t end = node->scratch_at + scratch;
        if (end > graph->memory) graph->memory = end;
    }
}

enum rl_status export_graph_create(struct export_graph *graph, struct policy *policy,
                                   struct rl_error *err) {
    const struct parts *parts = policy->parts;
    bool pixels = parts->features != FEATURE_KIND_STATE;
    *graph = (struct export_graph){.pixels = pixels, .action_dim = parts->agent->spec.action_dim};
    if (pixels) {
        memcpy(graph->input_dim, parts->stack_dim, sizeof graph->input_dim);
        graph->frame_channels = parts->stack_dim[2] / (int)parts->loop.frame_stack;
    } else {
        graph->input_dim[0] = parts->feature_dim;
    }
    if (parts->features == FEATURE_KIND_LATENTS) {
        graph->latent_dim = parts->latent_dim;
        graph->past = parts->feature_dim - parts->latent_dim;
    }
    struct tracer *tracer = MEM_NEW(struct tracer);
    *tracer = (struct tracer){.graph = graph, .err = err};
    trace_policy(tracer, policy);
    enum rl_status status = tracer->status;
    mem_free(tracer);
    if (status == RL_OK) plan_memory(graph);
    if (status != RL_OK) export_graph_release(graph);
    return status;
}

void export_graph_release(struct export_graph *graph) {
    mem_free(graph->nodes);
    mem_free(graph->constants);
    *graph = (struct export_graph){0};
}

size_t export_input_count(const struct export_graph *graph) {
    const int *dim = graph->input_dim;
    return graph->pixels ? (size_t)dim[0] * (size_t)dim[1] * (size_t)dim[2] : (size_t)dim[0];
}
