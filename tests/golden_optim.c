// Optimizers, EMA, clipping and schedules against the golden data of group nets/optim.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "nn/optimizer.h"
#include "support/golden.h"

#define STEPS     10
#define TOLERANCE 1e-6

static double hyper(const struct golden_case *golden, const char *key) {
    const json_t *value = json_object_get(json_object_get(golden->entry, "hyper"), key);
    if (!json_is_number(value)) fail_msg("%s: no hyper.%s", golden->path, key);
    return json_number_value(value);
}

static double beta(const struct golden_case *golden, size_t which) {
    const json_t *betas = json_object_get(json_object_get(golden->entry, "hyper"), "betas");
    return json_number_value(json_array_get(betas, which));
}

static const char *parts[2] = {"weight", "bias"};

static void load(const struct golden_case *golden, const char *stage, const struct params *params,
                 real *block) {
    for (int i = 0; i < 2; i++) {
        char key[32];
        snprintf(key, sizeof key, "%s.%s", stage, parts[i]);
        st_copy_float(golden_tensor(golden, key), block + params->items[i].offset);
    }
}

static void compare(const struct golden_case *golden, int step, const struct params *params,
                    const real *block) {
    for (int i = 0; i < 2; i++) {
        char key[32];
        snprintf(key, sizeof key, "after%d.%s", step, parts[i]);
        golden_near_float(golden, key, block + params->items[i].offset,
                          (int64_t)params->items[i].count, TOLERANCE, TOLERANCE);
    }
}

static struct params start(const struct golden_case *golden) {
    struct params params = {0};
    struct init zero = {INIT_ZERO, 0};
    for (int i = 0; i < 2; i++) {
        char key[32];
        snprintf(key, sizeof key, "p0.%s", parts[i]);
        const struct st_tensor *tensor = golden_tensor(golden, key);
        int dim[4] = {0};
        for (int d = 0; d < tensor->ndim; d++) dim[d] = (int)tensor->dim[d];
        params_add(&params, parts[i], tensor->ndim, dim, zero, 1, 1);
    }
    struct rng rng = rng_seed(0);
    params_finish(&params, true, &rng);
    load(golden, "p0", &params, params.value);
    return params;
}

static struct optimizer_hyper optimizer_of(const struct golden_case *golden, const char *name) {
    struct optimizer_hyper h = {.eps = 1e-8};
    if (strcmp(name, "clip_grad_norm")) h.lr = hyper(golden, "lr");
    if (!strncmp(name, "adam", 4)) {
        h.kind = !strcmp(name, "adamw") ? OPTIMIZER_ADAMW : OPTIMIZER_ADAM;
        h.beta1 = beta(golden, 0);
        h.beta2 = beta(golden, 1);
        h.eps = hyper(golden, "eps");
        if (strcmp(name, "adam")) h.decay = hyper(golden, "weight_decay");
    } else if (!strcmp(name, "clip_grad_norm")) {
        h.kind = OPTIMIZER_SGD; // from zero weights with lr 1 a step shows the gradient
        h.lr = 1;
        h.clip_norm = hyper(golden, "max_norm");
    } else {
        h.kind = !strcmp(name, "lars") ? OPTIMIZER_LARS : OPTIMIZER_SGD;
        h.momentum = hyper(golden, "momentum");
        h.decay = hyper(golden, "weight_decay");
        if (h.kind == OPTIMIZER_LARS) h.trust = hyper(golden, "trust_coefficient");
    }
    return h;
}

static void check_optimizer(const struct golden_case *golden, const char *name) {
    struct params params = start(golden);
    bool clip = !strcmp(name, "clip_grad_norm");
    params.items[1].no_decay = !strcmp(name, "lars"); // its 1-d tensors
    struct optimizer optimizer;
    optimizer_init(&optimizer, &params, optimizer_of(golden, name));
    for (int step = 1; step <= STEPS; step++) {
        char stage[16];
        snprintf(stage, sizeof stage, "g%d", step);
        load(golden, stage, &params, params.grad);
        if (clip) memset(params.value, 0, params.count * sizeof(real));
        double norm;
        struct rl_error err = {0};
        assert_int_equal(optimizer_step(&optimizer, NULL, 1, &norm, &err), RL_OK);
        if (clip) {
            snprintf(stage, sizeof stage, "norm%d", step);
            golden_near(golden, stage, &norm, 1, TOLERANCE, 0);
            for (size_t i = 0; i < params.count; i++) params.value[i] = -params.value[i];
        }
        compare(golden, step, &params, params.value);
        for (size_t i = 0; i < params.count; i++) assert_true(params.grad[i] == 0);
    }
    optimizer_release(&optimizer);
    params_release(&params);
}

static void check_ema(const struct golden_case *golden) {
    struct params params = start(golden);
    for (int step = 1; step <= STEPS; step++) {
        char stage[16];
        snprintf(stage, sizeof stage, "g%d", step);
        load(golden, stage, &params, params.grad);
        optim_ema(NULL, hyper(golden, "momentum"), params.count, params.grad, params.value);
        compare(golden, step, &params, params.value);
    }
    params_release(&params);
}

static void check_schedule(const struct golden_case *golden, const char *kind) {
    int64_t count = golden_tensor(golden, "value")->count;
    double *value = MEM_ARRAY(double, count);
    for (int64_t i = 0; i < count; i++) {
        if (!strcmp(kind, "linear")) {
            value[i] = schedule_linear(hyper(golden, "init"), hyper(golden, "final"),
                                       (int64_t)hyper(golden, "duration"),
                                       i * (int64_t)hyper(golden, "stride"));
        } else if (!strcmp(kind, "cosine")) {
            value[i] = schedule_cosine(hyper(golden, "base"), hyper(golden, "final"),
                                       (int64_t)hyper(golden, "steps"), i);
        } else if (!strcmp(kind, "ema")) {
            value[i] =
                schedule_cosine(hyper(golden, "base"), 1, (int64_t)hyper(golden, "steps"), i);
        } else if (!strcmp(kind, "warmup_cosine")) {
            assert_true(hyper(golden, "start") == 0);
            value[i] = schedule_warmup_cosine(hyper(golden, "base"), hyper(golden, "final"),
                                              (int64_t)hyper(golden, "warmup"),
                                              (int64_t)hyper(golden, "steps"), i);
        } else {
            fail_msg("%s: no schedule '%s' here", golden->path, kind);
        }
    }
    golden_near(golden, "value", value, count, 1e-12, 0);
    mem_free(value);
}

static void check(const struct golden_case *golden, void *context) {
    (void)context;
    static const char *optimizers[] = {"adam",         "adam_l2", "adamw",
                                       "sgd_momentum", "lars",    "clip_grad_norm"};
    const char *name = json_string_value(json_object_get(golden->entry, "name"));
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        if (strcmp(name, optimizers[i])) continue;
        check_optimizer(golden, name);
        return;
    }
    if (!strcmp(name, "ema")) {
        check_ema(golden);
    } else if (!strncmp(name, "schedule_", 9)) {
        check_schedule(golden, name + 9);
    } else {
        fail_msg("%s: no optimizer '%s' here", golden->path, name);
    }
}

static void every_case(void **state) {
    (void)state;
    golden_each("nets/optim", check, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
