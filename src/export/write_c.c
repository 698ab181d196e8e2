// A policy as one C99 header: the kernels' text, the weights, and one call a layer.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <policy_kernels_text.h>

#include "base/file.h"
#include "base/text.h"
#include "export/graph.h"

struct writer {
    const struct export_graph *graph;
    struct text text;
    char name[64], upper[64]; // prefix of what the header declares, from the file's name
};

// "my-policy.h" declares my_policy_act.
static void take_name(struct writer *writer, const char *path) {
    const char *slash = strrchr(path, '/'), *stem = slash ? slash + 1 : path;
    size_t length = strcspn(stem, ".");
    if (length == 0 || length >= sizeof writer->name - 1) stem = "policy", length = 6;
    size_t used = 0;
    if (isdigit((unsigned char)stem[0])) writer->name[used++] = '_';
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)stem[i];
        writer->name[used++] = isalnum(c) && c < 128 ? (char)c : '_';
    }
    for (size_t i = 0; i < used; i++)
        writer->upper[i] = (char)toupper((unsigned char)writer->name[i]);
}

static void add_weights(struct writer *writer) {
    const struct export_graph *graph = writer->graph;
    struct text *text = &writer->text;
    text_add(text, "static const float %s_weights[%zu] = {", writer->name, graph->n_constants);
    for (size_t i = 0; i < graph->n_constants; i++) {
        text_add(text, "%s%af,", i % 6 ? " " : "\n    ", (double)graph->constants[i]);
    }
    text_add(text, "\n};\n\n");
}

static const char *place(const struct writer *writer, struct export_ref ref, char out[32]) {
    switch (ref.kind) {
    case EXPORT_NONE: return "0";
    case EXPORT_CONSTANT: snprintf(out, 32, "w + %zu", ref.offset); break;
    case EXPORT_VALUE: snprintf(out, 32, "m + %zu", writer->graph->nodes[ref.value].at); break;
    case EXPORT_INPUT: return "input";
    }
    return out;
}

static int ref_count(struct export_ref ref) {
    int count = 1;
    for (int i = 0; i < ref.ndim; i++) count *= ref.dim[i];
    return count;
}

static void add_call(struct writer *writer, const struct export_node *node) {
    char x_text[32], w_text[32], b_text[32];
    const char *x = place(writer, node->x, x_text), *w = place(writer, node->weight, w_text),
               *b = place(writer, node->bias, b_text);
    const int *in = node->x.dim, *out = node->dim;
    struct text *t = &writer->text;
    int n = (int)node->count, width = out[node->ndim - 1], rows = n / width;
    size_t y = node->at;
    text_add(t, "    ");
    switch (node->op) {
    case EXPORT_PIXELS:
        text_add(t, "rlk_pixels(%d, input, %af, %af, m + %zu);\n", n, (double)node->scale,
                 (double)node->shift, y);
        break;
    case EXPORT_CONV:
        text_add(t, "rlk_conv(%d, %d, %d, %d, %d, %d, %d, %d, %s, %s, %s, m + %zu);\n", in[1],
                 in[2], in[3], width, node->kernel, node->stride, node->pad, node->relu, x, w, b,
                 y);
        break;
    case EXPORT_LINEAR:
        text_add(t, "rlk_linear(%d, %d, %d, %d, %s, %s, %s, m + %zu);\n", rows,
                 in[node->x.ndim - 1], width, node->relu, x, w, b, y);
        break;
    case EXPORT_LAYER_NORM:
        text_add(t, "rlk_layer_norm(%d, %d, %s, %s, %af, %s, m + %zu);\n", rows, width, w, b,
                 (double)node->shift, x, y);
        break;
    case EXPORT_ADD:
        text_add(t, "rlk_add(%d, %s, %s, %d, m + %zu);\n", n, x, w, ref_count(node->weight), y);
        break;
    case EXPORT_RELU: text_add(t, "rlk_relu(%d, %s, m + %zu);\n", n, x, y); break;
    case EXPORT_TANH: text_add(t, "rlk_tanh(%d, %s, m + %zu);\n", n, x, y); break;
    case EXPORT_GELU: text_add(t, "rlk_gelu(%d, %s, m + %zu);\n", n, x, y); break;
    case EXPORT_MAX_POOL:
        text_add(t, "rlk_max_pool(%d, %d, %d, %d, %d, %d, %s, m + %zu);\n", in[1], in[2], in[3],
                 node->kernel, node->stride, node->pad, x, y);
        break;
    case EXPORT_MEAN_POOL:
        text_add(t, "rlk_mean_pool(%d, %d, %s, m + %zu);\n", in[1] * in[2], in[3], x, y);
        break;
    case EXPORT_ATTENTION:
        text_add(t, "rlk_attention(%d, %d, %d, %s, m + %zu, m + %zu);\n", out[1], node->heads,
                 width / node->heads, x, node->scratch_at, y);
        break;
    case EXPORT_COLUMNS:
        text_add(t, "rlk_copy(%d, %s + %d, m + %zu);\n", n, x, node->begin, y);
        break;
    case EXPORT_CONCAT:
        text_add(t, "rlk_copy(%d, %s, m + %zu);\n", ref_count(node->x), x, y);
        text_add(t, "    rlk_copy(%d, %s, m + %zu);\n", ref_count(node->weight), w,
                 y + (size_t)ref_count(node->x));
        break;
    case EXPORT_NORMALISE:
        text_add(t, "rlk_normalise(%d, %s, %s, %s, m + %zu);\n", n, x, w, b, y);
        break;
    case EXPORT_CLIP:
        text_add(t, "rlk_clip(%d, %s, %af, m + %zu);\n", n, x, (double)node->scale, y);
        break;
    case EXPORT_RECALL:
        text_add(t, "rlk_recall(%d, %d, !p->begun, %s, p->past, m + %zu);\n",
                 writer->graph->latent_dim, writer->graph->past, x, y);
        break;
    }
}

static void add_begin(struct writer *writer) {
    text_add(&writer->text,
             "/* Before an episode's first step: what was seen before is forgotten. */\n"
             "static inline void %s_begin(struct %s *p)\n{\n    p->begun = 0;\n}\n\n",
             writer->name, writer->name);
}

// NAME_act_on: from a whole input to an action.
static void add_network(struct writer *writer) {
    const struct export_graph *graph = writer->graph;
    struct text *t = &writer->text;
    const char *name = writer->name;
    text_add(t,
             "/* One action from %s: the network without the stacking of frames. */\n"
             "static inline void %s_act_on(struct %s *p, const %s *input, float *action)\n{\n"
             "    const float *w = %s_weights;\n    float *m = p->memory;\n",
             graph->pixels ? "a whole stack, (height, width, stack) bytes" : "an observation", name,
             name, graph->pixels ? "unsigned char" : "float", name);
    for (int i = 0; i < graph->n_nodes; i++) add_call(writer, &graph->nodes[i]);
    text_add(t, "    rlk_copy(%d, m + %zu, action);\n    p->begun = 1;\n}\n\n", graph->action_dim,
             graph->nodes[graph->n_nodes - 1].at);
}

static void add_stacking(struct writer *writer) {
    const char *name = writer->name, *upper = writer->upper;
    text_add(&writer->text,
             "/* One action from the newest frame, (height, width, channels) bytes. */\n"
             "static inline void %s_act(struct %s *p, const unsigned char *frame, float *action)\n"
             "{\n"
             "    int i, c;\n"
             "    for (i = 0; i < %s_HEIGHT * %s_WIDTH; i++) {\n"
             "        unsigned char *out = p->stack + (long)i * %s_STACK;\n"
             "        const unsigned char *in = frame + (long)i * %s_CHANNELS;\n"
             "        for (c = 0; c < %s_STACK - %s_CHANNELS; c++)\n"
             "            out[c] = p->begun ? out[c + %s_CHANNELS] : in[c %% %s_CHANNELS];\n"
             "        for (c = 0; c < %s_CHANNELS; c++) out[%s_STACK - %s_CHANNELS + c] = in[c];\n"
             "    }\n"
             "    %s_act_on(p, p->stack, action);\n"
             "}\n\n",
             name, name, upper, upper, upper, upper, upper, upper, upper, upper, upper, upper,
             upper, name);
}

static void add_declarations(struct writer *writer) {
    const struct export_graph *graph = writer->graph;
    struct text *t = &writer->text;
    const int *dim = graph->input_dim;
    text_add(t, "#define %s_ACTIONS %d /* in [-1, 1] */\n", writer->upper, graph->action_dim);
    if (graph->pixels) {
        text_add(t,
                 "#define %s_HEIGHT %d\n#define %s_WIDTH %d\n#define %s_CHANNELS %d /* of a frame: "
                 "red, green, blue */\n#define %s_STACK %d /* channels of the stacked frames, the "
                 "newest last */\n",
                 writer->upper, dim[0], writer->upper, dim[1], writer->upper, graph->frame_channels,
                 writer->upper, dim[2]);
    } else {
        text_add(t, "#define %s_OBSERVATION %d\n", writer->upper, dim[0]);
    }
    text_add(t, "\nstruct %s {\n    float memory[%zu];\n", writer->name, graph->memory);
    if (graph->past) text_add(t, "    float past[%d];\n", graph->past);
    if (graph->pixels) text_add(t, "    unsigned char stack[%zu];\n", export_input_count(graph));
    text_add(t, "    int begun;\n};\n\n");
}

static void add_head(struct writer *writer, const char *about_text) {
    char about[256]; // inside a comment, which it must not end
    snprintf(about, sizeof about, "%s", about_text);
    for (char *at = about; *at; at++) *at = *at == '*' ? '+' : *at;
    const char *name = writer->name;
    bool pixels = writer->graph->pixels;
    text_add(&writer->text,
             "/* %s\n * A policy by rlrun %s: plain C99, no library, no allocation.\n *\n"
             " *     static struct %s p;\n%s"
             " *     %s_act%s(&p, %s, action); each step\n *\n"
             " * All state is in the struct: several policies can run side by side. */\n"
             "#ifndef RLRUN_%s_H\n#define RLRUN_%s_H\n\n",
             about, RLRUN_VERSION, name,
             pixels ? " *     (zeroed, or begin it before each episode's first frame)\n" : "", name,
             pixels ? "" : "_on", pixels ? "frame" : "observation", writer->upper, writer->upper);
    text_add_bytes(&writer->text, (const char *)policy_kernels_text, sizeof policy_kernels_text);
    text_add(&writer->text, "\n");
}

enum rl_status export_write_c(const struct export_graph *graph, const char *path, const char *about,
                              struct rl_error *err) {
    struct writer writer = {.graph = graph};
    take_name(&writer, path);
    add_head(&writer, about);
    add_declarations(&writer);
    add_weights(&writer);
    add_begin(&writer);
    add_network(&writer);
    if (graph->pixels) add_stacking(&writer);
    text_add(&writer.text, "#endif\n");
    enum rl_status status = file_write_atomic(path, writer.text.data, writer.text.length, err);
    text_release(&writer.text);
    return status;
}
