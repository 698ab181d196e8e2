// Language models: n-grams sum to 1 and know their counts; NCE and InfoNCE against maximum
// likelihood.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "density/corpus.h"
#include "density/likelihood.h"
#include "density/nce_lm.h"
#include "density/ngram.h"

// --- corpus ---

static const char text[] = "the cat sees the dog\n"
                           "the dog, it sees the cat\n"
                           "\n"
                           "a cat sees a bird\n"
                           "the cat sees the sea\n";

static struct corpus read_text(bool characters, int64_t min_count, double test_share) {
    struct corpus corpus;
    struct rl_error err = {0};
    struct corpus_options options = {characters, min_count, test_share};
    assert_int_equal(corpus_create(text, sizeof text - 1, &options, &corpus, &err), RL_OK);
    return corpus;
}

static void corpus_numbers_the_words(void **state) {
    (void)state;
    struct corpus corpus = read_text(false, 1, 0.25);
    assert_int_equal(corpus.vocabulary, 2 + 8); // the cat sees dog , it a bird
    assert_string_equal(corpus.word[2], "the");
    static const int first[] = {2, 3, 4, 2, 5, CORPUS_END, 2, 5, 6};
    assert_memory_equal(corpus.token, first, sizeof first);
    assert_int_equal(corpus.n_train, 6 + 8 + 6);
    assert_int_equal(corpus.n, 6 + 8 + 6 + 6);
    assert_int_equal(corpus.token[corpus.n - 2], CORPUS_UNKNOWN); // sea
    corpus_release(&corpus);
    corpus = read_text(false, 2, 0.25);
    assert_int_equal(corpus.vocabulary, 2 + 5); // the cat sees dog a
    corpus_release(&corpus);
    corpus = read_text(true, 1, 0.25);
    assert_int_equal(corpus.n_train, 20 + 1 + 24 + 1 + 17 + 1);
    corpus_release(&corpus);
    struct rl_error err = {0};
    struct corpus_options options = {false, 1, 0.1};
    assert_int_equal(corpus_create("one line", 8, &options, &corpus, &err), RL_EUSAGE);
    assert_non_null(strstr(err.message, "1 lines"));
}

// --- n-grams ---

#define WORDS 12

// A chain of words: each has three likely followers.
static void draw_words(struct rng *rng, int n, int *token) {
    for (int i = 0; i < n; i++) {
        int before = i ? token[i - 1] : 0;
        bool likely = rng_below(rng, 10) < 8;
        token[i] =
            likely ? (before * 5 + 3 + (int)rng_below(rng, 3)) % WORDS : (int)rng_below(rng, WORDS);
    }
}

static void ngrams_sum_to_one(void **state) {
    (void)state;
    int token[400], context[NGRAM_MAX_ORDER];
    struct rng rng = rng_seed(1);
    draw_words(&rng, 400, token);
    for (int order = 1; order <= NGRAM_MAX_ORDER; order++) {
        struct ngram *ngram = ngram_create(token, 400, WORDS + 3, order);
        for (int i = 0; i < 300; i++) {
            double sum = 0;
            for (int j = 0; j + 1 < order; j++)
                context[j] = i < 150 ? token[i + j] : (int)rng_below(&rng, WORDS + 3);
            for (int w = 0; w < WORDS + 3; w++) {
                double p = ngram_prob(ngram, context, w);
                assert_true(p > 0);
                sum += p;
            }
            assert_float_equal(sum, 1, 1e-12);
        }
        ngram_destroy(ngram);
    }
}

// Four lines: A B, A B, A C, B.
static void kneser_ney_by_hand(void **state) {
    (void)state;
    enum { A = 1, B = 2, C = 3 };
    static const int token[] = {A, B, 0, A, B, 0, A, C, 0, B, 0};
    struct ngram *ngram = ngram_create(token, 11, 4, 2);
    // Bigrams: 0A 3, AB 2, B0 3, AC 1, C0 1, 0B 1: three once, one twice: d = 3 / 5. Continuations:
    // A 1 (0), B 2 (A 0), C 1 (A), 0 2 (B C): total 6, two once, two twice: d1 = 2 / 6.
    assert_int_equal(ngram_size(ngram), 6);
    double d2 = 3.0 / 5, d1 = 2.0 / 6;
    double b = (2 - d1) / 6 + d1 * 4 / 6 / 4, c = (1 - d1) / 6 + d1 * 4 / 6 / 4;
    int context[1] = {A};
    assert_float_equal(ngram_prob(ngram, context, B), (2 - d2) / 3 + d2 * 2 / 3 * b, 1e-12);
    assert_float_equal(ngram_prob(ngram, context, C), (1 - d2) / 3 + d2 * 2 / 3 * c, 1e-12);
    assert_float_equal(ngram_prob(ngram, context, A), d2 * 2 / 3 * ((1 - d1) / 6 + d1 * 4 / 6 / 4),
                       1e-12);
    ngram_destroy(ngram);
}

// --- the road from NCE to maximum likelihood and to InfoNCE ---

#define V 6
static const int data_share[V] = {6, 3, 1, 1, 1, 0}, noise_share[V] = {1, 2, 3, 1, 3, 2};
#define SHARES 12 // the sum of either

// Gradient of NCE's expected loss with respect to the scores, at a normalised model: rows of data
// and noise words in exactly their shares, k times the noise.
static void nce_gradient(struct tape *tape, int k, const real *log_p, double *out) {
    int data[SHARES], *noise = MEM_ARRAY(int, SHARES *k);
    real data_log[SHARES], *noise_log = MEM_ARRAY(real, SHARES * k);
    int n = 0, m = 0;
    for (int w = 0; w < V; w++) {
        for (int i = 0; i < data_share[w]; i++) data[n++] = w;
    }
    for (int row = 0; row < SHARES; row++) {
        for (int w = 0; w < V; w++) {
            for (int i = 0; i < noise_share[w] * k / SHARES; i++) {
                noise_log[m] = (real)log(noise_share[w] / (double)SHARES);
                noise[m++] = w;
            }
        }
        data_log[row] = (real)log(noise_share[data[row]] / (double)SHARES);
    }
    tape_reset(tape);
    struct tensor *score = tape_variable(tape, log_p, 2, (int[]){V, 1});
    struct tensor *loss =
        op_mean(tape, density_nce(tape, op_gather_rows(tape, score, data, SHARES),
                                  op_reshape(tape, op_gather_rows(tape, score, noise, SHARES * k),
                                             2, (int[]){SHARES, k}),
                                  tape_input_2d(tape, data_log, SHARES, 1),
                                  tape_input_2d(tape, noise_log, SHARES, k)));
    tape_backward(tape, loss);
    for (int w = 0; w < V; w++) out[w] = (double)score->grad[w];
    mem_free(noise);
    mem_free(noise_log);
}

// Mnih and Teh 2012, eq. 11: the gradient tends to p_model - p_data, that of maximum likelihood,
// with an error that falls as 1 / k.
static void nce_gradient_tends_to_maximum_likelihood(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct tape *tape = tape_create((size_t)8 << 20, NULL, &err);
    static const double p[V] = {0.1, 0.2, 0.3, 0.1, 0.1, 0.2};
    real log_p[V];
    for (int w = 0; w < V; w++) log_p[w] = (real)log(p[w]);
    double before = INFINITY;
    for (int k = 12; k <= 768; k *= 4) {
        double gradient[V], worst = 0;
        nce_gradient(tape, k, log_p, gradient);
        for (int w = 0; w < V; w++)
            worst = fmax(worst, fabs(gradient[w] - (p[w] - data_share[w] / (double)SHARES)));
        print_message("k = %d: off maximum likelihood by %.2g\n", k, worst);
        assert_true(worst < 0.35 * before);
        before = worst;
    }
    assert_true(before < 2e-3);
    tape_destroy(tape);
}

// exp(-loss) is the chance, by Bayes, that the first of the candidates is the one from the model.
static void infonce_is_the_posterior_of_one_in_k(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct tape *tape = tape_create((size_t)1 << 20, NULL, &err);
    enum { K = 4 };
    static const double p[V] = {0.1, 0.2, 0.3, 0.1, 0.1, 0.2};
    static const int word[K + 1] = {2, 0, 5, 2, 4};
    real score[K + 1], log_noise[K + 1];
    double chance[K + 1], total = 0;
    for (int i = 0; i <= K; i++) {
        score[i] = (real)(log(p[word[i]]) + 0.7); // a constant of the context falls out
        log_noise[i] = (real)log(noise_share[word[i]] / (double)SHARES);
        chance[i] = p[word[i]];
        for (int j = 0; j <= K; j++)
            chance[i] *= j == i ? 1 : noise_share[word[j]] / (double)SHARES;
        total += chance[i];
    }
    struct tensor *loss = density_infonce(
        tape, tape_input_2d(tape, score, 1, 1), tape_input_2d(tape, score + 1, 1, K),
        tape_input_2d(tape, log_noise, 1, 1), tape_input_2d(tape, log_noise + 1, 1, K));
    assert_float_equal(exp(-(double)loss->data[0]), chance[0] / total, 1e-6);
    // Under uniform noise, with every word a candidate, it is the softmax's cross-entropy.
    real every[V], uniform[V];
    double z = 0;
    for (int w = 0; w < V; w++) {
        every[w] = (real)(w * 0.3 - 1);
        uniform[w] = (real)log(1.0 / V);
        z += exp((double)every[w]);
    }
    loss = density_infonce(
        tape, tape_input_2d(tape, every, 1, 1), tape_input_2d(tape, every + 1, 1, V - 1),
        tape_input_2d(tape, uniform, 1, 1), tape_input_2d(tape, uniform + 1, 1, V - 1));
    assert_float_equal((double)loss->data[0], log(z) - (double)every[0], 1e-6);
    tape_destroy(tape);
}

static struct nce_lm *learn(enum nce_lm_loss loss, int noise, const int *token, int n) {
    enum { BATCH = 100 };
    struct rl_error err = {0};
    struct nce_lm_spec spec = {.vocabulary = WORDS,
                               .dim = 12,
                               .loss = loss,
                               .noise = noise,
                               .batch = BATCH,
                               .lr = 0.02,
                               .seed = 5};
    int64_t count[WORDS] = {0};
    for (int i = 0; i < n; i++) count[token[i]]++;
    struct nce_lm *lm = nce_lm_create(&spec, count, NULL, &err);
    assert_non_null(lm);
    int steps = 1500, before[BATCH], word[BATCH];
    struct rng rng = rng_seed(6);
    for (int step = 0; step < steps; step++) {
        for (int i = 0; i < BATCH; i++) {
            int at = (int)rng_below(&rng, (uint32_t)n);
            before[i] = at ? token[at - 1] : 0;
            word[i] = token[at];
        }
        double scale = schedule_cosine(1, 0.01, steps, step);
        assert_int_equal(nce_lm_update(lm, BATCH, before, word, scale, NULL, &err), RL_OK);
    }
    return lm;
}

// Kullback-Leibler, mean over contexts.
static double divergence(const struct nce_lm *a, const struct nce_lm *b) {
    double p[WORDS], q[WORDS], sum = 0;
    for (int c = 0; c < WORDS; c++) {
        nce_lm_log_prob(a, c, p);
        nce_lm_log_prob(b, c, q);
        for (int w = 0; w < WORDS; w++) sum += exp(p[w]) * (p[w] - q[w]) / WORDS;
    }
    return sum;
}

static void estimates_approach_maximum_likelihood(void **state) {
    (void)state;
    enum { N = 6000 };
    int *token = MEM_ARRAY(int, N);
    struct rng rng = rng_seed(2);
    draw_words(&rng, N, token);
    struct nce_lm *best = learn(NCE_LM_SOFTMAX, 1, token, N);
    struct ngram *ngram = ngram_create(token, N, WORDS, 2);
    double counts = ngram_perplexity(ngram, token, N),
           own = nce_lm_perplexity(best, token, N, NULL, NULL);
    print_message("perplexity: bigram counts %.3f, softmax %.3f\n", counts, own);
    assert_true(fabs(own - counts) < 0.02 * counts);
    for (int loss = NCE_LM_NCE; loss <= NCE_LM_INFONCE; loss++) {
        double far[2], log_z;
        for (int i = 0; i < 2; i++) {
            struct nce_lm *lm = learn((enum nce_lm_loss)loss, i ? 64 : 1, token, N);
            far[i] = divergence(best, lm);
            double perplexity = nce_lm_perplexity(lm, token, N, &log_z, NULL);
            print_message("%s, %d noise words: KL from maximum likelihood %.5f, perplexity %.3f\n",
                          nce_lm_loss_names[loss], i ? 64 : 1, far[i], perplexity);
            nce_lm_destroy(lm);
        }
        assert_true(far[1] < 0.4 * far[0] && far[1] < 0.005);
        if (loss == NCE_LM_NCE) assert_true(fabs(log_z) < 0.05); // normalised by itself
    }
    ngram_destroy(ngram);
    nce_lm_destroy(best);
    mem_free(token);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus_numbers_the_words),
        cmocka_unit_test(ngrams_sum_to_one),
        cmocka_unit_test(kneser_ney_by_hand),
        cmocka_unit_test(nce_gradient_tends_to_maximum_likelihood),
        cmocka_unit_test(infonce_is_the_posterior_of_one_in_k),
        cmocka_unit_test(estimates_approach_maximum_likelihood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
