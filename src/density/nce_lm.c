#include "density/nce_lm.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "density/likelihood.h"

const char *const nce_lm_loss_names[] = {"softmax", "nce", "infonce", NULL};

struct nce_lm {
    struct nce_lm_spec spec;
    struct params params;
    int context, target, bias; // (V, dim), (V, dim), (V, 1)
    struct optimizer optimizer;
    struct tape *tape;
    struct rng rng;
    double *cumulative;         // of the noise
    real *log_noise;            // (V)
    int *noise_context, *noise; // (batch * K) scratch
    real *noise_log, *data_log; // of the draws and the data
};

// Half a count for words never seen keeps log p finite.
static void set_noise(struct nce_lm *lm, const int64_t *count) {
    int v = lm->spec.vocabulary;
    double total = 0, sum = 0;
    for (int i = 0; i < v; i++) total += count[i] ? (double)count[i] : 0.5;
    for (int i = 0; i < v; i++) {
        double share = (count[i] ? (double)count[i] : 0.5) / total;
        lm->log_noise[i] = (real)log(share);
        lm->cumulative[i] = sum += share;
    }
}

static size_t tape_bytes(const struct nce_lm_spec *spec) {
    size_t b = (size_t)spec->batch, v = (size_t)spec->vocabulary, dim = (size_t)spec->dim;
    size_t wide = spec->loss == NCE_LM_SOFTMAX ? b * (4 * v + 4 * dim)
                                               : b * (size_t)(spec->noise + 1) * (4 * dim + 24);
    return (wide + 16 * b + ((size_t)1 << 14)) * sizeof(real);
}

struct nce_lm *nce_lm_create(const struct nce_lm_spec *spec, const int64_t *count,
                             struct pool *pool, struct rl_error *err) {
    struct nce_lm *lm = MEM_NEW(struct nce_lm);
    int v = spec->vocabulary, dim = spec->dim, draws = spec->batch * spec->noise;
    lm->spec = *spec;
    struct init small = {INIT_NORMAL, 0.1 / sqrt(dim)}, zero = {INIT_ZERO, 0};
    lm->context = params_add(&lm->params, "context", 2, (int[]){v, dim}, small, v, dim);
    lm->target = params_add(&lm->params, "target", 2, (int[]){v, dim}, small, v, dim);
    lm->bias = params_add(&lm->params, "bias", 2, (int[]){v, 1}, zero, 1, v);
    struct rng rng = rng_fork(spec->seed, "language weights");
    params_finish(&lm->params, true, &rng);
    optimizer_init(&lm->optimizer, &lm->params, optimizer_adam(spec->lr));
    lm->rng = rng_fork(spec->seed, "noise words");
    lm->cumulative = MEM_ARRAY(double, v);
    lm->log_noise = MEM_ARRAY(real, v);
    lm->noise = MEM_ARRAY(int, draws);
    lm->noise_context = MEM_ARRAY(int, draws);
    lm->noise_log = MEM_ARRAY(real, draws);
    lm->data_log = MEM_ARRAY(real, spec->batch);
    set_noise(lm, count);
    // Without context the best scores are the unigram's: Z is 1 from the start.
    memcpy(lm->params.value + lm->params.items[lm->bias].offset, lm->log_noise,
           (size_t)v * sizeof(real));
    lm->tape = tape_create(tape_bytes(spec), pool, err);
    if (lm->tape) return lm;
    nce_lm_destroy(lm);
    return NULL;
}

void nce_lm_destroy(struct nce_lm *lm) {
    if (!lm) return;
    tape_destroy(lm->tape);
    optimizer_release(&lm->optimizer);
    params_release(&lm->params);
    mem_free(lm->cumulative);
    mem_free(lm->log_noise);
    mem_free(lm->noise);
    mem_free(lm->noise_context);
    mem_free(lm->noise_log);
    mem_free(lm->data_log);
    mem_free(lm);
}

static int draw_word(struct nce_lm *lm) {
    double at = rng_uniform(&lm->rng) * lm->cumulative[lm->spec.vocabulary - 1];
    int low = 0, high = lm->spec.vocabulary - 1; // first with cumulative > at
    while (low < high) {
        int middle = (low + high) / 2;
        if (lm->cumulative[middle] > at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static struct tensor *param(struct nce_lm *lm, int id) {
    return tape_param(lm->tape, &lm->params, id);
}

// s(word | before) of each pair: (count, 1).
static struct tensor *pair_scores(struct nce_lm *lm, int count, const int *before,
                                  const int *word) {
    struct tape *tape = lm->tape;
    struct tensor *r = op_gather_rows(tape, param(lm, lm->context), before, count);
    struct tensor *q = op_gather_rows(tape, param(lm, lm->target), word, count);
    struct tensor *b = op_gather_rows(tape, param(lm, lm->bias), word, count);
    return op_add(tape, op_row_dot(tape, r, q), b);
}

static struct tensor *noise_loss(struct nce_lm *lm, int n, const int *before, const int *word) {
    struct tape *tape = lm->tape;
    int k = lm->spec.noise;
    for (int i = 0; i < n * k; i++) {
        lm->noise_context[i] = before[i / k];
        lm->noise[i] = draw_word(lm);
        lm->noise_log[i] = lm->log_noise[lm->noise[i]];
    }
    for (int i = 0; i < n; i++) lm->data_log[i] = lm->log_noise[word[i]];
    struct tensor *data = pair_scores(lm, n, before, word);
    struct tensor *noise = pair_scores(lm, n * k, lm->noise_context, lm->noise);
    noise = op_reshape(tape, noise, 2, (int[]){n, k});
    struct tensor *data_log = tape_input_2d(tape, lm->data_log, n, 1);
    struct tensor *noise_log = tape_input_2d(tape, lm->noise_log, n, k);
    return op_mean(tape, lm->spec.loss == NCE_LM_NCE
                             ? density_nce(tape, data, noise, data_log, noise_log)
                             : density_infonce(tape, data, noise, data_log, noise_log));
}

static struct tensor *softmax_loss(struct nce_lm *lm, int n, const int *before, const int *word) {
    struct tape *tape = lm->tape;
    struct tensor *r = op_gather_rows(tape, param(lm, lm->context), before, n);
    struct tensor *bias = op_reshape(tape, param(lm, lm->bias), 1, &lm->spec.vocabulary);
    return op_cross_entropy(tape, op_linear(tape, r, param(lm, lm->target), bias, false), word);
}

enum rl_status nce_lm_update(struct nce_lm *lm, int n, const int *before, const int *word,
                             double lr_scale, double *loss, struct rl_error *err) {
    RL_ASSERT(n > 0 && n <= lm->spec.batch);
    tape_reset(lm->tape);
    struct tensor *value = lm->spec.loss == NCE_LM_SOFTMAX ? softmax_loss(lm, n, before, word)
                                                           : noise_loss(lm, n, before, word);
    if (loss) *loss = (double)value->data[0];
    tape_backward(lm->tape, value);
    return optimizer_step(&lm->optimizer, tape_pool(lm->tape), lr_scale, NULL, err);
}

double nce_lm_log_prob(const struct nce_lm *lm, int before, double *out) {
    int v = lm->spec.vocabulary, dim = lm->spec.dim;
    const real *value = lm->params.value;
    const real *r = value + lm->params.items[lm->context].offset + (size_t)before * dim;
    const real *q = value + lm->params.items[lm->target].offset;
    const real *b = value + lm->params.items[lm->bias].offset;
    double most = -INFINITY, sum = 0;
    for (int w = 0; w < v; w++, q += dim) {
        double score = (double)b[w];
        for (int i = 0; i < dim; i++) score += (double)(r[i] * q[i]);
        out[w] = score;
        most = fmax(most, score);
    }
    for (int w = 0; w < v; w++) sum += exp(out[w] - most);
    double log_z = most + log(sum);
    for (int w = 0; w < v; w++) out[w] -= log_z;
    return log_z;
}

double nce_lm_perplexity(const struct nce_lm *lm, const int *token, int64_t n, double *log_z_mean,
                         double *log_z_std) {
    int v = lm->spec.vocabulary;
    // One pass a context, not a word.
    int64_t *pairs = MEM_ARRAY(int64_t, (size_t)v + 1), at = 0;
    int *word = MEM_ARRAY(int, n);
    for (int64_t i = 0; i < n; i++) pairs[(i ? token[i - 1] : 0) + 1]++;
    for (int c = 0; c < v; c++) pairs[c + 1] += pairs[c];
    int64_t *next = MEM_ARRAY(int64_t, v);
    memcpy(next, pairs, (size_t)v * sizeof *next);
    for (int64_t i = 0; i < n; i++) word[next[i ? token[i - 1] : 0]++] = token[i];
    double *log_prob = MEM_ARRAY(double, v), sum = 0, z = 0, z2 = 0;
    for (int c = 0; c < v; c++) {
        if (pairs[c] == pairs[c + 1]) continue;
        double count = (double)(pairs[c + 1] - pairs[c]), log_z = nce_lm_log_prob(lm, c, log_prob);
        z += count * log_z;
        z2 += count * log_z * log_z;
        for (; at < pairs[c + 1]; at++) sum -= log_prob[word[at]];
    }
    double mean = z / (double)n;
    if (log_z_mean) *log_z_mean = mean;
    if (log_z_std) *log_z_std = sqrt(fmax(0, z2 / (double)n - mean * mean));
    mem_free(pairs);
    mem_free(word);
    mem_free(next);
    mem_free(log_prob);
    return exp(sum / (double)n);
}
