// Every density model: probabilities that sum to 1, no leak against the order of the chain, draws
// with the frequencies that the probabilities say, completion, learning, labels, files.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "density/density.h"

#define HEIGHT  3
#define WIDTH   4
#define D       (HEIGHT * WIDTH)
#define ALL     (1 << D)
#define CLASSES 3

static struct density *create(const char *name, int height, int width, int classes,
                              const char *settings) {
    struct rl_error err = {0};
    struct config config = {0};
    struct density_spec spec = {.height = height,
                                .width = width,
                                .classes = classes,
                                .batch = 64,
                                .seed = 3,
                                .hyper = optimizer_adam(1e-2)};
    config_add(&config, "made", "hidden", "20", "test", false);
    config_add(&config, "made", "layers", "2", "test", false);
    config_add(&config, "nade", "hidden", "70", "test", false); // more than one block of units
    config_add(&config, "pixelcnn", "channels", "5", "test", false);
    if (*settings) config_add(&config, "made", "orders", settings, "test", false);
    struct density *density = density_create(name, &spec, &config, NULL, &err);
    if (!density) fail_msg("%s: %s", name, err.message);
    config_release(&config);
    return density;
}

// Weights far from their start, so that every place matters.
static void scatter(struct density *density, double spread) {
    struct rng rng = rng_seed(9);
    const struct params *params = &density->params;
    for (int i = 0; i < params->n_items; i++) {
        for (size_t k = 0; k < params->items[i].count; k++)
            params->value[params->items[i].offset + k] += (real)(spread * rng_normal(&rng));
    }
}

// Calls check for each model, plain and with labels; MADE also with several orders.
static void each(void (*check)(struct density *density)) {
    for (int i = 0; i < density_count(); i++) {
        const char *name = density_at(i)->name;
        for (int labels = 0; labels < 2; labels++) {
            for (int orders = 0; orders < 1 + !strcmp(name, "made"); orders++) {
                struct density *density =
                    create(name, HEIGHT, WIDTH, labels ? CLASSES : 0, orders ? "3" : "");
                scatter(density, 0.3);
                check(density);
                density_destroy(density);
            }
        }
    }
}

static uint8_t *all_rows(void) {
    uint8_t *x = mem_alloc((size_t)ALL * D);
    for (int i = 0; i < ALL; i++) {
        for (int j = 0; j < D; j++) x[i * D + j] = i >> j & 1;
    }
    return x;
}

static int number_of(const uint8_t *x) {
    int number = 0;
    for (int j = 0; j < D; j++) number |= x[j] << j;
    return number;
}

// --- probabilities ---

static double total(const double *log_prob, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += exp(log_prob[i]);
    return sum;
}

static void check_total(struct density *density) {
    uint8_t *x = all_rows();
    int classes = density->spec.classes, *label = MEM_ARRAY(int, ALL);
    double *out = MEM_ARRAY(double, ALL *(classes ? classes : 1));
    density_log_prob(density, ALL, x, NULL, out);
    assert_float_equal(total(out, ALL), 1, 2e-6);
    for (int k = 0; k < classes; k++) {
        for (int i = 0; i < ALL; i++) label[i] = k;
        density_log_prob(density, ALL, x, label, out);
        assert_float_equal(total(out, ALL), 1, 2e-6);
    }
    if (classes) {
        density_joint(density, ALL, x, out);
        assert_float_equal(total(out, ALL * classes), 1, 2e-6);
    }
    mem_free(x);
    mem_free(label);
    mem_free(out);
}

static void probabilities_sum_to_one(void **state) {
    (void)state;
    each(check_total);
}

// --- the chain ---

// Logits (D) of one row.
static void row_logits(struct density *density, int order, const real *x, const real *y,
                       real *out) {
    tape_reset(density->tape);
    struct tensor *rows = tape_input_2d(density->tape, x, 1, D);
    int classes = density->spec.classes;
    struct tensor *label = classes ? tape_input_2d(density->tape, y, 1, classes) : NULL;
    memcpy(out, density_logits(density, order, rows, label)->data, D * sizeof *out);
}

static void check_leak(struct density *density) {
    real x[D], y[CLASSES] = {0, 1, 0}, before[D], after[D];
    struct rng rng = rng_seed(1);
    bool depends = false;
    for (int order = 0; order < density->n_orders; order++) {
        const int *place = density->orders + order * D;
        for (int j = 0; j < D; j++) x[j] = (real)rng_below(&rng, 2);
        row_logits(density, order, x, y, before);
        for (int step = 0; step < D; step++) {
            x[place[step]] = 1 - x[place[step]];
            row_logits(density, order, x, y, after);
            for (int i = 0; i < D; i++) {
                if (i <= step) {
                    assert_true(before[place[i]] == after[place[i]]);
                } else {
                    depends |= before[place[i]] != after[place[i]];
                }
            }
            x[place[step]] = 1 - x[place[step]];
        }
    }
    assert_true(depends || !strcmp(density->ops->name, "bernoulli"));
}

static void no_place_sees_itself_or_later_ones(void **state) {
    (void)state;
    each(check_leak);
}

// chain_logits is its own code in each model: it must say what logits says.
static void check_chain(struct density *density) {
    if (!density->ops->chain_logits) return;
    enum { N = 5 };
    real x[N * D], y[N * CLASSES] = {0}, out[N];
    struct rng rng = rng_seed(2);
    for (int i = 0; i < N * D; i++) x[i] = (real)rng_below(&rng, 2);
    for (int i = 0; i < N; i++) y[i * CLASSES + i % CLASSES] = 1;
    struct density_chain chain = {.n = N, .x = x, .y = density->spec.classes ? y : NULL};
    chain.state = mem_alloc(density->ops->chain_bytes ? density->ops->chain_bytes(density, N) : 0);
    tape_reset(density->tape);
    struct tensor *rows = tape_input_2d(density->tape, x, N, D);
    struct tensor *label = chain.y ? tape_input_2d(density->tape, y, N, CLASSES) : NULL;
    const real *want = density->ops->logits(density, density->tape, 0, rows, label)->data;
    for (int step = 0; step < D; step++) {
        density->ops->chain_logits(density, &chain, step, out);
        for (int i = 0; i < N; i++)
            assert_float_equal(out[i], want[i * D + step], 2e-5 * (1 + fabs((double)out[i])));
    }
    mem_free(chain.state);
}

static void chains_agree_with_logits(void **state) {
    (void)state;
    each(check_chain);
}

// --- draws ---

// Chi-squared of counts against chances, neighbouring cells taken together until 8 are expected;
// fails above the mean by 4.5 standard deviations.
static void check_counts(const char *name, const int *counts, const double *log_prob, int cells,
                         int draws) {
    double chi = 0, want = 0, have = 0;
    int used = 0;
    for (int i = 0; i < cells; i++) {
        want += exp(log_prob[i]) * draws;
        have += counts[i];
        if (want < 8) continue;
        chi += (have - want) * (have - want) / want;
        want = have = 0;
        used++;
    }
    double freedom = used;
    if (used < 8 || chi > freedom + 4.5 * sqrt(2 * freedom))
        fail_msg("%s: chi-squared %.1f with %g degrees of freedom", name, chi, freedom);
}

#define DRAWS 4000

static void check_draws(struct density *density) {
    uint8_t *x = mem_alloc((size_t)DRAWS * D), *rows = all_rows();
    double *log_prob = MEM_ARRAY(double, ALL);
    int *counts = MEM_ARRAY(int, ALL);
    struct rng rng = rng_seed(17);
    density_draw(density, &rng, DRAWS, x, NULL, 1, NULL, NULL);
    for (int i = 0; i < DRAWS; i++) counts[number_of(x + i * D)]++;
    density_log_prob(density, ALL, rows, NULL, log_prob);
    check_counts(density->ops->name, counts, log_prob, ALL, DRAWS);
    mem_free(x);
    mem_free(rows);
    mem_free(log_prob);
    mem_free(counts);
}

static void draws_have_their_probabilities(void **state) {
    (void)state;
    each(check_draws);
}

// Completions of one row against p(hidden | known) by enumeration. Known places at the end of the
// chain need the weights.
static void check_completion(struct density *density) {
    enum { N = 800, PARTICLES = 100 };
    uint8_t known[D] = {0}, *x = mem_alloc((size_t)N * D), *rows = all_rows();
    for (int j = D / 2; j < D; j++) known[j] = 1;
    double *log_prob = MEM_ARRAY(double, ALL), norm = 0;
    int *counts = MEM_ARRAY(int, ALL);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < D; j++) x[i * D + j] = j % 3 == 0;
    }
    struct rng rng = rng_seed(23);
    density_draw(density, &rng, N, x, known, PARTICLES, NULL, NULL);
    density_log_prob(density, ALL, rows, NULL, log_prob);
    for (int i = 0; i < ALL; i++) {
        for (int j = D / 2; j < D; j++) {
            if (rows[i * D + j] != (j % 3 == 0)) log_prob[i] = -INFINITY;
        }
        norm += exp(log_prob[i]);
    }
    for (int i = 0; i < ALL; i++) log_prob[i] -= log(norm);
    for (int i = 0; i < N; i++) counts[number_of(x + i * D)]++;
    for (int i = 0; i < ALL; i++) assert_true(isfinite(log_prob[i]) || counts[i] == 0);
    check_counts(density->ops->name, counts, log_prob, ALL, N);
    mem_free(x);
    mem_free(rows);
    mem_free(log_prob);
    mem_free(counts);
}

static void completions_follow_bayes(void **state) {
    (void)state;
    each(check_completion);
}

// --- learning ---

// Bars: a vertical or a horizontal one, each of the 4 or 3; class 0 vertical, 1 horizontal. A
// mirror image of it that no independent model can hold.
static void draw_bars(struct rng *rng, int n, uint8_t *x, int *label) {
    for (int i = 0; i < n; i++) {
        label[i] = (int)rng_below(rng, 2);
        int bar = (int)rng_below(rng, label[i] ? HEIGHT : WIDTH);
        for (int j = 0; j < D; j++) x[i * D + j] = (label[i] ? j / WIDTH : j % WIDTH) == bar;
    }
}

static double learn(const char *name, int classes, int steps, double *error_share) {
    enum { N = 64 };
    struct density *density = create(name, HEIGHT, WIDTH, classes, "");
    struct rl_error err = {0};
    struct rng rng = rng_seed(4);
    uint8_t x[N * D];
    int label[N], wrong = 0;
    double nll, log_prob[N], joint[N * 2], sum = 0;
    for (int i = 0; i < steps; i++) {
        draw_bars(&rng, N, x, label);
        assert_int_equal(density_update(density, N, x, classes ? label : NULL, 1, &nll, &err),
                         RL_OK);
    }
    draw_bars(&rng, N, x, label);
    density_log_prob(density, N, x, NULL, log_prob);
    for (int i = 0; i < N; i++) sum -= log_prob[i];
    if (classes) density_joint(density, N, x, joint);
    for (int i = 0; classes && i < N; i++) wrong += (joint[2 * i + 1] > joint[2 * i]) != label[i];
    *error_share = wrong / (double)N;
    density_destroy(density);
    return sum / N;
}

static void models_learn_bars(void **state) {
    (void)state;
    // Entropy: log 2 + (log 4 + log 3) / 2 = 1.94 nats; independent places cannot go below about 7.
    for (int i = 0; i < density_count(); i++) {
        const char *name = density_at(i)->name;
        double wrong, nll = learn(name, 0, 600, &wrong);
        print_message("%s: %.3f nats after 600 steps\n", name, nll);
        assert_true(strcmp(name, "bernoulli") ? nll < 3.2 : nll > 6);
        nll = learn(name, 2, 600, &wrong);
        print_message("%s with labels: %.3f nats, %.3f wrong\n", name, nll, wrong);
        assert_true(wrong < (strcmp(name, "fvsbn") ? 0.02 : 0.3)); // a label only shifts its logits
    }
}

// --- files, mistakes ---

static void check_file(struct density *density) {
    struct rl_error err = {0};
    char path[] = "test_density.safetensors";
    uint8_t x[32 * D];
    double a[32], b[32];
    struct rng rng = rng_seed(8);
    for (int i = 0; i < 32 * D; i++) x[i] = (uint8_t)rng_below(&rng, 2);
    assert_int_equal(density_save(density, path, &err), RL_OK);
    struct density *loaded = density_load(path, 16, NULL, &err);
    if (!loaded) fail_msg("%s", err.message);
    density_log_prob(density, 32, x, NULL, a);
    density_log_prob(loaded, 32, x, NULL, b);
    for (int i = 0; i < 32; i++) assert_float_equal(a[i], b[i], 1e-4);
    density_destroy(loaded);
    unlink(path);
}

static void files_keep_the_model(void **state) {
    (void)state;
    each(check_file);
}

static void mistakes_are_named(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct density_spec spec = {.height = 2, .width = 2, .batch = 4};
    assert_null(density_create("nad", &spec, NULL, NULL, &err));
    assert_non_null(strstr(err.message, "'nade'"));
    spec.classes = 1;
    assert_null(density_create("nade", &spec, NULL, NULL, &err));
    assert_non_null(strstr(err.message, "classes"));
    spec = (struct density_spec){.height = 0, .width = 5, .batch = 4};
    assert_null(density_create("nade", &spec, NULL, NULL, &err));
    assert_non_null(strstr(err.message, "0 x 5"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_sum_to_one),
        cmocka_unit_test(no_place_sees_itself_or_later_ones),
        cmocka_unit_test(chains_agree_with_logits),
        cmocka_unit_test(draws_have_their_probabilities),
        cmocka_unit_test(completions_follow_bayes),
        cmocka_unit_test(models_learn_bars),
        cmocka_unit_test(files_keep_the_model),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
