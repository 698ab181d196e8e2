// A policy as an ONNX model. Results keep our layout (batch, height, width, channels); around a
// convolution or a pool they are turned to ONNX's, and runtimes cancel the turns that meet.
#include <math.h>
#include <onnx.pb-c.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "export/graph.h"

#define OPSET      17
#define IR_VERSION 8
#define TYPE_FLOAT 1
#define TYPE_U8    2
#define TYPE_INT64 7

#define NODES_EACH      16 // at most, of one operation of ours
#define ATTRIBUTE_FLOAT 1
#define ATTRIBUTE_INT   2
#define ATTRIBUTE_INTS  7

struct builder {
    const struct export_graph *graph;
    struct arena arena; // everything that the model points to
    RlrunOnnx__Node **nodes;
    RlrunOnnx__Tensor **tensors;
    size_t n_nodes, n_tensors, limit;
    int n_names;
};

#define NEW(builder, type) ARENA_ARRAY(&(builder)->arena, type, 1)

static char *format_name(struct builder *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static char *format_name(struct builder *b, const char *format, ...) {
    char *name = ARENA_ARRAY(&b->arena, char, 32);
    va_list args;
    va_start(args, format);
    vsnprintf(name, 32, format, args);
    va_end(args);
    return name;
}

// --- initializers ---

static char *add_tensor(struct builder *b, int type, int ndim, const int *dim, const void *data,
                        size_t bytes) {
    RL_ASSERT(b->n_tensors < b->limit);
    RlrunOnnx__Tensor *tensor = NEW(b, RlrunOnnx__Tensor);
    rlrun_onnx__tensor__init(tensor);
    tensor->name = format_name(b, "c%d", b->n_names++);
    tensor->has_data_type = 1;
    tensor->data_type = type;
    tensor->n_dims = (size_t)ndim;
    tensor->dims = ARENA_ARRAY(&b->arena, int64_t, ndim + 1);
    for (int i = 0; i < ndim; i++) tensor->dims[i] = dim[i];
    tensor->has_raw_data = 1;
    tensor->raw_data.len = bytes;
    tensor->raw_data.data = arena_alloc(&b->arena, bytes);
    memcpy(tensor->raw_data.data, data, bytes);
    b->tensors[b->n_tensors++] = tensor;
    return tensor->name;
}

static char *add_scalar(struct builder *b, float value) {
    return add_tensor(b, TYPE_FLOAT, 0, NULL, &value, sizeof value);
}

static char *add_ints(struct builder *b, int n, const int *values) {
    int64_t wide[8];
    for (int i = 0; i < n; i++) wide[i] = values[i];
    return add_tensor(b, TYPE_INT64, 1, &n, wide, (size_t)n * sizeof *wide);
}

static char *add_floats(struct builder *b, struct export_ref ref) {
    size_t count = 1;
    for (int i = 0; i < ref.ndim; i++) count *= (size_t)ref.dim[i];
    return add_tensor(b, TYPE_FLOAT, ref.ndim, ref.dim, b->graph->constants + ref.offset,
                      count * sizeof(float));
}

// (k, k, in, out) as (out, in, k, k).
static char *add_kernel(struct builder *b, struct export_ref ref) {
    int k = ref.dim[0], in = ref.dim[2], out = ref.dim[3];
    const float *from = b->graph->constants + ref.offset;
    size_t count = (size_t)k * k * in * out;
    float *to = ARENA_ARRAY(&b->arena, float, count);
    for (int spot = 0; spot < k * k; spot++) {
        for (int i = 0; i < in; i++) {
            for (int o = 0; o < out; o++)
                to[((size_t)o * in + i) * k * k + spot] = from[((size_t)spot * in + i) * out + o];
        }
    }
    return add_tensor(b, TYPE_FLOAT, 4, (int[]){out, in, k, k}, to, count * sizeof *to);
}

// --- nodes ---

// inputs: up to three names, NULL ends. Returns the node; its output is a new name.
static RlrunOnnx__Node *add_node(struct builder *b, const char *op, char *first, char *second,
                                 char *third) {
    RL_ASSERT(b->n_nodes < b->limit);
    RlrunOnnx__Node *node = NEW(b, RlrunOnnx__Node);
    rlrun_onnx__node__init(node);
    char *inputs[] = {first, second, third};
    node->op_type = (char *)op;
    node->input = ARENA_ARRAY(&b->arena, char *, 5);
    for (int i = 0; i < 3 && inputs[i]; i++) node->input[node->n_input++] = inputs[i];
    node->output = ARENA_ARRAY(&b->arena, char *, 3);
    node->output[node->n_output++] = format_name(b, "v%d", b->n_names++);
    node->attribute = ARENA_ARRAY(&b->arena, RlrunOnnx__Attribute *, 4);
    b->nodes[b->n_nodes++] = node;
    return node;
}

static char *add_simple(struct builder *b, const char *op, char *first, char *second) {
    return add_node(b, op, first, second, NULL)->output[0];
}

static RlrunOnnx__Attribute *add_attribute(struct builder *b, RlrunOnnx__Node *node,
                                           const char *name, int type) {
    RlrunOnnx__Attribute *attribute = NEW(b, RlrunOnnx__Attribute);
    rlrun_onnx__attribute__init(attribute);
    attribute->name = (char *)name;
    attribute->has_type = 1;
    attribute->type = type;
    node->attribute[node->n_attribute++] = attribute;
    return attribute;
}

static void set_int(struct builder *b, RlrunOnnx__Node *node, const char *name, int value) {
    RlrunOnnx__Attribute *attribute = add_attribute(b, node, name, ATTRIBUTE_INT);
    attribute->has_i = 1;
    attribute->i = value;
}

static void set_ints(struct builder *b, RlrunOnnx__Node *node, const char *name, int n,
                     const int *values) {
    RlrunOnnx__Attribute *attribute = add_attribute(b, node, name, ATTRIBUTE_INTS);
    attribute->n_ints = (size_t)n;
    attribute->ints = ARENA_ARRAY(&b->arena, int64_t, n);
    for (int i = 0; i < n; i++) attribute->ints[i] = values[i];
}

static char *transpose(struct builder *b, char *x, int a0, int a1, int a2, int a3) {
    RlrunOnnx__Node *node = add_node(b, "Transpose", x, NULL, NULL);
    set_ints(b, node, "perm", 4, (int[]){a0, a1, a2, a3});
    return node->output[0];
}

static char *reshape(struct builder *b, char *x, int ndim, const int *dim) {
    return add_simple(b, "Reshape", x, add_ints(b, ndim, dim));
}

// --- our operations; names[i] is the result of operation i ---

static char *operand(struct builder *b, char *const *names, struct export_ref ref) {
    if (ref.kind == EXPORT_NONE) return NULL;
    if (ref.kind == EXPORT_CONSTANT) return add_floats(b, ref);
    if (ref.kind == EXPORT_INPUT) return (char *)(b->graph->pixels ? "pixels" : "observation");
    const struct export_node *node = &b->graph->nodes[ref.value];
    bool same =
        node->ndim == ref.ndim && !memcmp(node->dim, ref.dim, (size_t)ref.ndim * sizeof(int));
    return same ? names[ref.value] : reshape(b, names[ref.value], ref.ndim, ref.dim);
}

static void set_window(struct builder *b, RlrunOnnx__Node *node, const struct export_node *from) {
    int k = from->kernel, s = from->stride, p = from->pad;
    set_ints(b, node, "kernel_shape", 2, (int[]){k, k});
    set_ints(b, node, "strides", 2, (int[]){s, s});
    set_ints(b, node, "pads", 4, (int[]){p, p, p, p});
}

static char *make_window(struct builder *b, const struct export_node *node, char *x) {
    bool conv = node->op == EXPORT_CONV;
    char *weight = conv ? add_kernel(b, node->weight) : NULL;
    char *bias = conv && node->bias.kind ? add_floats(b, node->bias) : NULL;
    RlrunOnnx__Node *made =
        add_node(b, conv ? "Conv" : "MaxPool", transpose(b, x, 0, 3, 1, 2), weight, bias);
    set_window(b, made, node);
    char *y = made->output[0];
    if (node->relu) y = add_simple(b, "Relu", y, NULL);
    return transpose(b, y, 0, 2, 3, 1);
}

static char *make_layer_norm(struct builder *b, const struct export_node *node, char *x, char *w,
                             char *bias) {
    int width = node->dim[node->ndim - 1];
    float *ones = ARENA_ARRAY(&b->arena, float, width);
    for (int i = 0; i < width; i++) ones[i] = 1;
    if (!w) w = add_tensor(b, TYPE_FLOAT, 1, &width, ones, (size_t)width * sizeof *ones);
    RlrunOnnx__Node *made = add_node(b, "LayerNormalization", x, w, bias);
    set_int(b, made, "axis", -1);
    RlrunOnnx__Attribute *epsilon = add_attribute(b, made, "epsilon", ATTRIBUTE_FLOAT);
    epsilon->has_f = 1;
    epsilon->f = node->shift;
    return made->output[0];
}

static char *make_gelu(struct builder *b, char *x) {
    char *erf = add_simple(b, "Erf", add_simple(b, "Mul", x, add_scalar(b, 0.70710678f)), NULL);
    char *gate = add_simple(b, "Add", erf, add_scalar(b, 1));
    return add_simple(b, "Mul", add_simple(b, "Mul", x, gate), add_scalar(b, 0.5f));
}

static char *make_attention(struct builder *b, const struct export_node *node, char *x) {
    int tokens = node->dim[1], width = node->dim[2], heads = node->heads, size = width / heads;
    char *parts = reshape(b, x, 4, (int[]){tokens, 3, heads, size});
    RlrunOnnx__Node *split =
        add_node(b, "Split", transpose(b, parts, 1, 2, 0, 3), NULL, NULL); // (3, H, T, D)
    set_int(b, split, "axis", 0);
    for (int i = 0; i < 2; i++)
        split->output[split->n_output++] = format_name(b, "v%d", b->n_names++);
    char *keys = transpose(b, split->output[1], 0, 1, 3, 2);
    char *score = add_simple(b, "MatMul", split->output[0], keys);
    score = add_simple(b, "Mul", score, add_scalar(b, 1.0f / sqrtf((float)size)));
    RlrunOnnx__Node *softmax = add_node(b, "Softmax", score, NULL, NULL);
    set_int(b, softmax, "axis", -1);
    char *mixed = add_simple(b, "MatMul", softmax->output[0], split->output[2]);
    return reshape(b, transpose(b, mixed, 0, 2, 1, 3), 3, (int[]){1, tokens, width});
}

static char *make_columns(struct builder *b, const struct export_node *node, char *x) {
    int axis = node->ndim - 1, end = node->begin + node->dim[axis];
    RlrunOnnx__Node *made =
        add_node(b, "Slice", x, add_ints(b, 1, &node->begin), add_ints(b, 1, &end));
    made->input[made->n_input++] = add_ints(b, 1, &axis);
    return made->output[0];
}

static char *make_pixels(struct builder *b, const struct export_node *node, char *x) {
    RlrunOnnx__Node *cast = add_node(b, "Cast", x, NULL, NULL);
    set_int(b, cast, "to", TYPE_FLOAT);
    char *scaled = add_simple(b, "Mul", cast->output[0], add_scalar(b, node->scale));
    return add_simple(b, "Add", scaled, add_scalar(b, node->shift));
}

static char *make_linear(struct builder *b, const struct export_node *node, char *x, char *w,
                         char *bias) {
    char *y = add_simple(b, "MatMul", x, w);
    if (bias) y = add_simple(b, "Add", y, bias);
    return node->relu ? add_simple(b, "Relu", y, NULL) : y;
}

static char *build(struct builder *b, char *const *names, const struct export_node *node) {
    char *x = operand(b, names, node->x);
    if (node->op == EXPORT_CONV || node->op == EXPORT_MAX_POOL) return make_window(b, node, x);
    char *w = operand(b, names, node->weight), *bias = operand(b, names, node->bias);
    RlrunOnnx__Node *made;
    switch (node->op) {
    case EXPORT_CONV:
    case EXPORT_MAX_POOL: break;
    case EXPORT_PIXELS: return make_pixels(b, node, x);
    case EXPORT_LINEAR: return make_linear(b, node, x, w, bias);
    case EXPORT_LAYER_NORM: return make_layer_norm(b, node, x, w, bias);
    case EXPORT_ADD: return add_simple(b, "Add", x, w);
    case EXPORT_RELU: return add_simple(b, "Relu", x, NULL);
    case EXPORT_TANH: return add_simple(b, "Tanh", x, NULL);
    case EXPORT_GELU: return make_gelu(b, x);
    case EXPORT_MEAN_POOL:
        made = add_node(b, "ReduceMean", x, NULL, NULL);
        set_ints(b, made, "axes", 2, (int[]){1, 2});
        set_int(b, made, "keepdims", 0);
        return made->output[0];
    case EXPORT_ATTENTION: return make_attention(b, node, x);
    case EXPORT_COLUMNS: return make_columns(b, node, x);
    case EXPORT_CONCAT:
        made = add_node(b, "Concat", x, w, NULL);
        set_int(b, made, "axis", node->ndim - 1);
        return made->output[0];
    case EXPORT_NORMALISE: return add_simple(b, "Mul", add_simple(b, "Sub", x, w), bias);
    case EXPORT_RECALL:
        add_node(b, "Identity", x, NULL, NULL)->output[0] = (char *)"latent";
        made = add_node(b, "Concat", x, (char *)"past", NULL);
        set_int(b, made, "axis", 1);
        return made->output[0];
    case EXPORT_CLIP:
        made = add_node(b, "Clip", x, add_scalar(b, -node->scale), add_scalar(b, node->scale));
        return made->output[0];
    }
    RL_ASSERT(false);
    return NULL;
}

static void build_all(struct builder *b) {
    const struct export_graph *graph = b->graph;
    char **names = ARENA_ARRAY(&b->arena, char *, graph->n_nodes);
    for (int i = 0; i < graph->n_nodes; i++) names[i] = build(b, names, &graph->nodes[i]);
    RlrunOnnx__Node *last = add_node(b, "Identity", names[graph->n_nodes - 1], NULL, NULL);
    last->output[0] = (char *)"action";
}

// --- the model ---

static RlrunOnnx__ValueInfo *new_value(struct builder *b, const char *name, int type, int ndim,
                                       const int *dim) {
    RlrunOnnx__ValueInfo *info = NEW(b, RlrunOnnx__ValueInfo);
    rlrun_onnx__value_info__init(info);
    info->name = (char *)name;
    info->type = NEW(b, RlrunOnnx__Type);
    rlrun_onnx__type__init(info->type);
    RlrunOnnx__TensorType *tensor = info->type->tensor_type = NEW(b, RlrunOnnx__TensorType);
    rlrun_onnx__tensor_type__init(tensor);
    tensor->has_elem_type = 1;
    tensor->elem_type = type;
    RlrunOnnx__Shape *shape = tensor->shape = NEW(b, RlrunOnnx__Shape);
    rlrun_onnx__shape__init(shape);
    shape->dim = ARENA_ARRAY(&b->arena, RlrunOnnx__Dimension *, ndim);
    for (int i = 0; i < ndim; i++) {
        RlrunOnnx__Dimension *each = shape->dim[shape->n_dim++] = NEW(b, RlrunOnnx__Dimension);
        rlrun_onnx__dimension__init(each);
        each->has_dim_value = 1;
        each->dim_value = dim[i];
    }
    return info;
}

static enum rl_status write_model(struct builder *b, const char *path, const char *about,
                                  struct rl_error *err) {
    const struct export_graph *graph = b->graph;
    const int *dim = graph->input_dim;
    RlrunOnnx__Graph network = RLRUN_ONNX__GRAPH__INIT;
    network.name = (char *)"policy";
    network.node = b->nodes;
    network.n_node = b->n_nodes;
    network.initializer = b->tensors;
    network.n_initializer = b->n_tensors;
    RlrunOnnx__ValueInfo *inputs[] = {
        graph->pixels ? new_value(b, "pixels", TYPE_U8, 4, (int[]){1, dim[0], dim[1], dim[2]})
                      : new_value(b, "observation", TYPE_FLOAT, 2, (int[]){1, dim[0]}),
        new_value(b, "past", TYPE_FLOAT, 2, (int[]){1, graph->past}),
    };
    RlrunOnnx__ValueInfo *outputs[] = {
        new_value(b, "action", TYPE_FLOAT, 2, (int[]){1, graph->action_dim}),
        new_value(b, "latent", TYPE_FLOAT, 2, (int[]){1, graph->latent_dim}),
    };
    network.n_input = network.n_output = graph->past ? 2 : 1;
    network.input = inputs;
    network.output = outputs;
    RlrunOnnx__OperatorSet set = RLRUN_ONNX__OPERATOR_SET__INIT, *sets[] = {&set};
    set.domain = (char *)"";
    set.has_version = 1;
    set.version = OPSET;
    RlrunOnnx__Model model = RLRUN_ONNX__MODEL__INIT;
    model.has_ir_version = 1;
    model.ir_version = IR_VERSION;
    model.producer_name = (char *)"rlrun";
    model.producer_version = (char *)RLRUN_VERSION;
    model.doc_string = (char *)about;
    model.graph = &network;
    model.n_opset_import = 1;
    model.opset_import = sets;
    size_t size = rlrun_onnx__model__get_packed_size(&model);
    uint8_t *bytes = mem_alloc(size);
    rlrun_onnx__model__pack(&model, bytes);
    enum rl_status status = file_write_atomic(path, bytes, size, err);
    mem_free(bytes);
    return status;
}

enum rl_status export_write_onnx(const struct export_graph *graph, const char *path,
                                 const char *about, struct rl_error *err) {
    struct builder b = {.graph = graph, .limit = (size_t)NODES_EACH * (graph->n_nodes + 1)};
    // Weights at most twice (turned convolutions), and small objects for each node.
    size_t bytes = 2 * graph->n_constants * sizeof(float) + b.limit * 4096 + (1 << 20);
    enum rl_status status = arena_init(&b.arena, bytes, err);
    if (status != RL_OK) return status;
    b.nodes = ARENA_ARRAY(&b.arena, RlrunOnnx__Node *, b.limit);
    b.tensors = ARENA_ARRAY(&b.arena, RlrunOnnx__Tensor *, b.limit);
    build_all(&b);
    status = write_model(&b, path, about, err);
    arena_release(&b.arena);
    return status;
}
