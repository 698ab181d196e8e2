// Every operation against finite differences in double precision: as the first contribution to its
// inputs' gradients (written) and as a second one (added).
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "nn/layers.h"
#include "support/fd.h"

#define ALLOWED 1e-6
#define MAX_IN  4

typedef struct tensor *(*build_fn)(struct tape *tape, struct tensor **in);

struct shape {
    int ndim, dim[4];
};
#define S1(a)                                                                                      \
    {                                                                                              \
        1, {                                                                                       \
            a                                                                                      \
        }                                                                                          \
    }
#define S2(a, b)                                                                                   \
    {                                                                                              \
        2, {                                                                                       \
            a, b                                                                                   \
        }                                                                                          \
    }
#define S3(a, b, c)                                                                                \
    {                                                                                              \
        3, {                                                                                       \
            a, b, c                                                                                \
        }                                                                                          \
    }
#define S4(a, b, c, d)                                                                             \
    {                                                                                              \
        4, {                                                                                       \
            a, b, c, d                                                                             \
        }                                                                                          \
    }

struct op_case {
    const char *name;
    build_fn build;
    bool positive; // inputs in (0.5, 2)
    struct shape in[MAX_IN];
};

static const int labels[5] = {2, 0, 1, 1, 2}, picks[6] = {4, 0, 0, 3, 4, 4};
static const uint8_t pixels[2 * 7 * 7 * 3] = {3, 255, 17, 0, 200, 90, 12, 77, 31, 250, 4, 99, 130};
static real running_mean[3] = {0.3, -0.2, 0.1}, running_var[3] = {1.5, 0.4, 2};
static const int reshaped[3] = {3, 5, 4}, pixel_dim[4] = {2, 7, 7, 3};

#define BUILD(name, value)                                                                         \
    static struct tensor *build_##name(struct tape *t, struct tensor **in) {                       \
        return value;                                                                              \
    }
BUILD(reshape, op_reshape(t, in[0], 3, reshaped))
BUILD(flatten, op_flatten(t, in[0]))
BUILD(add, op_add(t, in[0], in[1]))
BUILD(sub, op_sub(t, in[0], in[1]))
BUILD(mul, op_mul(t, in[0], in[1]))
BUILD(mul_self, op_mul(t, in[0], in[0]))
BUILD(min, op_min(t, in[0], in[1]))
BUILD(affine, op_affine(t, in[0], -1.7, 0.3))
BUILD(add_row, op_add_row(t, in[0], in[1]))
BUILD(mul_row, op_mul_row(t, in[0], in[1]))
BUILD(relu, op_relu(t, in[0]))
BUILD(elu, op_elu(t, in[0]))
BUILD(silu, op_silu(t, in[0]))
BUILD(gelu, op_gelu(t, in[0]))
BUILD(tanh, op_tanh(t, in[0]))
BUILD(sigmoid, op_sigmoid(t, in[0]))
BUILD(softplus, op_softplus(t, in[0]))
BUILD(exp, op_exp(t, in[0]))
BUILD(log, op_log(t, in[0]))
BUILD(square, op_square(t, in[0]))
BUILD(sqrt, op_sqrt(t, in[0]))
BUILD(clamp, op_clamp(t, in[0], -0.45, 0.65))
BUILD(concat, op_concat(t, in[0], in[1]))
BUILD(concat_self, op_concat(t, in[0], in[0]))
BUILD(concat_rows, op_concat_rows(t, in[0], in[1]))
BUILD(columns, op_columns(t, in[0], 2, 3))
BUILD(rows, op_rows(t, in[0], 1, 3))
BUILD(rows_twice, op_mul(t, op_rows(t, in[0], 0, 2), op_rows(t, in[0], 1, 2)))
BUILD(gather_rows, op_gather_rows(t, in[0], picks, 6))
BUILD(repeat_row, op_repeat_row(t, in[0], 4))
BUILD(transpose, op_transpose(t, in[0]))
BUILD(matmul_nn, op_matmul(t, in[0], false, in[1], false))
BUILD(matmul_nt, op_matmul(t, in[0], false, in[1], true))
BUILD(matmul_tn, op_matmul(t, in[0], true, in[1], false))
BUILD(matmul_tt, op_matmul(t, in[0], true, in[1], true))
BUILD(matmul_self, op_matmul(t, in[0], false, in[0], true))
BUILD(linear, op_linear(t, in[0], in[1], in[2], false))
BUILD(linear_relu, op_linear(t, in[0], in[1], in[2], true))
BUILD(linear_bare, op_linear(t, in[0], in[1], NULL, true))
BUILD(row_dot, op_row_dot(t, in[0], in[1]))
BUILD(conv, op_conv(t, in[0], in[1], in[2], 2, 1, false))
BUILD(conv_relu, op_conv(t, in[0], in[1], in[2], 1, 0, true))
BUILD(conv_bare, op_conv(t, in[0], in[1], NULL, 1, 2, false))
BUILD(conv_u8, op_conv_u8(t, pixels, pixel_dim, 1 / 255.0, -0.5, in[0], in[1], 2, 1, true))
BUILD(max_pool, op_max_pool(t, in[0], 3, 2, 1))
BUILD(mean_pool, op_mean_pool(t, in[0]))
BUILD(layer_norm, op_layer_norm(t, in[0], in[1], in[2], 1e-5))
BUILD(layer_norm_bare, op_layer_norm(t, in[0], NULL, NULL, 1e-5))
BUILD(group_norm, op_group_norm(t, in[0], 2, in[1], in[2], 1e-5))
BUILD(batch_norm, op_batch_norm(t, in[0], in[1], in[2], NULL, NULL, true, 0.1, 1e-5))
BUILD(batch_norm_bare, op_batch_norm(t, in[0], NULL, NULL, NULL, NULL, true, 0.1, 1e-5))
BUILD(batch_norm_eval,
      op_batch_norm(t, in[0], in[1], in[2], running_mean, running_var, false, 0.1, 1e-5))
BUILD(l2_normalize, op_l2_normalize(t, in[0], 1e-12))
BUILD(l2_normalize_cut, op_l2_normalize(t, in[0], 100))
BUILD(softmax, op_softmax(t, in[0]))
BUILD(log_softmax, op_log_softmax(t, in[0]))
BUILD(attention, op_attention(t, in[0], in[1], in[2], 2, NULL))
BUILD(attention_self, op_attention(t, in[0], in[0], in[0], 2, NULL))
BUILD(attention_qkv, op_attention_qkv(t, in[0], 2, NULL))
BUILD(sum, op_sum(t, in[0]))
BUILD(mean, op_mean(t, in[0]))
BUILD(mean_rows, op_mean_rows(t, in[0]))
BUILD(sum_columns, op_sum_columns(t, in[0]))
BUILD(logsumexp, op_logsumexp(t, in[0]))
BUILD(cross_entropy, op_cross_entropy(t, in[0], labels))

static struct tensor *fixed(struct tape *tape, const struct tensor *like, uint64_t seed) {
    struct tensor *x = tape_new(tape, like->ndim, like->dim, false);
    struct rng rng = rng_seed(seed);
    for (size_t i = 0; i < x->count; i++) x->data[i] = (real)rng_uniform(&rng);
    return x;
}
BUILD(mse_fixed, op_mse(t, in[0], fixed(t, in[0], 8)))
BUILD(huber, op_huber(t, in[0], fixed(t, in[0], 8), 0.7))
BUILD(soft_cross_entropy, op_soft_cross_entropy(t, in[0], fixed(t, in[0], 8)))
BUILD(bce_logits, op_bce_logits(t, in[0], fixed(t, in[0], 8)))

static const struct op_case cases[] = {
    {"reshape", build_reshape, false, {S2(6, 10)}},
    {"flatten", build_flatten, false, {S4(2, 3, 4, 2)}},
    {"add", build_add, false, {S2(5, 7), S2(5, 7)}},
    {"sub", build_sub, false, {S2(5, 7), S2(5, 7)}},
    {"mul", build_mul, false, {S2(5, 7), S2(5, 7)}},
    {"mul_self", build_mul_self, false, {S2(5, 7)}},
    {"min", build_min, false, {S2(5, 7), S2(5, 7)}},
    {"affine", build_affine, false, {S2(5, 7)}},
    {"add_row", build_add_row, false, {S3(4, 3, 19), S1(19)}},
    {"mul_row", build_mul_row, false, {S3(4, 3, 19), S1(19)}},
    {"relu", build_relu, false, {S2(5, 7)}},
    {"elu", build_elu, false, {S2(5, 7)}},
    {"silu", build_silu, false, {S2(5, 7)}},
    {"gelu", build_gelu, false, {S2(5, 7)}},
    {"tanh", build_tanh, false, {S2(5, 7)}},
    {"sigmoid", build_sigmoid, false, {S2(5, 7)}},
    {"softplus", build_softplus, false, {S2(5, 7)}},
    {"exp", build_exp, false, {S2(5, 7)}},
    {"log", build_log, true, {S2(5, 7)}},
    {"square", build_square, false, {S2(5, 7)}},
    {"sqrt", build_sqrt, true, {S2(5, 7)}},
    {"clamp", build_clamp, false, {S2(5, 7)}},
    {"concat", build_concat, false, {S2(5, 3), S2(5, 4)}},
    {"concat_self", build_concat_self, false, {S2(5, 3)}},
    {"concat_rows", build_concat_rows, false, {S3(2, 3, 4), S3(5, 3, 4)}},
    {"columns", build_columns, false, {S3(2, 4, 7)}},
    {"rows", build_rows, false, {S3(5, 2, 3)}},
    {"rows_twice", build_rows_twice, false, {S2(3, 4)}},
    {"gather_rows", build_gather_rows, false, {S3(5, 2, 3)}},
    {"repeat_row", build_repeat_row, false, {S1(7)}},
    {"transpose", build_transpose, false, {S2(18, 5)}},
    {"matmul_nn", build_matmul_nn, false, {S2(4, 6), S2(6, 5)}},
    {"matmul_nt", build_matmul_nt, false, {S2(4, 6), S2(5, 6)}},
    {"matmul_tn", build_matmul_tn, false, {S2(6, 4), S2(6, 5)}},
    {"matmul_tt", build_matmul_tt, false, {S2(6, 4), S2(5, 6)}},
    {"matmul_self", build_matmul_self, false, {S2(4, 6)}},
    {"linear", build_linear, false, {S3(2, 3, 6), S2(5, 6), S1(5)}},
    {"linear_relu", build_linear_relu, false, {S2(4, 6), S2(5, 6), S1(5)}},
    {"linear_bare", build_linear_bare, false, {S2(4, 6), S2(5, 6)}},
    {"row_dot", build_row_dot, false, {S2(4, 6), S2(4, 6)}},
    {"conv", build_conv, false, {S4(2, 7, 6, 3), S4(3, 3, 3, 4), S1(4)}},
    {"conv_relu", build_conv_relu, false, {S4(2, 5, 5, 2), S4(3, 3, 2, 4), S1(4)}},
    {"conv_bare", build_conv_bare, false, {S4(2, 4, 5, 2), S4(4, 4, 2, 3)}},
    {"conv_u8", build_conv_u8, false, {S4(3, 3, 3, 4), S1(4)}},
    {"max_pool", build_max_pool, false, {S4(2, 6, 7, 3)}},
    {"mean_pool", build_mean_pool, false, {S4(2, 3, 4, 5)}},
    {"layer_norm", build_layer_norm, false, {S3(2, 3, 19), S1(19), S1(19)}},
    {"layer_norm_bare", build_layer_norm_bare, false, {S2(4, 19)}},
    {"group_norm", build_group_norm, false, {S4(2, 3, 2, 6), S1(6), S1(6)}},
    {"batch_norm", build_batch_norm, false, {S4(2, 3, 2, 3), S1(3), S1(3)}},
    {"batch_norm_bare", build_batch_norm_bare, false, {S2(6, 3)}},
    {"batch_norm_eval", build_batch_norm_eval, false, {S2(6, 3), S1(3), S1(3)}},
    {"l2_normalize", build_l2_normalize, false, {S2(5, 7)}},
    {"l2_normalize_cut", build_l2_normalize_cut, false, {S2(5, 7)}},
    {"softmax", build_softmax, false, {S2(5, 7)}},
    {"log_softmax", build_log_softmax, false, {S2(5, 70)}},
    {"attention", build_attention, false, {S3(2, 4, 6), S3(2, 4, 6), S3(2, 4, 6)}},
    {"attention_self", build_attention_self, false, {S3(2, 4, 6)}},
    {"attention_qkv", build_attention_qkv, false, {S3(2, 4, 18)}},
    {"sum", build_sum, false, {S2(5, 7)}},
    {"mean", build_mean, false, {S2(5, 7)}},
    {"mean_rows", build_mean_rows, false, {S2(5, 7)}},
    {"sum_columns", build_sum_columns, false, {S2(5, 7)}},
    {"logsumexp", build_logsumexp, false, {S2(5, 7)}},
    {"mse", build_mse_fixed, false, {S2(5, 7)}},
    {"huber", build_huber, false, {S2(5, 7)}},
    {"cross_entropy", build_cross_entropy, false, {S2(5, 3)}},
    {"soft_cross_entropy", build_soft_cross_entropy, false, {S2(5, 3)}},
    {"bce_logits", build_bce_logits, false, {S2(5, 3)}},
};

struct op_context {
    const struct op_case *which;
    struct tape *tape;
    int uses;
    real *value[MAX_IN], *grad[MAX_IN];
};

// Sum over uses of the output times fixed weights; inputs pass through an operation first, so that
// their gradient buffers are the tape's own.
static double op_loss(void *context, bool gradient) {
    struct op_context *c = context;
    tape_reset(c->tape);
    struct tensor *leaf[MAX_IN], *in[MAX_IN], *loss = NULL;
    int n = 0;
    for (; n < MAX_IN && c->which->in[n].ndim; n++) {
        leaf[n] = tape_variable(c->tape, c->value[n], c->which->in[n].ndim, c->which->in[n].dim);
        in[n] = op_affine(c->tape, leaf[n], 1.25, 0);
    }
    for (int use = 0; use < c->uses; use++) {
        struct tensor *y = c->which->build(c->tape, in);
        struct tensor *weight = fixed(c->tape, y, 100 + (uint64_t)use);
        struct tensor *part = op_sum(c->tape, op_mul(c->tape, y, weight));
        loss = loss ? op_add(c->tape, loss, part) : part;
    }
    double value = (double)loss->data[0];
    if (!gradient) return value;
    tape_backward(c->tape, loss);
    for (int i = 0; i < n; i++) memcpy(c->grad[i], leaf[i]->grad, leaf[i]->count * sizeof(real));
    return value;
}

static double case_worst(const struct op_case *which, int uses, double allowed) {
    struct rl_error err = {0};
    struct op_context c = {which, tape_create((size_t)4 << 20, NULL, &err), uses, {0}, {0}};
    struct fd_input inputs[MAX_IN];
    struct rng rng = rng_fork(1, which->name);
    int n = 0;
    for (; n < MAX_IN && which->in[n].ndim; n++) {
        size_t count = 1;
        for (int d = 0; d < which->in[n].ndim; d++) count *= (size_t)which->in[n].dim[d];
        c.value[n] = MEM_ARRAY(real, count);
        c.grad[n] = MEM_ARRAY(real, count);
        for (size_t i = 0; i < count; i++) {
            c.value[n][i] = (real)(which->positive ? rng_range(&rng, 0.5, 2) : rng_normal(&rng));
        }
        inputs[n] = (struct fd_input){which->name, c.value[n], c.grad[n], count};
    }
    double worst = fd_worst(op_loss, &c, inputs, n, allowed);
    for (int i = 0; i < n; i++) mem_free(c.value[i]), mem_free(c.grad[i]);
    tape_destroy(c.tape);
    return worst;
}

static void every_operation(void **state) {
    (void)state;
    int failures = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int uses = 1; uses <= 2; uses++) {
            double worst = case_worst(&cases[i], uses, ALLOWED);
            if (worst <= ALLOWED) continue;
            print_message("%s used %d times: off by %.3g\n", cases[i].name, uses, worst);
            failures++;
        }
    }
    assert_int_equal(failures, 0);
}

// --- an operation from outside, right and wrong
// -----------------------------------------------------------

struct cube {
    struct tensor *x, *y;
    double factor;
};

static void cube_backward(struct tape *tape, void *context) {
    (void)tape;
    struct cube *c = context;
    for (size_t i = 0; i < c->x->count; i++) {
        c->x->grad[i] += (real)c->factor * c->x->data[i] * c->x->data[i] * c->y->grad[i];
    }
}

static struct tensor *cube(struct tape *tape, struct tensor *x, double factor) {
    struct cube *c = ARENA_ARRAY(tape_arena(tape), struct cube, 1);
    *c = (struct cube){x, tape_new(tape, x->ndim, x->dim, tape_wants(tape, x)), factor};
    for (size_t i = 0; i < x->count; i++) c->y->data[i] = x->data[i] * x->data[i] * x->data[i];
    if (c->y->grad) tape_record(tape, cube_backward, c);
    return c->y;
}
BUILD(cube, cube(t, in[0], 3))
BUILD(wrong_cube, cube(t, in[0], 3.003))

static void operations_from_outside(void **state) {
    (void)state;
    struct op_case right = {"cube", build_cube, false, {S2(5, 7)}};
    struct op_case wrong = {"wrong cube (expected)", build_wrong_cube, false, {S2(5, 7)}};
    assert_true(case_worst(&right, 1, ALLOWED) < ALLOWED);
    assert_true(case_worst(&right, 2, ALLOWED) < ALLOWED);
    assert_true(case_worst(&wrong, 1, 1) > 100 * ALLOWED);
}

// --- what differences cannot show
// ---------------------------------------------------------------------------

static void ties_detach_and_clamp_through(void **state) {
    (void)state;
    struct rl_error err = {0};
    struct tape *tape = tape_create((size_t)1 << 20, NULL, &err);
    const real a[3] = {1, 2, 5}, b[3] = {1, 3, 4};
    int dim = 3;
    struct tensor *x = tape_variable(tape, a, 1, &dim), *y = tape_variable(tape, b, 1, &dim);
    tape_backward(tape, op_sum(tape, op_min(tape, x, y)));
    const real gx[3] = {0.5, 1, 0}, gy[3] = {0.5, 0, 1};
    assert_memory_equal(x->grad, gx, sizeof gx);
    assert_memory_equal(y->grad, gy, sizeof gy);

    tape_reset(tape);
    x = tape_variable(tape, a, 1, &dim);
    struct tensor *h = op_mul(tape, op_detach(tape, op_square(tape, x)), x); // d = x^2, not 3 x^2
    tape_backward(tape, op_sum(tape, h));
    for (int i = 0; i < 3; i++) assert_true(x->grad[i] == a[i] * a[i]);

    tape_reset(tape);
    x = tape_variable(tape, a, 1, &dim);
    h = op_clamp_through(tape, x, 0, 1.5);
    assert_true(h->data[2] == 1.5);
    tape_backward(tape, op_sum(tape, h));
    for (int i = 0; i < 3; i++) assert_true(x->grad[i] == 1);

    // Nothing is recorded while recording is off, and a second root adds.
    tape_reset(tape);
    x = tape_variable(tape, a, 1, &dim);
    tape_set_recording(tape, false);
    assert_null(op_square(tape, x)->grad);
    tape_set_recording(tape, true);
    tape_seed(op_square(tape, x), 1);
    tape_seed_values(op_affine(tape, x, 2, 0), b);
    tape_run_backward(tape);
    for (int i = 0; i < 3; i++) assert_true(x->grad[i] == 2 * a[i] + 2 * b[i]);
    tape_destroy(tape);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation),
        cmocka_unit_test(operations_from_outside),
        cmocka_unit_test(ties_detach_and_clamp_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
