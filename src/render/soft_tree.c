// Trees of boxes over triangles, by which rays towards a light find what blocks them: split at the
// median along the longest side, in depth-first order with skips, so that the walk needs no stack.
#include <math.h>

#include "base/mem.h"
#include "render/soft_setup.h"

enum { LEAF = 4 };

struct builder {
    struct soft_mesh *mesh;
    int axis;
};

static const float *triangle(const struct soft_mesh *mesh, int i) {
    return mesh->corner + (size_t)mesh->tree_order[i] * 3 * SOFT_CORNER;
}

static float middle(const struct builder *b, int i) {
    const float *c = triangle(b->mesh, i) + b->axis;
    return c[0] + c[SOFT_CORNER] + c[2 * SOFT_CORNER];
}

// Hoare's selection: the k-th triangle along the axis at k, lower ones before it.
static void select_middle(const struct builder *b, int low, int high, int k) {
    int32_t *order = b->mesh->tree_order;
    while (low < high) {
        float pivot = middle(b, (low + high) / 2);
        int i = low, j = high;
        while (i <= j) {
            while (middle(b, i) < pivot) i++;
            while (pivot < middle(b, j)) j--;
            if (i > j) break;
            int32_t keep = order[i];
            order[i++] = order[j], order[j--] = keep;
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            return;
    }
}

static void leaf_box(const struct soft_mesh *mesh, struct soft_node *node) {
    for (int k = 0; k < 3; k++) node->low[k] = 1e30f, node->high[k] = -1e30f;
    for (int i = node->first; i < node->first + node->count; i++) {
        const float *corner = triangle(mesh, i);
        for (int c = 0; c < 3; c++, corner += SOFT_CORNER) {
            for (int k = 0; k < 3; k++) {
                node->low[k] = fminf(node->low[k], corner[k]);
                node->high[k] = fmaxf(node->high[k], corner[k]);
            }
        }
    }
}

static int longest_side(struct soft_mesh *mesh, int first, int count) {
    struct soft_node all = {.first = first, .count = count};
    int axis = 0;
    leaf_box(mesh, &all);
    for (int k = 1; k < 3; k++) {
        if (all.high[k] - all.low[k] > all.high[axis] - all.low[axis]) axis = k;
    }
    return axis;
}

// The recursion halves count: it is at most 24 deep.
static void build(struct builder *b, int first, int count, bool sorted) {
    struct soft_mesh *mesh = b->mesh;
    int index = mesh->node_count++;
    struct soft_node *node = &mesh->node[index];
    node->first = first;
    node->count = count <= LEAF ? count : 0;
    if (count > LEAF) {
        int half = count / 2;
        if (sorted) {
            b->axis = longest_side(mesh, first, count);
            select_middle(b, first, first + count - 1, first + half);
        }
        build(b, first, half, sorted);
        build(b, first + half, count - half, sorted);
    }
    node->skip = mesh->node_count;
}

void soft_tree_update(struct soft_mesh *mesh) {
    for (int i = mesh->node_count - 1; i >= 0; i--) {
        struct soft_node *node = &mesh->node[i];
        if (node->count) {
            leaf_box(mesh, node);
            continue;
        }
        const struct soft_node *one = &mesh->node[i + 1], *two = &mesh->node[one->skip];
        for (int k = 0; k < 3; k++) {
            node->low[k] = fminf(one->low[k], two->low[k]);
            node->high[k] = fmaxf(one->high[k], two->high[k]);
        }
    }
}

enum rl_status soft_tree_reserve(struct soft_mesh *mesh, int count, struct rl_error *err) {
    size_t triangles = (size_t)(count > 1 ? count : 1);
    mem_free(mesh->node), mem_free(mesh->tree_order);
    mesh->node_count = 0;
    mesh->node = mem_try_alloc(mem_size(triangles, 2 * sizeof *mesh->node), "mesh tree", err);
    mesh->tree_order = mem_try_alloc(mem_size(triangles, sizeof(int32_t)), "mesh tree", err);
    return mesh->node && mesh->tree_order ? RL_OK : RL_ENOMEM;
}

void soft_tree_build(struct soft_mesh *mesh, bool sorted) {
    struct builder b = {.mesh = mesh};
    mesh->node_count = 0;
    for (int i = 0; i < mesh->count; i++) mesh->tree_order[i] = i;
    if (mesh->count > 0) build(&b, 0, mesh->count, sorted);
    soft_tree_update(mesh);
}
