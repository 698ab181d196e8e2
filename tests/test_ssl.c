// Conformance of every SSL method, and what the monitors say of collapse.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "ssl/heads.h"
#include "ssl/monitor.h"
#include "support/learner.h"
#include "support/toy.h"

static struct replay *replay;
static struct ssl_source source;

static void update(struct learner *learner, int steps) {
    learner_update(learner, &source, steps);
}

static void each_method(void (*check)(const char *method)) {
    for (int i = 0; i < ssl_count(); i++) check(ssl_at(i)->name);
}

static void assert_same_weights(const char *what, struct learner *a, struct learner *b) {
    const struct params *x = &a->encoder->params, *y = &b->encoder->params;
    if (memcmp(x->value, y->value, x->count * sizeof(real))) fail_msg("%s: encoder differs", what);
    x = &a->ssl->heads;
    y = &b->ssl->heads;
    if (memcmp(x->value, y->value, x->count * sizeof(real))) fail_msg("%s: heads differ", what);
}

static void check_threads(const char *method) {
    struct learner *one = learner_create(method, 1, ""), *three = learner_create(method, 3, "");
    update(one, 3);
    update(three, 3);
    assert_same_weights(method, one, three);
    learner_destroy(one);
    learner_destroy(three);
}

static void same_bits_for_every_pool(void **state) {
    (void)state;
    each_method(check_threads);
}

// All fields behind one another, or back.
struct memory_visitor {
    struct state_visitor base;
    unsigned char *buffer;
    size_t used;
    bool load;
};

static void memory_bytes(struct state_visitor *visitor, const char *name, void *data, size_t size) {
    struct memory_visitor *memory = (struct memory_visitor *)visitor;
    (void)name;
    if (memory->load) {
        memcpy(data, memory->buffer + memory->used, size);
    } else {
        memory->buffer = mem_grow(memory->buffer, memory->used, memory->used + size);
        memcpy(memory->buffer + memory->used, data, size);
    }
    memory->used += size;
}

static void check_resume(const char *method) {
    struct learner *first = learner_create(method, 1, ""), *second = learner_create(method, 1, "");
    struct memory_visitor memory = {.base = {.bytes = memory_bytes}};
    update(first, 4);
    state_params(&memory.base, "encoder", &first->encoder->params);
    ssl_visit(first->ssl, "ssl", &memory.base);
    update(first, 3);
    update(second, 1); // so that nothing is right by chance
    size_t saved = memory.used;
    memory.used = 0;
    memory.load = true;
    state_params(&memory.base, "encoder", &second->encoder->params);
    ssl_visit(second->ssl, "ssl", &memory.base);
    assert_int_equal(memory.used, saved);
    assert_string_equal(memory.base.prefix, "");
    params_zero_grad(&second->encoder->params);
    update(second, 3);
    assert_same_weights(method, first, second);
    if (first->metrics.sum[0] != second->metrics.sum[0]) fail_msg("%s: losses differ", method);
    mem_free(memory.buffer);
    learner_destroy(first);
    learner_destroy(second);
}

static void continues_after_loading(void **state) {
    (void)state;
    each_method(check_resume);
}

static void check_memory(const char *method) {
    struct learner *learner = learner_create(method, 1, "");
    update(learner, 1);
    uint64_t before = mem_allocation_count();
    update(learner, 5);
    if (mem_allocation_count() != before) fail_msg("%s allocates in a step", method);
    struct arena *arena = tape_arena(learner->ssl->tape);
    if (arena->peak_bytes * 16 < arena->size_bytes && arena->size_bytes > 64 << 20)
        fail_msg("%s uses %zu of %zu bytes", method, arena->peak_bytes, arena->size_bytes);
    learner_destroy(learner);
}

static void allocates_nothing_in_a_step(void **state) {
    (void)state;
    each_method(check_memory);
}

// The same batch again and again: the stream is put back before every step.
static void check_learning(const char *method) {
    struct learner *learner =
        learner_create(method, 1, "ssl.inverse_weight=0 ssl.reward_weight=0 ssl.target_decay=0.95");
    // Queues and banks stand still: the batch's own keys would become its negatives.
    struct ssl_ops ops = *learner->ssl->ops;
    ops.after_step = NULL;
    learner->ssl->ops = &ops;
    struct rng rng = learner->ssl->rng;
    double first = 0, last = 0;
    for (int i = 0; i < 30; i++) {
        learner->ssl->rng = rng;
        update(learner, 1);
        last = metrics_get(&learner->metrics, "loss");
        if (i == 0) first = last;
    }
    if (!(last < first)) fail_msg("%s: loss %g, then %g", method, first, last);
    learner_destroy(learner);
}

static void loss_falls_on_one_batch(void **state) {
    (void)state;
    each_method(check_learning);
}

static void check_spread(const char *method) {
    struct learner *learner = learner_create(method, 1, "");
    update(learner, 80);
    update(learner, 8);
    const struct metrics *metrics = &learner->metrics;
    double std = metrics_get(metrics, "std"), healthy = metrics_get(metrics, "std_healthy"),
           rank = metrics_get(metrics, "rank");
    print_message("%-10s loss %8.4f chance %7.4f std %.3f of healthy cosine %6.3f rank %5.2f grad "
                  "%.3g\n",
                  method, metrics_get(metrics, "loss"), metrics_get(metrics, "chance"),
                  std / healthy, metrics_get(metrics, "cosine"), rank,
                  metrics_get(metrics, "grad_norm"));
    // What cannot collapse (reconstruction) has no reason to spread its latents either.
    double least = learner->ssl->ops->collapse_hint ? 0.1 * healthy : 0;
    if (!(std > least) || !(rank > 1.2)) fail_msg("%s: std %g rank %g", method, std, rank);
    learner_destroy(learner);
}

static void no_method_collapses(void **state) {
    (void)state;
    each_method(check_spread);
}

static char warning[512];
static void keep_warning(enum log_level level, const char *line, void *context) {
    (void)context;
    if (level == LOG_LEVEL_WARNING) snprintf(warning, sizeof warning, "%s", line);
}

static void assert_collapse(const char *method, const char *settings, int steps) {
    struct learner *learner = learner_create(method, 1, settings);
    warning[0] = '\0';
    log_set_handler(keep_warning, NULL);
    update(learner, steps);
    log_set_handler(NULL, NULL);
    const char *cause = ssl_find(method)->collapse_hint;
    if (!strstr(warning, method) || !strstr(warning, "collapsed") || !strstr(warning, cause))
        fail_msg("%s %s: no warning; std %g of %g", method, settings,
                 metrics_get(&learner->metrics, "std"),
                 metrics_get(&learner->metrics, "std_healthy"));
    learner_destroy(learner);
}

static void monitors_see_collapse(void **state) {
    (void)state;
    const char *alone = "ssl.inverse_weight=0 ssl.reward_weight=0 ssl.temporal_steps=0 "
                        "ssl.target_decay=0.5 ssl.lr=3e-3 ";
    char settings[256];
    snprintf(settings, sizeof settings, "%s byol.predictor=false byol.norm=none", alone);
    assert_collapse("byol", settings, 250);
    snprintf(settings, sizeof settings, "%s simsiam.stop_gradient=false simsiam.norm=none", alone);
    assert_collapse("simsiam", settings, 250);
    snprintf(settings, sizeof settings, "%s dino.centring=false", alone);
    assert_collapse("dino", settings, 250);
}

// What is published as enough to stay clear of it: BYOL's group norm with standardised weights in
// place of batch norm (embeddings close up first, then spread), MoCo's shuffled batch norm.
static void other_norms_do_not_collapse(void **state) {
    (void)state;
    const char *alone = "ssl.temporal_steps=0 ssl.inverse_weight=0 ssl.reward_weight=0";
    const char *const settings[][2] = {{"byol", "byol.norm=group"},
                                       {"moco", "moco.norm=batch moco.groups=4"}};
    for (int i = 0; i < 2; i++) {
        char line[256];
        snprintf(line, sizeof line, "%s %s", alone, settings[i][1]);
        struct learner *learner = learner_create(settings[i][0], 1, line);
        update(learner, 260);
        update(learner, 20); // the figures are means over these
        double std = metrics_get(&learner->metrics, "std"),
               healthy = metrics_get(&learner->metrics, "std_healthy");
        if (!(std > 0.1 * healthy)) fail_msg("%s: std %g", settings[i][1], std);
        learner_destroy(learner);
    }
}

// Every part's rows are normed by that part alone, in the order that was asked for.
static void parts_of_a_batch_have_their_own_statistics(void **state) {
    (void)state;
    enum { N = 6, IN = 3, OUT = 2, GROUPS = 2, EACH = N / GROUPS };
    const int order[N] = {4, 0, 3, 1, 5, 2};
    struct rl_error err = {0};
    struct rng rng = rng_seed(7);
    struct params params = {0};
    struct head_spec spec = head_mlp(2, IN, 8, OUT, HEAD_NORM_BATCH);
    struct head layers = head_add(&params, "h", &spec);
    params_finish(&params, false, &rng);
    struct tape *tape = tape_create(1 << 20, NULL, &err);
    real x[N * IN], part[EACH * IN];
    for (int i = 0; i < N * IN; i++) x[i] = (real)rng_normal(&rng);
    struct tensor *all =
        head_in_groups(tape, &params, &layers, tape_input_2d(tape, x, N, IN), GROUPS, order);
    for (int g = 0; g < GROUPS; g++) {
        for (int i = 0; i < EACH * IN; i++) part[i] = x[order[g * EACH + i / IN] * IN + i % IN];
        struct tensor *own = head(tape, &params, &layers, tape_input_2d(tape, part, EACH, IN));
        for (int i = 0; i < EACH; i++)
            assert_memory_equal(own->data + i * OUT, all->data + order[g * EACH + i] * OUT,
                                OUT * sizeof(real));
    }
    tape_destroy(tape);
    params_release(&params);
}

static void not_finite_names_the_place(void **state) {
    (void)state;
    struct learner *learner = learner_create("byol", 1, "");
    learner->encoder->params.value[0] = (real)NAN;
    struct rl_error err = {0};
    struct metrics metrics = {0};
    assert_int_equal(ssl_update(learner->ssl, &source, &metrics, &err), RL_ENUMERIC);
    assert_non_null(strstr(err.message, "byol"));
    assert_non_null(strstr(err.message, "step 0"));
    learner_destroy(learner);
}

static void control_heads_learn(void **state) {
    (void)state;
    struct learner *learner =
        learner_create("byol", 1,
                       "ssl.temporal_steps=0 ssl.forward_weight=1 ssl.inverse_weight=10 "
                       "ssl.target_decay=0.9 ssl.shift_pad=0");
    update(learner, 20);
    double before = metrics_get(&learner->metrics, "inverse_loss");
    update(learner, 500);
    update(learner, 50);
    double after = metrics_get(&learner->metrics, "inverse_loss");
    print_message("inverse dynamics: %.4f, then %.4f; reward %.4f forward %.4f\n", before, after,
                  metrics_get(&learner->metrics, "reward_loss"),
                  metrics_get(&learner->metrics, "forward_loss"));
    assert_true(after < 0.75 * before);
    learner_destroy(learner);
}

// Two independent columns, one three times as wide, give the entropy of (0.9, 0.1).
static void monitors_measure(void **state) {
    (void)state;
    real rows[4][3] = {{3, 1, 5}, {3, -1, 5}, {-3, 1, 5}, {-3, -1, 5}};
    double scratch[64];
    assert_true(monitor_rank_scratch(4, 3) <= 64);
    double expected = exp(-(0.9 * log(0.9) + 0.1 * log(0.1)));
    assert_true(fabs(monitor_rank(rows[0], 4, 3, scratch) - expected) < 1e-9);
    assert_true(fabs(monitor_rank(rows[0], 2, 3, scratch) - 1) < 1e-9); // two rows span a line
    struct monitor_figures figures = monitor_measure(rows[0], 4, 3, scratch);
    double scale = 1 / sqrt(35);
    assert_true(fabs(figures.std - (3 + 1 + 0) * scale / 3) < 1e-7);
    assert_true(fabs(figures.raw_std - 4.0 / 3) < 1e-9);
    // Pairs that differ in the first, the second, both coordinates: twice each of 33/35, 17/35,
    // 15/35.
    assert_true(fabs(figures.cosine - (33 + 17 + 15) / 35.0 / 3) < 1e-7);
    real same[8] = {1, 2, 1, 2, 1, 2, 1, 2};
    assert_true(monitor_measure(same, 4, 2, scratch).std < 1e-7);
    assert_true(fabs(monitor_measure(same, 4, 2, scratch).cosine - 1) < 1e-7);
    assert_true(monitor_rank(same, 4, 2, scratch) == 0);
}

static void refuses_what_it_cannot_do(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct encoder_spec spec = {.obs_dim = 4, .latent_dim = 8};
    struct rng rng = rng_seed(1);
    struct encoder *encoder = encoder_create("mlp", &spec, NULL, &rng, &err);
    struct ssl_spec own = {.action_dim = 2};
    assert_null(ssl_create("boyl", &own, encoder, NULL, NULL, &err));
    assert_non_null(strstr(err.message, "byol"));
    assert_null(ssl_create("byol", &own, encoder, NULL, NULL, &err));
    assert_int_equal(err.code, RL_EUSAGE);
    encoder_destroy(encoder);
}

int main(void) {
    replay = toy_replay(LEARNER_ENTRIES, 1);
    source = (struct ssl_source){.replay = replay, .window = replay_window(replay)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_for_every_pool),
        cmocka_unit_test(continues_after_loading),
        cmocka_unit_test(allocates_nothing_in_a_step),
        cmocka_unit_test(loss_falls_on_one_batch),
        cmocka_unit_test(no_method_collapses),
        cmocka_unit_test(monitors_see_collapse),
        cmocka_unit_test(other_norms_do_not_collapse),
        cmocka_unit_test(parts_of_a_batch_have_their_own_statistics),
        cmocka_unit_test(not_finite_names_the_place),
        cmocka_unit_test(control_heads_learn),
        cmocka_unit_test(monitors_measure),
        cmocka_unit_test(refuses_what_it_cannot_do),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    replay_destroy(replay);
    return failures;
}
