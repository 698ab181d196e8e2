// Gradients of every density model's likelihood, labels and several orders included, against finite
// differences.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "density/density.h"
#include "support/fd.h"

#define N 4
#define D 12

struct problem {
    struct density *density;
    uint8_t x[N * D];
    int label[N], order;
};

static double loss(void *context, bool gradient) {
    struct problem *problem = context;
    struct density *density = problem->density;
    tape_reset(density->tape);
    struct tensor *value = density_loss(
        density, N, problem->x, density->spec.classes ? problem->label : NULL, problem->order);
    double result = (double)value->data[0];
    if (!gradient) return result;
    params_zero_grad(&density->params);
    tape_backward(density->tape, value);
    return result;
}

static void check(const char *name, int classes, int order) {
    struct rl_error err = {0};
    struct rng rng = rng_seed(7); // no ReLU within a step of its kink
    struct config config = {0};
    config_add(&config, "made", "hidden", "9", "test", false);
    config_add(&config, "made", "layers", "2", "test", false);
    config_add(&config, "made", "orders", "2", "test", false);
    config_add(&config, "nade", "hidden", "67", "test", false);
    config_add(&config, "pixelcnn", "channels", "3", "test", false);
    config_add(&config, "pixelcnn", "blocks", "2", "test", false);
    struct density_spec spec = {
        .height = 3, .width = 4, .classes = classes, .batch = N, .hyper = optimizer_adam(1e-3)};
    struct problem problem = {.order = order};
    problem.density = density_create(name, &spec, &config, NULL, &err);
    if (!problem.density) fail_msg("%s", err.message);
    struct params *params = &problem.density->params;
    for (int i = 0; i < N * D; i++) problem.x[i] = (uint8_t)rng_below(&rng, 2);
    for (int i = 0; i < N; i++) problem.label[i] = i % 3;
    struct fd_input inputs[64];
    for (int i = 0; i < params->n_items; i++) {
        const struct param_item *item = &params->items[i];
        for (size_t k = 0; k < item->count; k++)
            params->value[item->offset + k] += (real)(0.3 * rng_normal(&rng));
        inputs[i] = (struct fd_input){item->name, params->value + item->offset,
                                      params->grad + item->offset, item->count};
    }
    assert_true(fd_worst(loss, &problem, inputs, params->n_items, 1e-6) <= 1e-6);
    density_destroy(problem.density);
    config_release(&config);
}

static void gradients_are_derivatives(void **state) {
    (void)state;
    for (int i = 0; i < density_count(); i++) {
        for (int labels = 0; labels < 2; labels++) check(density_at(i)->name, labels ? 3 : 0, 0);
    }
    check("made", 0, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_are_derivatives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
