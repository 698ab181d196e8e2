#include "density/likelihood.h"

#include <math.h>

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

struct tensor *density_nce(struct tape *tape, struct tensor *data, struct tensor *noise,
                           struct tensor *data_log_noise, struct tensor *noise_log_noise) {
    // delta = score - log(K p_noise); -log sigmoid(delta) = softplus(-delta)
    double log_k = log(noise->dim[1]);
    struct tensor *own = op_affine(tape, op_sub(tape, data, data_log_noise), -1, log_k);
    struct tensor *other = op_affine(tape, op_sub(tape, noise, noise_log_noise), 1, -log_k);
    return op_add(tape, op_softplus(tape, own), op_sum_columns(tape, op_softplus(tape, other)));
}

struct tensor *density_infonce(struct tape *tape, struct tensor *data, struct tensor *noise,
                               struct tensor *data_log_noise, struct tensor *noise_log_noise) {
    struct tensor *own = op_sub(tape, data, data_log_noise);
    struct tensor *other = op_sub(tape, noise, noise_log_noise);
    return op_sub(tape, op_logsumexp(tape, op_concat(tape, own, other)), own);
}
