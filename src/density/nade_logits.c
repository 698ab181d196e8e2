#include "density/nade_logits.h"

#include <string.h>

#include "density/nade_kernel.h"
#include "math/simd.h"

const struct nade_kernel *nade_kernel(void) {
#ifndef RL_DOUBLE
    if (simd_level() == SIMD_LEVEL_AVX512) return &nade_kernel_avx512;
    if (simd_level() == SIMD_LEVEL_AVX2) return &nade_kernel_avx2;
#endif
    return &nade_kernel_portable;
}

// Weights of all blocks: (blocks, D, NADE_UNITS), units beyond the last are 0 and stay so.
struct nade {
    struct tensor *x, *w, *c, *v, *b, *y;
    int n, d, units, blocks;
    real *wt, *vt, *ct; // ct: (rows of c, blocks, NADE_UNITS)
    real *hidden;       // (blocks, D + 1, NADE_UNITS)
    real *part;         // (blocks, B, D) logits
    real *gw, *gv, *gc; // as wt, vt, ct
};

static size_t block_size(const struct nade *nade) {
    return (size_t)nade->d * NADE_UNITS;
}

static int c_rows(const struct tensor *c) {
    return c->ndim == 2 ? c->dim[0] : 1;
}

static struct nade_row row_of(const struct nade *nade, int block, int i) {
    size_t at = (size_t)block * block_size(nade);
    int own = c_rows(nade->c) > 1 ? i : 0;
    size_t c = ((size_t)own * nade->blocks + block) * NADE_UNITS;
    return (struct nade_row){.d = nade->d,
                             .x = nade->x->data + (size_t)i * nade->d,
                             .w = nade->wt + at,
                             .v = nade->vt + at,
                             .c = nade->ct + c,
                             .hidden =
                                 nade->hidden + (size_t)block * (size_t)(nade->d + 1) * NADE_UNITS,
                             .logit = nade->part + ((size_t)block * nade->n + i) * nade->d,
                             .g = nade->y->grad ? nade->y->grad + (size_t)i * nade->d : NULL,
                             .gw = nade->gw + at,
                             .gv = nade->gv + at,
                             .gc = nade->gc + c};
}

static void forward_block(void *context, int block) {
    const struct nade *nade = context;
    for (int i = 0; i < nade->n; i++) {
        struct nade_row row = row_of(nade, block, i);
        nade_kernel()->forward(&row);
    }
}

static void backward_block(void *context, int block) {
    const struct nade *nade = context;
    for (int i = 0; i < nade->n; i++) {
        struct nade_row row = row_of(nade, block, i);
        nade_kernel()->backward(&row);
    }
}

// The weights to blocks, or (back) the blocks' gradients added to the weights'.
static void exchange(const struct nade *nade, bool back) {
    int d = nade->d, units = nade->units, rows = c_rows(nade->c);
    for (int k = 0; k < units; k++) {
        int block = k / NADE_UNITS, lane = k % NADE_UNITS;
        size_t at = (size_t)block * block_size(nade) + (size_t)lane;
        for (int i = 0; i < d; i++, at += NADE_UNITS) {
            size_t w = (size_t)k * d + i, v = (size_t)i * units + k;
            if (back) {
                nade->w->grad[w] += nade->gw[at];
                nade->v->grad[v] += nade->gv[at];
            } else {
                nade->wt[at] = nade->w->data[w];
                nade->vt[at] = nade->v->data[v];
            }
        }
        for (int i = 0; i < rows; i++) {
            size_t c = ((size_t)i * nade->blocks + block) * NADE_UNITS + lane;
            if (back) {
                nade->c->grad[(size_t)i * units + k] += nade->gc[c];
            } else {
                nade->ct[c] = nade->c->data[(size_t)i * units + k];
            }
        }
    }
}

static real *blocks_new(struct tape *tape, size_t count) {
    real *values = ARENA_ARRAY(tape_arena(tape), real, count);
    return memset(values, 0, count * sizeof(real));
}

static void backward(struct tape *tape, void *context) {
    struct nade *nade = context;
    size_t mark = tape_arena(tape)->used_bytes;
    size_t weights = (size_t)nade->blocks * block_size(nade);
    nade->gw = blocks_new(tape, weights);
    nade->gv = blocks_new(tape, weights);
    nade->gc = blocks_new(tape, (size_t)c_rows(nade->c) * nade->blocks * NADE_UNITS);
    pool_run(tape_pool(tape), nade->blocks, backward_block, nade);
    exchange(nade, true);
    for (int i = 0; i < nade->n; i++) {
        for (int j = 0; j < nade->d; j++)
            nade->b->grad[j] += nade->y->grad[(size_t)i * nade->d + j];
    }
    arena_reset(tape_arena(tape), mark);
}

struct tensor *density_nade_logits(struct tape *tape, struct tensor *x, struct tensor *w,
                                   struct tensor *c, struct tensor *v, struct tensor *b) {
    int units = w->dim[0], d = w->dim[1], n = x->dim[0];
    RL_ASSERT(x->dim[1] == d && v->dim[0] == d && v->dim[1] == units);
    RL_ASSERT(c->ndim == 1 ? c->dim[0] == units : c->dim[0] == n && c->dim[1] == units);
    bool wanted = tape_is_recording(tape) && w->grad;
    struct nade *nade = ARENA_ARRAY(tape_arena(tape), struct nade, 1);
    *nade = (struct nade){.x = x, .w = w, .c = c, .v = v, .b = b, .n = n, .d = d, .units = units};
    nade->blocks = (units + NADE_UNITS - 1) / NADE_UNITS;
    nade->y = tape_new(tape, 2, (int[]){n, d}, wanted);
    size_t weights = (size_t)nade->blocks * block_size(nade);
    nade->wt = blocks_new(tape, weights);
    nade->vt = blocks_new(tape, weights);
    nade->ct = blocks_new(tape, (size_t)c_rows(c) * nade->blocks * NADE_UNITS);
    nade->hidden = ARENA_ARRAY(tape_arena(tape), real, weights + (size_t)nade->blocks * NADE_UNITS);
    nade->part = ARENA_ARRAY(tape_arena(tape), real, (size_t)nade->blocks * n * d);
    exchange(nade, false);
    pool_run(tape_pool(tape), nade->blocks, forward_block, nade);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < d; j++) {
            real sum = b->data[j];
            for (int k = 0; k < nade->blocks; k++)
                sum += nade->part[((size_t)k * n + i) * (size_t)d + j];
            nade->y->data[(size_t)i * d + j] = sum;
        }
    }
    if (wanted) tape_record(tape, backward, nade);
    return nade->y;
}

size_t density_nade_logits_bytes(int rows, int d, int units) {
    size_t blocks = (size_t)(units + NADE_UNITS - 1) / NADE_UNITS, n = (size_t)rows;
    size_t weights = blocks * (size_t)(d + 1) * NADE_UNITS;
    size_t numbers = 5 * weights + 2 * n * blocks * NADE_UNITS + (blocks + 2) * n * (size_t)d;
    return numbers * sizeof(real) + 4096;
}
