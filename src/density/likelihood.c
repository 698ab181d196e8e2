#include "density/likelihood.h"

#include <math.h>
#include <string.h>

struct tensor *density_log_likelihood(struct tape *tape, struct tensor *logits, struct tensor *x) {
    // x log p + (1 - x) log(1 - p) = x a - softplus(a)
    struct tensor *each = op_sub(tape, op_mul(tape, x, logits), op_softplus(tape, logits));
    return op_sum_columns(tape, each);
}

void density_mask(int n_out, const int *out_degree, int n_in, const int *in_degree,
                  bool output_layer, real *mask) {
    for (int i = 0; i < n_out; i++) {
        for (int j = 0; j < n_in; j++) {
            bool open = output_layer ? out_degree[i] > in_degree[j] : out_degree[i] >= in_degree[j];
            mask[(size_t)i * n_in + j] = open;
        }
    }
}

struct tensor *density_masked_linear(struct tape *tape, struct tensor *x, struct tensor *w,
                                     const real *mask, struct tensor *b) {
    struct tensor *open = tape_input(tape, mask, w->ndim, w->dim);
    return op_linear(tape, x, op_mul(tape, w, open), b, false);
}

// --- NADE, one row at a time ---

struct nade {
    struct tensor *x, *w, *c, *v, *b, *y;
    real *hidden; // (D, H) of the row at hand
};

static void nade_hidden(const struct nade *nade, const real *x, real *sum) {
    int units = nade->w->dim[0], d = nade->w->dim[1];
    memcpy(sum, nade->c->data, (size_t)units * sizeof *sum);
    for (int i = 0; i < d; i++) {
        real *h = nade->hidden + (size_t)i * units;
        for (int k = 0; k < units; k++) h[k] = 1 / (1 + (real)exp(-(double)sum[k]));
        if (x[i] == 0) continue;
        for (int k = 0; k < units; k++) sum[k] += x[i] * nade->w->data[(size_t)k * d + i];
    }
}

static void nade_backward(struct tape *tape, void *context) {
    const struct nade *nade = context;
    int units = nade->w->dim[0], d = nade->w->dim[1];
    size_t mark = tape_arena(tape)->used_bytes;
    real *sum = ARENA_ARRAY(tape_arena(tape), real, units); // gradient of the sums, from the end
    for (int row = 0; row < nade->x->dim[0]; row++) {
        const real *x = nade->x->data + (size_t)row * d, *g = nade->y->grad + (size_t)row * d;
        nade_hidden(nade, x, sum);
        memset(sum, 0, (size_t)units * sizeof *sum);
        for (int i = d; i-- > 0;) {
            const real *h = nade->hidden + (size_t)i * units,
                       *v = nade->v->data + (size_t)i * units;
            real *gv = nade->v->grad + (size_t)i * units;
            nade->b->grad[i] += g[i];
            for (int k = 0; k < units; k++) {
                nade->w->grad[(size_t)k * d + i] += x[i] * sum[k];
                gv[k] += g[i] * h[k];
                sum[k] += g[i] * v[k] * h[k] * (1 - h[k]);
            }
        }
        for (int k = 0; k < units; k++) nade->c->grad[k] += sum[k];
    }
    arena_reset(tape_arena(tape), mark);
}

struct tensor *density_nade(struct tape *tape, struct tensor *x, struct tensor *w, struct tensor *c,
                            struct tensor *v, struct tensor *b) {
    int units = w->dim[0], d = w->dim[1], n = x->dim[0];
    RL_ASSERT(x->dim[1] == d && v->dim[0] == d && v->dim[1] == units);
    bool wanted = tape_is_recording(tape) && w->grad;
    struct nade *nade = ARENA_ARRAY(tape_arena(tape), struct nade, 1);
    *nade = (struct nade){x,
                          w,
                          c,
                          v,
                          b,
                          tape_new(tape, 2, (int[]){n, d}, wanted),
                          ARENA_ARRAY(tape_arena(tape), real, (size_t)d * units)};
    real *sum = ARENA_ARRAY(tape_arena(tape), real, units);
    for (int row = 0; row < n; row++) {
        nade_hidden(nade, x->data + (size_t)row * d, sum);
        for (int i = 0; i < d; i++) {
            const real *h = nade->hidden + (size_t)i * units, *own = v->data + (size_t)i * units;
            real logit = b->data[i];
            for (int k = 0; k < units; k++) logit += own[k] * h[k];
            nade->y->data[(size_t)row * d + i] = logit;
        }
    }
    if (wanted) tape_record(tape, nade_backward, nade);
    return nade->y;
}

struct tensor *density_nce(struct tape *tape, struct tensor *data, struct tensor *noise,
                           struct tensor *data_log_noise, struct tensor *noise_log_noise) {
    // delta = score - log(K p_noise); -log sigmoid(delta) = softplus(-delta)
    double log_k = log(noise->dim[1]);
    struct tensor *own = op_affine(tape, op_sub(tape, data, data_log_noise), -1, log_k);
    struct tensor *other = op_affine(tape, op_sub(tape, noise, noise_log_noise), 1, -log_k);
    return op_add(tape, op_softplus(tape, own), op_sum_columns(tape, op_softplus(tape, other)));
}
