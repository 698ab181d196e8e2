// Tape, layers and optimizer as a whole: memory, threads, errors, saving. Gradients: fd_ops.c.
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "nn/layers.h"
#include "nn/optimizer.h"

#define BATCH 64

struct model {
    struct params params;
    struct conv conv;
    struct norm norm;
    struct linear trunk;
    struct mlp head;
    struct optimizer optimizer;
    struct tape *tape;
    struct pool *pool;
    struct rng rng;
    uint8_t images[BATCH * 12 * 12 * 3];
    real target[BATCH * 2];
};

static struct model *model_create(int threads) {
    struct model *m = MEM_NEW(struct model);
    struct rl_error err = {0};
    m->rng = rng_seed(5);
    m->pool = pool_create(threads, &err);
    m->tape = tape_create((size_t)64 << 20, m->pool, &err);
    assert_non_null(m->tape);
    struct init orthogonal = {INIT_ORTHOGONAL, 1};
    m->conv = conv_add(&m->params, "conv", 3, 32, 3, 2, 0, orthogonal);
    m->trunk =
        linear_add(&m->params, "trunk", 5 * 5 * 32, 300, true, (struct init){INIT_FAN_IN, 0});
    m->norm = layer_norm_add(&m->params, "norm", 300);
    m->head = mlp_add(&m->params, "head", 3, (int[]){300, 256, 2}, ACTIVATION_RELU, orthogonal);
    params_finish(&m->params, true, &m->rng);
    struct optimizer_hyper hyper = optimizer_adam(1e-3);
    hyper.clip_norm = 10;
    optimizer_init(&m->optimizer, &m->params, hyper);
    return m;
}

static void model_destroy(struct model *m) {
    optimizer_release(&m->optimizer);
    params_release(&m->params);
    tape_destroy(m->tape);
    pool_destroy(m->pool);
    mem_free(m);
}

static double model_update(struct model *m) {
    for (size_t i = 0; i < sizeof m->images; i++) m->images[i] = (uint8_t)rng_below(&m->rng, 256);
    for (size_t i = 0; i < BATCH * 2; i++) m->target[i] = (real)m->images[i * 100] / 255;
    tape_reset(m->tape);
    int dim[4] = {BATCH, 12, 12, 3};
    struct tensor *x =
        conv_u8(m->tape, &m->params, &m->conv, m->images, dim, 1 / 255.0, -0.5, true);
    x = linear(m->tape, &m->params, &m->trunk, op_flatten(m->tape, x), false);
    x = op_tanh(m->tape, layer_norm(m->tape, &m->params, &m->norm, x));
    x = mlp(m->tape, &m->params, &m->head, x);
    struct tensor *loss = op_mse(m->tape, x, tape_input_2d(m->tape, m->target, BATCH, 2));
    tape_backward(m->tape, loss);
    struct rl_error err = {0};
    assert_int_equal(optimizer_step(&m->optimizer, m->pool, 1, NULL, &err), RL_OK);
    return (double)loss->data[0];
}

static void learns_without_allocation(void **state) {
    (void)state;
    struct model *m = model_create(2);
    double first = model_update(m), last = 0;
    uint64_t count = mem_allocation_count();
    for (int i = 0; i < 100; i++) last = model_update(m);
    assert_true(mem_allocation_count() == count);
    assert_true(last < 0.5 * first);
    model_destroy(m);
}

static void same_bits_for_any_thread_count(void **state) {
    (void)state;
    struct model *one = model_create(1), *two = model_create(2);
    for (int i = 0; i < 5; i++) assert_true(model_update(one) == model_update(two));
    assert_memory_equal(one->params.value, two->params.value, one->params.count * sizeof(real));
    model_destroy(one);
    model_destroy(two);
}

// A visitor over one buffer: writes all fields behind one another, or reads them back.
struct memory_visitor {
    struct state_visitor base;
    unsigned char *buffer;
    size_t used;
    bool load;
};

static void memory_bytes(struct state_visitor *visitor, const char *name, void *data, size_t size) {
    struct memory_visitor *memory = (struct memory_visitor *)visitor;
    assert_true(strncmp(name, "agent.", 6) == 0);
    if (memory->load) {
        memcpy(data, memory->buffer + memory->used, size);
    } else {
        memcpy(memory->buffer + memory->used, data, size);
    }
    memory->used += size;
}

static size_t visit_model(struct model *m, unsigned char *buffer, bool load) {
    struct memory_visitor memory = {{memory_bytes, "agent"}, buffer, 0, load};
    state_params(&memory.base, "params", &m->params);
    optimizer_visit(&m->optimizer, "optimizer", &memory.base);
    state_rng(&memory.base, "rng", &m->rng);
    assert_string_equal(memory.base.prefix, "agent");
    return memory.used;
}

static void continues_after_loading(void **state) {
    (void)state;
    struct model *saved = model_create(1), *loaded = model_create(1);
    for (int i = 0; i < 3; i++) model_update(saved);
    unsigned char *buffer = mem_alloc(4 * saved->params.count * sizeof(real) + 4096);
    size_t used = visit_model(saved, buffer, false);
    assert_true(used > 3 * 200000 * sizeof(real));
    assert_true(visit_model(loaded, buffer, true) == used);
    for (int i = 0; i < 3; i++) assert_true(model_update(saved) == model_update(loaded));
    mem_free(buffer);
    model_destroy(saved);
    model_destroy(loaded);
}

static void names_the_bad_gradient(void **state) {
    (void)state;
    struct model *m = model_create(1);
    model_update(m);
    const struct param_item *item = &m->params.items[params_find(&m->params, "trunk.bias")];
    real *before = MEM_ARRAY(real, m->params.count);
    memcpy(before, m->params.value, m->params.count * sizeof(real));
    const real bad[] = {NAN, INFINITY};
    for (int i = 0; i < 2; i++) {
        m->params.grad[item->offset + 7] = bad[i];
        struct rl_error err = {0};
        assert_int_equal(optimizer_step(&m->optimizer, NULL, 1, NULL, &err), RL_ENUMERIC);
        assert_non_null(strstr(err.message, "trunk.bias"));
        assert_memory_equal(before, m->params.value, m->params.count * sizeof(real));
    }
    // Finite, but the sum of squares is not in single precision.
    params_zero_grad(&m->params);
    m->params.grad[item->offset + 7] = (real)3e30;
    struct rl_error err = {0};
    double norm = 0;
    assert_int_equal(optimizer_step(&m->optimizer, NULL, 1, &norm, &err), RL_OK);
    assert_true(fabs(norm / 3e30 - 1) < 1e-6);
    mem_free(before);
    model_destroy(m);
}

// Runs bug in a child, which must abort with all the words on stderr.
static void expect_abort(void (*bug)(struct tape *), const char *const *words) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); // cmocka would report it as its own failure
        struct rl_error err = {0};
        bug(tape_create((size_t)1 << 20, NULL, &err));
        _exit(0);
    }
    close(ends[1]);
    char text[4096] = {0};
    size_t used = 0;
    for (ssize_t n; (n = read(ends[0], text + used, sizeof text - 1 - used)) > 0;)
        used += (size_t)n;
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    for (; *words; words++) {
        if (!strstr(text, *words)) fail_msg("no '%s' in: %s", *words, text);
    }
}

static struct tensor *zeros(struct tape *tape, int rows, int columns) {
    return tape_new(tape, 2, (int[]){rows, columns}, true);
}

static void add_mismatch(struct tape *tape) {
    op_add(tape, zeros(tape, 4, 3), zeros(tape, 4, 5));
}

static void linear_mismatch(struct tape *tape) {
    op_linear(tape, zeros(tape, 4, 3), zeros(tape, 7, 5), NULL, false);
}

static void conv_mismatch(struct tape *tape) {
    op_conv(tape, tape_new(tape, 4, (int[]){2, 9, 9, 3}, false),
            tape_new(tape, 4, (int[]){3, 3, 4, 8}, false), NULL, 1, 0, false);
}

static void matmul_mismatch(struct tape *tape) {
    op_matmul(tape, zeros(tape, 4, 3), true, zeros(tape, 3, 5), false);
}

static void concat_mismatch(struct tape *tape) {
    op_concat(tape, zeros(tape, 4, 3), zeros(tape, 6, 3));
}

static void mse_mismatch(struct tape *tape) {
    op_mse(tape, zeros(tape, 4, 1), zeros(tape, 1, 4));
}

static void row_mismatch(struct tape *tape) {
    op_mul_row(tape, zeros(tape, 4, 3), zeros(tape, 1, 4));
}

static void norm_mismatch(struct tape *tape) {
    op_layer_norm(tape, zeros(tape, 4, 3), zeros(tape, 1, 7), NULL, 1e-5);
}

static void used_up(struct tape *tape) {
    struct tensor *h = op_square(tape, zeros(tape, 4, 3));
    tape_backward(tape, op_sum(tape, h));
    op_exp(tape, h);
}

static void bugs_are_named(void **state) {
    (void)state;
    expect_abort(add_mismatch, (const char *[]){"op_add", "(4, 3)", "(4, 5)", NULL});
    expect_abort(linear_mismatch, (const char *[]){"op_linear", "(4, 3)", "(7, 5)", NULL});
    expect_abort(conv_mismatch, (const char *[]){"op_conv", "(2, 9, 9, 3)", "(3, 3, 4, 8)", NULL});
    expect_abort(matmul_mismatch, (const char *[]){"op_matmul", "(4, 3)", "(3, 5)", NULL});
    expect_abort(concat_mismatch, (const char *[]){"op_concat", "(4, 3)", "(6, 3)", NULL});
    expect_abort(mse_mismatch, (const char *[]){"op_mse", "(4, 1)", "(1, 4)", NULL});
    expect_abort(row_mismatch, (const char *[]){"op_mul_row", "(4, 3)", "(1, 4)", NULL});
    expect_abort(norm_mismatch, (const char *[]){"op_layer_norm", "(4, 3)", "(1, 7)", NULL});
    expect_abort(used_up, (const char *[]){"op_exp", "detach", NULL});
}

static void orthogonal_rows_and_gain(void **state) {
    (void)state;
    struct params params = {0};
    struct rng rng = rng_seed(3);
    struct init init = {INIT_ORTHOGONAL, 2};
    linear_add(&params, "wide", 20, 8, false, init);
    linear_add(&params, "tall", 8, 20, false, init);
    params_finish(&params, false, &rng);
    for (int which = 0; which < 2; which++) {
        const real *w = params.value + params.items[which].offset;
        int stride = which ? 1 : 20, step = which ? 8 : 1; // vectors: rows of wide, columns of tall
        for (int a = 0; a < 8; a++) {
            for (int b = 0; b < 8; b++) {
                double dot = 0;
                for (int i = 0; i < 20; i++) {
                    dot += (double)w[a * stride + i * step] * (double)w[b * stride + i * step];
                }
                assert_true(fabs(dot - (a == b ? 4 : 0)) < 1e-5);
            }
        }
    }
    params_release(&params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_without_allocation),
        cmocka_unit_test(same_bits_for_any_thread_count),
        cmocka_unit_test(continues_after_loading),
        cmocka_unit_test(names_the_bad_gradient),
        cmocka_unit_test(bugs_are_named),
        cmocka_unit_test(orthogonal_rows_and_gain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
