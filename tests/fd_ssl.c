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

#include "support/learner.h"
#include "support/toy.h"

#define PROBES 24 // weights checked of encoder and of heads
#define STEP   1e-6

static struct replay *replay;
static struct ssl_source source;

// Plain SGD from rest, rate 0: after one step the optimizer's velocity is the gradient.
static const char tiny[] =
    "ssl.batch=5 ssl.optimizer=sgd ssl.lr=0 ssl.clip_norm=0 ssl.inverse_weight=0.7 "
    "ssl.reward_weight=0.3 ssl.forward_weight=0.5 cnn.channels=3 vit.width=12 vit.depth=1 ";

// Settings without which the gradient is, on purpose, not the loss's derivative, or is zero.
static const char *extra_settings(const char *method) {
    static const char *const table[][2] = {{"simsiam", "simsiam.stop_gradient=false"},
                                           {NULL, NULL}};
    for (int i = 0; table[i][0]; i++) {
        if (!strcmp(table[i][0], method)) return table[i][1];
    }
    return "";
}

static struct learner *fresh(const char *method, bool temporal) {
    char settings[512];
    snprintf(settings, sizeof settings, "%s ssl.temporal_steps=%d %s", tiny, temporal ? 2 : 0,
             extra_settings(method));
    return learner_create(method, 1, settings);
}

static double total_loss(const struct learner *learner) {
    const struct metrics *metrics = &learner->metrics;
    return metrics_get(metrics, "loss") + 0.7 * metrics_get(metrics, "inverse_loss") +
           0.3 * metrics_get(metrics, "reward_loss") + 0.5 * metrics_get(metrics, "forward_loss");
}

static double loss_at(const char *method, bool temporal, bool heads, size_t index, double delta) {
    struct learner *learner = fresh(method, temporal);
    struct params *params = heads ? &learner->ssl->heads : &learner->encoder->params;
    params->value[index] += (real)delta;
    learner_update(learner, &source, 1);
    double loss = total_loss(learner);
    learner_destroy(learner);
    return loss;
}

// A weight of an item drawn first, so that small items are seen as often as large ones.
static size_t draw_weight(const struct params *params, struct rng *rng) {
    for (;;) {
        const struct param_item *item = &params->items[rng_below(rng, params->n_items)];
        if (!item->buffer) return item->offset + rng_below(rng, (uint32_t)item->count);
    }
}

static void check_block(const char *method, bool temporal, bool heads) {
    struct learner *learner = fresh(method, temporal);
    learner_update(learner, &source, 1);
    const struct optimizer *optimizer =
        heads ? &learner->ssl->heads_optimizer : &learner->ssl->encoder_optimizer;
    const struct params *params = optimizer->params;
    double largest = 0;
    for (size_t i = 0; i < params->count; i++) largest = fmax(largest, fabs(optimizer->v[i]));
    assert_true(largest > 0);
    struct rng rng = rng_fork(5, method);
    int kinks = 0; // a ReLU or maximum between the two points
    for (int i = 0; i < PROBES; i++) {
        size_t at = draw_weight(params, &rng);
        double slope = (loss_at(method, temporal, heads, at, STEP) -
                        loss_at(method, temporal, heads, at, -STEP)) /
                       (2 * STEP);
        if (fabs(slope - optimizer->v[at]) <= 1e-5 * largest) continue;
        print_message("%s %s[%zu]: slope %.9g, gradient %.9g of %.3g\n", method,
                      heads ? "heads" : "encoder", at, slope, optimizer->v[at], largest);
        kinks++;
    }
    if (kinks > 1) fail_msg("%s: %d of %d gradients are wrong", method, kinks, PROBES);
    learner_destroy(learner);
}

static void gradients_are_derivatives(void **state) {
    (void)state;
    for (int i = 0; i < ssl_count(); i++) {
        for (int j = 0; j < 4; j++) check_block(ssl_at(i)->name, j / 2, j % 2);
    }
}

int main(void) {
    replay = toy_replay(LEARNER_ENTRIES, 1);
    source = (struct ssl_source){.replay = replay, .window = replay_window(replay)};
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_are_derivatives)};
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    replay_destroy(replay);
    return failures;
}
