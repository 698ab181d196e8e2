// The exported arithmetic inside rlrun: the same kernels, in the same order, as the C header has.
#include <string.h>

#include "export/graph.h"
#include "export/policy_kernels.h"

struct run {
    const struct export_graph *graph;
    const void *input;
    float *past, *memory;
    bool first;
};

static const float *data(const struct run *run, struct export_ref ref) {
    switch (ref.kind) {
    case EXPORT_NONE: return NULL;
    case EXPORT_CONSTANT: return run->graph->constants + ref.offset;
    case EXPORT_VALUE: return run->memory + run->graph->nodes[ref.value].at;
    case EXPORT_INPUT: return run->input;
    }
    return NULL;
}

static int ref_count(struct export_ref ref) {
    int count = 1;
    for (int i = 0; i < ref.ndim; i++) count *= ref.dim[i];
    return count;
}

static void run_node(const struct run *run, const struct export_node *node) {
    const float *x = data(run, node->x), *w = data(run, node->weight), *b = data(run, node->bias);
    const int *in = node->x.dim, *out = node->dim;
    float *y = run->memory + node->at;
    int n = (int)node->count, width = out[node->ndim - 1], rows = n / width;
    switch (node->op) {
    case EXPORT_PIXELS: rlk_pixels(n, run->input, node->scale, node->shift, y); break;
    case EXPORT_CONV:
        rlk_conv(in[1], in[2], in[3], width, node->kernel, node->stride, node->pad, node->relu, x,
                 w, b, y);
        break;
    case EXPORT_LINEAR:
        rlk_linear(rows, in[node->x.ndim - 1], width, node->relu, x, w, b, y);
        break;
    case EXPORT_LAYER_NORM: rlk_layer_norm(rows, width, w, b, node->shift, x, y); break;
    case EXPORT_ADD: rlk_add(n, x, w, ref_count(node->weight), y); break;
    case EXPORT_RELU: rlk_relu(n, x, y); break;
    case EXPORT_TANH: rlk_tanh(n, x, y); break;
    case EXPORT_GELU: rlk_gelu(n, x, y); break;
    case EXPORT_MAX_POOL:
        rlk_max_pool(in[1], in[2], in[3], node->kernel, node->stride, node->pad, x, y);
        break;
    case EXPORT_MEAN_POOL: rlk_mean_pool(in[1] * in[2], in[3], x, y); break;
    case EXPORT_ATTENTION:
        rlk_attention(out[1], node->heads, width / node->heads, x, run->memory + node->scratch_at,
                      y);
        break;
    case EXPORT_COLUMNS: rlk_copy(n, x + node->begin, y); break;
    case EXPORT_CONCAT:
        rlk_copy(ref_count(node->x), x, y);
        rlk_copy(ref_count(node->weight), w, y + ref_count(node->x));
        break;
    case EXPORT_NORMALISE: rlk_normalise(n, x, w, b, y); break;
    case EXPORT_CLIP: rlk_clip(n, x, node->scale, y); break;
    case EXPORT_RECALL:
        rlk_recall(run->graph->latent_dim, run->graph->past, run->first, x, run->past, y);
        break;
    }
}

void export_graph_run(const struct export_graph *graph, const void *input, float *past, bool first,
                      float *memory, float *action) {
    struct run run = {graph, input, past, memory, first};
    for (int i = 0; i < graph->n_nodes; i++) run_node(&run, &graph->nodes[i]);
    const float *y = memory + graph->nodes[graph->n_nodes - 1].at;
    memcpy(action, y, (size_t)graph->action_dim * sizeof *action);
}
