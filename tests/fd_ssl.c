// Gradients of every SSL method's whole step (encoder, heads, control heads) against finite
// differences.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/learner.h"
#include "support/toy.h"

#define FORWARD 0.5
#define PROBES  16 // weights checked of encoder and of heads
// Small: batch norm over five rows bends the loss, and ReLUs are many.
#define STEP 1e-8

static struct replay *replay;
static struct ssl_source source;

// Plain SGD from rest, rate 0: after one step the optimizer's velocity is the gradient, and nothing
// has moved.
static const char tiny[] = "ssl.batch=5 ssl.optimizer=sgd ssl.lr=0 ssl.clip_norm=0 "
                           "ssl.target_decay=1 ssl.inverse_weight=0.7 "
                           "ssl.reward_weight=0.3 cnn.channels=3 vit.width=12 vit.depth=1 ";

// Settings without which the gradient is, on purpose, not the loss's derivative, or is zero.
static const char *extra_settings(const char *method) {
    static const char *const table[][2] = {{"simsiam", "simsiam.stop_gradient=false"},
                                           {"dim", "dim.prior=0 dim.global=0.5"},
                                           {"instdisc", "instdisc.noise=20 instdisc.proximal=0.3"},
                                           {"cmc", "cmc.noise=20"},
                                           // even codes: those of the scores carry no gradient
                                           {"swav", "swav.epsilon=1e12"},
                                           {NULL, NULL}};
    for (int i = 0; table[i][0]; i++) {
        if (!strcmp(table[i][0], method)) return table[i][1];
    }
    return "";
}

static struct learner *create(const char *method, bool temporal, const char *more) {
    char settings[512];
    // The forward head's target carries no gradient: its loss is fit for this only when it comes
    // from the momentum encoder.
    double forward = ssl_find(method)->uses_target ? FORWARD : 0;
    snprintf(settings, sizeof settings, "%s ssl.temporal_steps=%d ssl.forward_weight=%g %s %s",
             tiny, temporal ? 2 : 0, forward, extra_settings(method), more);
    return learner_create(method, 1, settings);
}

static double total_loss(const struct learner *learner) {
    const struct metrics *metrics = &learner->metrics;
    double forward = metrics_get(metrics, "forward_loss");
    return metrics_get(metrics, "loss") + 0.7 * metrics_get(metrics, "inverse_loss") +
           0.3 * metrics_get(metrics, "reward_loss") + (isnan(forward) ? 0 : FORWARD * forward);
}

// One step on the same batch, from the same state.
static double step(struct learner *learner, struct rng rng) {
    learner->ssl->rng = rng;
    learner->ssl->step = 0;
    learner_update(learner, &source, 1);
    return total_loss(learner);
}

// A weight of an item drawn first, so that small items are seen as often as large ones.
static size_t draw_weight(const struct params *params, struct rng *rng) {
    for (;;) {
        const struct param_item *item = &params->items[rng_below(rng, params->n_items)];
        if (!item->buffer) return item->offset + rng_below(rng, (uint32_t)item->count);
    }
}

static double slope_at(struct learner *learner, struct rng rng, real *weight) {
    real value = *weight;
    *weight = value + (real)STEP;
    double above = step(learner, rng);
    *weight = value - (real)STEP;
    double below = step(learner, rng);
    *weight = value;
    return (above - below) / (2 * STEP);
}

static void check_block(const char *method, struct learner *learner, struct rng rng,
                        struct params *params, const real *gradient) {
    double largest = 0;
    for (size_t i = 0; i < params->count; i++) largest = fmax(largest, fabs(gradient[i]));
    assert_true(largest > 0);
    struct rng draw = rng_fork(5, method);
    int kinks = 0; // a ReLU or maximum between the two points
    for (int i = 0; i < PROBES; i++) {
        size_t at = draw_weight(params, &draw);
        double slope = slope_at(learner, rng, &params->value[at]);
        if (fabs(slope - gradient[at]) <= 1e-5 * largest + 1e-7) continue;
        print_message("%s weight %zu: slope %.9g, gradient %.9g of %.3g\n", method, at, slope,
                      gradient[at], largest);
        kinks++;
    }
    if (kinks > 1) fail_msg("%s: %d of %d gradients are wrong", method, kinks, PROBES);
}

static real *copy_gradient(const struct optimizer *optimizer) {
    size_t bytes = optimizer->params->count * sizeof(real);
    return memcpy(mem_alloc(bytes), optimizer->v, bytes);
}

// Biases start at zero. Where a layer is dead, as on the even ground of a small crop, the next
// one's units all stand at their bias, and zero is where a ReLU has no slope: moved above it.
static void raise_biases(struct params *params) {
    struct rng rng = rng_fork(6, "biases");
    for (int i = 0; i < params->n_items; i++) {
        const struct param_item *item = &params->items[i];
        if (item->ndim != 1 || item->buffer || !strstr(item->name, ".bias")) continue;
        for (size_t j = 0; j < item->count; j++)
            params->value[item->offset + j] += (real)rng_range(&rng, 0.02, 0.1);
    }
}

static void check_method(const char *method, bool temporal, const char *more) {
    struct learner *learner = create(method, temporal, more);
    struct ssl *ssl = learner->ssl;
    raise_biases(&learner->encoder->params);
    struct ssl_ops ops = *ssl->ops;
    ops.after_step = NULL; // queues and banks stand still
    ssl->ops = &ops;
    struct rng rng = ssl->rng;
    step(learner, rng);
    real *encoder = copy_gradient(&ssl->encoder_optimizer);
    real *heads = copy_gradient(&ssl->heads_optimizer);
    check_block(method, learner, rng, &learner->encoder->params, encoder);
    check_block(method, learner, rng, &ssl->heads, heads);
    mem_free(encoder);
    mem_free(heads);
    learner_destroy(learner);
}

static void gradients_are_derivatives(void **state) {
    (void)state;
    for (int i = 0; i < ssl_count(); i++) {
        for (int temporal = ssl_at(i)->sequence; temporal < 2; temporal++)
            check_method(ssl_at(i)->name, temporal, "");
    }
}

// What the defaults leave out.
static void gradients_of_other_forms(void **state) {
    (void)state;
    check_method("byol", false, "byol.norm=group"); // standardised weights
    check_method("moco", false, "moco.norm=batch ssl.batch=6 moco.groups=2");
    check_method("moco", false, "moco.version=v1");
    check_method("instdisc", false, "instdisc.form=softmax instdisc.proximal=0.3");
    check_method("simclr", false, "simclr.depth=3");
    for (int temporal = 0; temporal < 2; temporal++) { // multi-crop
        check_method("swav", temporal, "swav.local_crops=2");
        check_method("dino", temporal, "dino.local_crops=2");
    }
}

int main(void) {
    replay = toy_replay(LEARNER_ENTRIES, 1);
    source = (struct ssl_source){.replay = replay, .window = replay_window(replay)};
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_are_derivatives),
                                       cmocka_unit_test(gradients_of_other_forms)};
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    replay_destroy(replay);
    return failures;
}
